// The clients read the replies of the original server, which differ from ours in places.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BadReply, DomainError } from "../errors.mjs";
import { MathClient } from "../math.mjs";

/** A connection on which every request gets this reply. @param {unknown} reply */
const original = (reply) =>
  /** @type {any} */ ({
    info: {},
    isClosed: () => false,
    isDraining: () => false,
    status: async function* () {},
    request: async () => ({ data: Buffer.from(JSON.stringify(reply)) }),
  });

test("an error wins over the result beside it", async () => {
  const math = new MathClient(original({ result: 0, operation: "divide", error: "division by zero" }));
  assert.equal(await math.divide(1, 0), null);
  assert.equal(await math.sqrt(-1), null);
  await assert.rejects(math.divide(1, 2), DomainError);
  assert.deepEqual(await math.calculate("divide", 1, 0), { operation: "divide", error: "division by zero" });
});

test("an error that says nothing is none, and neither is a bad reply", async () => {
  for (const error of ["", null]) {
    assert.equal(await new MathClient(original({ result: 0, operation: "divide", error })).divide(0, 2), 0);
  }
  await assert.rejects(new MathClient(original({ operation: "divide" })).divide(1, 0), BadReply);
});
