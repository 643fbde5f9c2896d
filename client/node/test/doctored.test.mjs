// A vector file in which somebody changed a row turns this suite red.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const NODE = join(ROOT, "client/node");

/** The test that is red where a file is doctored. @type {Record<string, string>} */
const RED = {
  "bad-input.json": "every vector of bad input gets its verdict",
  "currencies.json": "the table of currencies is the shared one",
  "error-kinds.json": "every reply is what its row says, and a doctored row is told",
  "wait.json": "a wait rides out what its row says, and a doctored row is told",
  "original.json": "every reply of the original server is what its row says, and a doctored row is told",
  "unreadable.json": "a reply is what its row says, and the next one comes",
  "timeouts.json": "a timeout gets the verdict of its row",
  "drivers.json": "the driver ends and answers as its row says",
  "permissions.json": "the words of a server name the subject of their row",
  "subscriptions.json": "a subscription gets the verdict of its row",
  "logins.json": "nats://h:4222 goes to each server with the login of its own",
};

test("each doctored file is told", () => {
  const folder = mkdtempSync(join(tmpdir(), "doctored-"));
  try {
    const kept = (/** @type {string} */ path) => !path.includes("node_modules") && !path.endsWith("doctored.test.mjs");
    cpSync(NODE, join(folder, "client/node"), { recursive: true, filter: kept });
    cpSync(join(ROOT, "tests/vectors"), join(folder, "tests/vectors"), { recursive: true });
    symlinkSync(join(NODE, "node_modules"), join(folder, "client/node/node_modules"));
    const { changes } = JSON.parse(readFileSync(join(ROOT, "tests/vectors/doctored.json"), "utf8"));
    assert.deepEqual(changes.map((/** @type {any} */ change) => change.file).sort(), Object.keys(RED).sort());
    for (const { file, at, value } of changes) {
      const path = join(folder, "tests/vectors", file);
      const all = JSON.parse(readFileSync(path, "utf8"));
      const owner = at.slice(0, -1).reduce((/** @type {any} */ inner, /** @type {any} */ step) => inner[step], all);
      owner[at.at(-1)] = value;
      writeFileSync(path, JSON.stringify(all));
    }
    const suite = ["vectors", "replies", "unreadable", "timeouts", "driver", "login"].map((name) => `test/${name}.test.mjs`);
    // Else this would be a part of the run that it belongs to, and say nothing itself.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const command = ["--test", "--test-reporter=tap", ...suite];
    const ended = spawnSync(process.execPath, command, { cwd: join(folder, "client/node"), env, encoding: "utf8", timeout: 120_000 });
    assert.equal(ended.status, 1, ended.stdout + ended.stderr);
    const red = [...ended.stdout.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => (name ?? "").replaceAll("\\", ""));
    const missing = Object.values(RED).filter((name) => !red.includes(name));
    assert.deepEqual(missing, [], ended.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
