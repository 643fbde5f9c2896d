// The driver: `node driver.mjs` runs these clients for `mono-demo e2e`.
//
// JSON lines, commands in on stdin, replies out on stdout, logs on stderr; `src/wire/driver.rs` is
// the protocol. Commands run side by side, and replies come in any order. End of input: what is in
// hand ends, the connection drains, exit status 0. A line without an id to answer to: status 2.

import { fstatSync } from "node:fs";
import { BROKEN, Driver } from "./driver/driver.mjs";

// nats.js prints in places: stdout is for the protocol alone.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = /** @type {any} */ (process.stderr.write.bind(process.stderr));
Object.assign(globalThis, { console: new console.Console(process.stderr, process.stderr) });
process.stdout.on("error", (error) => {
  console.error(`replies cannot be written: ${error.message}`);
  process.exit(BROKEN);
});

// Node takes a folder for an input that has ended.
if (fstatSync(0).isDirectory()) {
  console.error("commands cannot be read: stdin is a folder");
  process.exit(BROKEN);
}
const driver = new Driver((line) => write(`${line}\n`));
const status = await driver.run(process.stdin);
// Whatever timers are left must not keep the process.
write("", () => process.exit(status));
