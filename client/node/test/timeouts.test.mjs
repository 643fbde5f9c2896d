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
  for (const { name, timeout: given, verdict } of ROWS) {
    const { servers, close } = await answers([{ block: "", body: '{"result":3}' }]);
    const nc = await connect({ servers });
    const seconds = given?.float === undefined ? given : Number(given.float);
    const timeout = typeof seconds === "number" ? seconds * 1000 : seconds;
    const sent = nc.stats().outMsgs;
    let seen = "accept";
    try {
      assert.equal(await new MathClient(nc).add(1, 2, { timeout }), 3);
    } catch (error) {
      assert.ok(error instanceof BadInput, `${name}: ${error}`);
      assert.equal(nc.stats().outMsgs, sent);
      seen = "reject";
    }
    assert.equal(seen, verdict, name);
    await nc.close();
    close();
  }
});
