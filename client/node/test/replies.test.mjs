// What the clients make of replies, and what a wait rides out: all languages read the same rows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { connect } from "@nats-io/transport-node";
import { ClientError, ServiceError } from "../errors.mjs";
import { MathClient } from "../math.mjs";
import { PaymentClient } from "../payment.mjs";
import { answers } from "./answers.mjs";

/** @typedef {import("./answers.mjs").Answer & Record<string, any>} Row */

/** @param {string} name @returns {Row[]} */
const rows = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}`, import.meta.url), "utf8")).rows;

const COMPLETED = { block: "", body: '{"payment_id":"p","status":"completed"}' };

/** What the client makes of it, in the row's own words. @param {Row} row @returns {Promise<Record<string, any>>} */
async function outcome(row) {
  const { servers, close } = await answers([row]);
  const nc = await connect({ servers });
  const timeout = row.body === null ? 200 : 20_000;
  try {
    const payment = new PaymentClient(nc);
    /** @type {unknown} */
    let value;
    if (row.ask === "add") {
      value = await new MathClient(nc).add(1, 2, { timeout });
    } else if (row.ask === "status") {
      value = (await payment.getStatus("p", { timeout })).status;
    } else {
      value = (await payment.submitPayment("p", null, null, 1, { timeout })).sequence;
    }
    return { kind: "ok", value: String(value) };
  } catch (error) {
    return failure(error);
  } finally {
    await nc.close();
    close();
  }
}

/** @param {unknown} error @returns {Record<string, any>} */
function failure(error) {
  assert.ok(error instanceof ClientError, String(error));
  const { kind, definite } = error;
  const service = error instanceof ServiceError;
  return { kind, definite, code: service ? error.code : undefined, message: service ? error.reason : error.message };
}

/** What a method of the math client makes of a body. @param {Row} row @returns {Promise<Record<string, any>>} */
async function returned(row) {
  const { servers, close } = await answers([{ ...row, block: "" }]);
  const nc = await connect({ servers });
  try {
    const math = /** @type {any} */ (new MathClient(nc));
    const args = row.method === "calculate" ? [...row.args, undefined].slice(0, 3) : row.args;
    return { value: await math[row.method](...args, { timeout: 20_000 }) };
  } catch (error) {
    return failure(error);
  } finally {
    await nc.close();
    close();
  }
}

test("every reply of the original server is what its row says, and a doctored row is told", async () => {
  const found = [];
  const all = rows("original.json");
  assert.ok(all.length >= 70);
  for (const row of all) {
    const seen = await returned(row);
    for (const name of ["kind", "definite", "message", "value"]) {
      if (name in row && !isDeepStrictEqual(row[name], seen[name])) {
        found.push(`${row.name}: ${name} in ${JSON.stringify(seen)}`);
      }
    }
    assert.ok("kind" in row ? seen.kind !== "timeout" : !isDeepStrictEqual(99, seen.value), row.name);
    assert.equal("kind" in row, "kind" in seen, row.name);
  }
  assert.deepEqual(found, []);
});

/** @param {Row} row @param {Record<string, any>} seen */
const differing = (row, seen) =>
  [
    ...["kind", "definite", "code", "message", "value"].filter((name) => name in row && row[name] !== seen[name]),
    ...(row.says === undefined || seen.message?.includes(row.says) ? [] : ["says"]),
  ];

test("every reply is what its row says, and a doctored row is told", async () => {
  const found = [];
  const all = rows("error-kinds.json");
  assert.ok(all.length >= 50);
  for (const row of all) {
    const seen = await outcome(row);
    const fields = differing(row, seen);
    if (fields.length > 0) {
      found.push(`${row.name}: ${fields} in ${JSON.stringify(seen)}`);
      continue;
    }
    assert.deepEqual(differing({ ...row, kind: "bad_input" }, seen), ["kind"]);
    if ("definite" in row) {
      assert.deepEqual(differing({ ...row, definite: !row.definite }, seen), ["definite"]);
    }
  }
  assert.deepEqual(found, []);
});

test("a wait rides out what its row says, and a doctored row is told", async () => {
  const found = [];
  for (const row of rows("wait.json")) {
    const { servers, close } = await answers([row, COMPLETED]);
    const nc = await connect({ servers, reconnectTimeWait: 50 });
    let ended;
    try {
      const { status } = await new PaymentClient(nc).waitForStatus("p", { timeout: 20_000 });
      assert.equal(status, "completed");
    } catch (error) {
      ended = error instanceof ClientError ? error.kind : String(error);
    }
    await nc.close();
    close();
    if (ended !== row.ends) {
      found.push(`${row.name}: ${ended}`);
    }
    // The doctored row: what is ridden out ends, and the other way round.
    assert.notEqual(ended, row.ends === undefined ? "other" : undefined, row.name);
  }
  assert.deepEqual(found, []);
});
