// What the driver makes of its input: all languages read the same rows.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** @type {{ name: string, input: string, exit: number, replies: string[] }[]} */
const ROWS = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/drivers.json", import.meta.url), "utf8"),
).rows;
const DRIVER = fileURLToPath(new URL("../driver.mjs", import.meta.url));

/** @param {string} line */
function told(line) {
  const { id, err, skip } = JSON.parse(line);
  return `${id} ${err?.kind ?? (skip === undefined ? "ok" : "skip")}`;
}

test("the driver ends and answers as its row says", () => {
  assert.ok(ROWS.length >= 25);
  for (const { name, input, exit, replies } of ROWS) {
    const ended = spawnSync(process.execPath, [DRIVER], { input, encoding: "utf8", timeout: 60_000 });
    const lines = ended.stdout.split("\n").filter((line) => line !== "");
    assert.deepEqual([ended.status, lines.map(told).sort()], [exit, replies.sort()], name);
  }
});
