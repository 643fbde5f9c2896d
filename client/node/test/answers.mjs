// A server that speaks just enough of NATS to answer requests with the bytes of a vector.

import { createServer } from "node:net";

/** @typedef {{ block: string, body: string | null, fault?: string }} Answer */

const INFO = { version: "2.14.0", headers: true, max_payload: 1048576, proto: 1, jetstream: true };

/**
 * Answers one request with each of these, the last again and again.
 *
 * @param {Answer[]} rows
 */
export async function answers(rows) {
  const left = [...rows];
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    /** @type {[string, string][]} */
    const subscriptions = [];
    let bytes = "";
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    socket.on("data", (chunk) => {
      bytes += chunk.toString("latin1");
      for (let end = bytes.indexOf("\r\n"); end >= 0; end = bytes.indexOf("\r\n")) {
        const [verb, ...words] = bytes.slice(0, end).split(" ");
        const published = verb === "PUB" || verb === "HPUB";
        const size = end + 2 + (published ? Number(words.at(-1)) + 2 : 0);
        if (bytes.length < size) {
          return;
        }
        bytes = bytes.slice(size);
        if (verb === "PING") {
          socket.write("PONG\r\n");
        } else if (verb === "SUB") {
          subscriptions.push([words[0] ?? "", words.at(-1) ?? ""]);
        } else if (published && words.length === (verb === "PUB" ? 3 : 4)) {
          const row = /** @type {Answer} */ (left.length > 1 ? left.shift() : left[0]);
          if (row.fault === "close") {
            socket.destroy();
            return;
          }
          if (row.body !== null) {
            socket.write(message(subscriptions, words[1] ?? "", row.block, row.body));
          }
        }
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const close = () => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  };
  return { servers: `127.0.0.1:${port}`, close };
}

/**
 * @param {[string, string][]} subscriptions
 * @param {string} to
 * @param {string} block
 * @param {string} body
 */
function message(subscriptions, to, block, body) {
  const [, sid] = subscriptions.find(([subject]) => to.startsWith(subject.replace(/\*$/, ""))) ?? [];
  const [head, whole] = [Buffer.byteLength(block), Buffer.byteLength(block + body)];
  const sizes = block === "" ? `MSG ${to} ${sid} ${whole}` : `HMSG ${to} ${sid} ${head} ${whole}`;
  return `${sizes}\r\n${block}${body}\r\n`;
}
