// A server that speaks just enough of NATS to answer requests with the bytes of a vector.

import { createServer } from "node:net";

/**
 * `subject` and `reply` are those of a message of a subscription, one character a byte.
 *
 * @typedef {{ block: string | Buffer, body: string | null, fault?: string, subject?: string, reply?: string }} Answer
 */

const INFO = { version: "2.14.0", headers: true, max_payload: 1048576, proto: 1, jetstream: true };

/**
 * Answers one request with each of these, the last again and again; whoever subscribes to `x.>` gets
 * all of them at once.
 *
 * @param {Answer[]} rows
 */
export async function answers(rows) {
  const left = [...rows];
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
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
          if (words[0] === "x.>") {
            rows.forEach((row) => socket.write(message(subscriptions, row.subject ?? "x.y", row)));
          }
        } else if (published && words.length === (verb === "PUB" ? 3 : 4)) {
          const row = /** @type {Answer} */ (left.length > 1 ? left.shift() : left[0]);
          if (row.fault === "close") {
            socket.destroy();
            return;
          }
          if (row.body !== null) {
            socket.write(message(subscriptions, words[1] ?? "", row));
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
  return { servers: `127.0.0.1:${port}`, close, connections: () => connections };
}

/**
 * @param {[string, string][]} subscriptions
 * @param {string} to
 * @param {Answer} row
 */
function message(subscriptions, to, row) {
  const [, sid] = subscriptions.find(([subject]) => to.startsWith(subject.replace(/[*>]$/, ""))) ?? [];
  const [block, body] = [Buffer.from(row.block), Buffer.from(row.body ?? "")];
  const words = [block.length > 0 ? "HMSG" : "MSG", to, sid, row.reply ?? ""].filter((word) => word !== "");
  const sizes = block.length > 0 ? [block.length, block.length + body.length] : [body.length];
  const line = Buffer.from(`${[...words, ...sizes].join(" ")}\r\n`, "latin1");
  return Buffer.concat([line, block, body, Buffer.from("\r\n")]);
}
