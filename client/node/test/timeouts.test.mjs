// Timeouts of a call: all languages read the same rows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { BadInput } from "../errors.mjs";
import { MathClient } from "../math.mjs";
import { answers } from "./answers.mjs";

/** @type {{ name: string, timeout: any, verdict: string }[]} */
const ROWS = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/timeouts.json", import.meta.url), "utf8"),
).rows;

test("a timeout gets the verdict of its row", async () => {
  assert.ok(ROWS.length >= 20);
  const found = [];
  for (const { name, timeout: given, verdict } of ROWS) {
    const { servers, close } = await answers([{ block: "", body: '{"result":3}' }]);
    const nc = await connect({ servers });
    const seconds = given?.float === undefined ? given : Number(given.float);
    const timeout = typeof seconds === "number" ? seconds * 1000 : seconds;
    const sent = nc.stats().outMsgs;
    let seen;
    try {
      const sum = await new MathClient(nc).add(1, 2, { timeout });
      seen = sum === 3 ? "accept" : `a sum of ${sum}`;
    } catch (error) {
      const nothing = nc.stats().outMsgs === sent;
      seen = error instanceof BadInput && nothing ? "reject" : String(error);
    }
    if (seen !== verdict) {
      found.push(`${name}: ${seen}`);
    }
    await nc.close();
    close();
  }
  assert.deepEqual(found, []);
});
