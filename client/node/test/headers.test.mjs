// Headers that nats.js cannot decode, from a server that sends them: an error of ours, and the next
// message comes.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { BadReply } from "../errors.mjs";
import { readHeaders } from "../headers.mjs";

/** @param {string} lines */
const message = (lines) => {
  const block = `NATS/1.0\r\n${lines}\r\n\r\n`;
  return `HMSG x 1 ${block.length} ${block.length + 2}\r\n${block}{}\r\n`;
};

test("a message whose headers cannot be read says so, and loses no next one", async () => {
  const server = createServer((socket) => {
    socket.write('INFO {"version":"2.14.0","headers":true,"max_payload":1048576,"proto":1}\r\n');
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      if (text.includes("PING\r\n")) {
        socket.write("PONG\r\n");
      }
      if (text.includes("SUB x")) {
        socket.write(message("a name: v") + message("X: a\rb") + message("X: a"), "latin1");
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const nc = await connect({ servers: `127.0.0.1:${port}` });
  const seen = [];
  for await (const received of nc.subscribe("x", { max: 3 })) {
    try {
      seen.push(readHeaders(received).get("X"));
    } catch (error) {
      assert(error instanceof BadReply);
      seen.push("unreadable");
    }
  }
  assert.deepEqual(seen, ["unreadable", "unreadable", "a"]);
  await nc.close();
  server.close();
});
