// What the server refuses, and what nats.js would write as it is given: over a socket.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { BadInput, PermissionDenied } from "../errors.mjs";
import { Outgoing } from "../outgoing.mjs";
import { publish, request, subscribe } from "../wire.mjs";

const INFO = { version: "2.14.0", headers: true, max_payload: 1048576, proto: 1 };
/** Subjects as they are, and as the server quotes them. @type {[string, string][]} */
const QUOTED = [
  ["deny", "deny"],
  ['de"ny', 'de\\"ny'],
  ["de\\ny", "de\\\\ny"],
  ["de\u00adny", "de\\u00adny"],
  ["de\u{e0001}ny", "de\\U000e0001ny"],
];

/**
 * A server that says these words to each line that begins so.
 *
 * @param {RegExp} lines
 * @param {(found: RegExpExecArray) => string} says
 */
async function refusing(lines, says) {
  /** @type {string[]} */
  const seen = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    let begun = "";
    socket.on("data", (chunk) => {
      const all = (begun + chunk.toString()).split("\r\n");
      begun = all.pop() ?? "";
      for (const line of all) {
        seen.push(line);
        const found = lines.exec(line);
        if (found !== null) {
          socket.write(`-ERR '${says(found)}'\r\n`);
        }
        socket.write(line === "PING" ? "PONG\r\n" : "");
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { servers: `127.0.0.1:${port}`, seen, close: () => void server.close() };
}

/** @param {boolean} definite */
const denied = (definite) => (/** @type {unknown} */ error) =>
  error instanceof PermissionDenied && error.definite === definite;

for (const [subject, quoted] of QUOTED) {
  test(`a refusal of ${quoted} reaches its operation`, async () => {
    const says = (/** @type {RegExpExecArray} */ found) =>
      found[1] === "SUB"
        ? `Permissions Violation for Subscription to "${quoted}" using queue "q"`
        : `Permissions Violation for Publish to "${quoted}"`;
    const { servers, close } = await refusing(/^(SUB|PUB) de\S* /, says);
    const nc = await connect({ servers });
    const timeout = 60_000;
    await assert.rejects(publish(nc, [new Outgoing(subject)], { timeout }), denied(true));
    await assert.rejects(request(nc, new Outgoing(subject), { timeout }), denied(true));
    const options = { queueGroup: "q", timeout };
    await assert.rejects(subscribe(nc, subject, () => {}, options), denied(true));
    await nc.close();
    close();
  });
}

test("a refused inbox does not make what it answers definite", async () => {
  const says = (/** @type {RegExpExecArray} */ found) => `Permissions Violation for Subscription to "${found[1]}"`;
  const { servers, close } = await refusing(/^SUB (_INBOX\S*) /, says);
  const nc = await connect({ servers });
  await assert.rejects(request(nc, new Outgoing("a"), { timeout: 60_000 }), denied(false));
  await nc.close();
  close();
});

test("an inbox prefix cannot have a line of its own", async () => {
  const { servers, seen, close } = await refusing(/^never/, () => "");
  const nc = await connect({ servers, inboxPrefix: "x 9\r\nPUB victim 5\r\nhello\r\nSUB y" });
  await assert.rejects(request(nc, new Outgoing("a"), { timeout: 60_000 }), BadInput);
  await nc.flush();
  assert.ok(!seen.some((line) => line.startsWith("PUB victim")), String(seen));
  await nc.close();
  close();
});

test("the value of a header keeps what is no blank", async () => {
  const { servers, seen, close } = await refusing(/^never/, () => "");
  const nc = await connect({ servers });
  await publish(nc, [new Outgoing("a", undefined, { A: ["\ufeffx\ufeff", "y"], B: [] })]);
  assert.deepEqual(seen.filter((line) => /^[AB]:/.test(line)), ["A: \ufeffx\ufeff", "A: y"]);
  await nc.close();
  close();
});
