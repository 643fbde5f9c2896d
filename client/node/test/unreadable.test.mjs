// Bytes of strangers that cannot be read: an error of ours, and the next message comes on the same
// connection. All languages read the same rows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { BadReply, ClientError } from "../errors.mjs";
import { readHeaders } from "../headers.mjs";
import { MathClient } from "../math.mjs";
import { subscribe } from "../wire.mjs";
import { answers } from "./answers.mjs";

/** @typedef {import("./answers.mjs").Answer & Record<string, any>} Row */

const FILE = new URL("../../../tests/vectors/unreadable.json", import.meta.url);
/** @type {Row[]} */
const ROWS = JSON.parse(readFileSync(FILE, "utf8")).rows.map((/** @type {Row} */ row) => ({
  ...row,
  block: Buffer.from(/** @type {string} */ (row.block), "latin1"),
}));
const GOOD = { block: "NATS/1.0\r\nX: a\r\n\r\n", body: '{"result":4}' };

/** What came of a request; the next one is answered. @param {Row} row @param {string} body */
async function asked(row, body) {
  const { servers, close, connections } = await answers([{ ...row, body }, GOOD]);
  const nc = await connect({ servers });
  const math = new MathClient(nc);
  let kind;
  try {
    kind = (await math.add(1, 2, { timeout: 20_000 })) === 3 ? "ok" : "another result";
  } catch (error) {
    assert.ok(error instanceof ClientError, String(error));
    kind = error.kind;
    assert.equal(error.definite, kind !== "other", `${row.name}: ${error}`);
  }
  const next = await math.add(1, 2, { timeout: 20_000 }).catch(String);
  await nc.close();
  close();
  assert.equal(next, 4, `${row.name}: the next one`);
  assert.equal(connections(), 1, `${row.name}: the connection was made anew`);
  return kind;
}

/** @param {Row} row */
const allowed = (row) => ("node" in (row.lenient ?? {}) ? ["ok", "other"] : [row.kind]);

test("a reply is what its row says, and the next one comes", async () => {
  const found = [];
  assert.ok(ROWS.length >= 60);
  for (const row of ROWS.filter(({ subject, reply }) => subject === undefined && reply === undefined)) {
    const kind = await asked(row, '{"result":3}');
    if (!allowed(row).includes(kind)) {
      found.push(`${row.name}: ${kind}`);
    }
    const empty = await asked(row, "");
    if (empty !== (row.empty ?? "other")) {
      found.push(`${row.name}, with an empty body: ${empty}`);
    }
  }
  assert.deepEqual(found, []);
});

test("no message of a subscription costs the next one", async () => {
  const found = [];
  for (const row of ROWS) {
    const { servers, close, connections } = await answers([{ ...row, body: "{}" }, GOOD]);
    const nc = await connect({ servers });
    /** @type {string[]} */
    const seen = [];
    await new Promise((resolve) => {
      void subscribe(nc, "x.>", (message) => {
        try {
          seen.push(readHeaders(message).get("X") === "a" && seen.length === 1 ? "the next one" : "ok");
        } catch (error) {
          seen.push(error instanceof BadReply ? "other" : String(error));
        }
        if (seen.length === 2) {
          resolve(undefined);
        }
      });
    });
    const [kind = "", next] = seen;
    if (!allowed(row).includes(kind) || next !== "the next one" || connections() !== 1) {
      found.push(`${row.name}: ${seen}, ${connections()} connections`);
    }
    const doctored = { ...row, kind: row.kind === "ok" ? "other" : "ok" };
    await nc.close();
    close();
    assert.ok(row.lenient !== undefined || !allowed(doctored).includes(kind), row.name);
  }
  assert.deepEqual(found, []);
});
