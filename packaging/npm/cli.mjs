#!/usr/bin/env node
// Runs the program of the platform's package, and ends as it ends.

import { spawn } from "node:child_process";
import { constants } from "node:os";

import { installed, platform } from "./program.mjs";

/** As this program ends where it cannot do its work (docs/commands.md, exit codes). */
const INFRASTRUCTURE = 3;

const program = installed();
if (program === undefined) {
  console.error(`error: mono-demo has no program for ${platform}: @mono-demo/${platform} is not installed`);
  console.error("hint: npm leaves it out with --omit=optional, and where there is none for a platform;");
  console.error("      there `cargo install mono-demo` builds it");
  process.exit(INFRASTRUCTURE);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the program too, and a second one would mean: at once.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}

child.on("error", (error) => {
  console.error(`error: start mono-demo: ${error.message}`);
  process.exit(INFRASTRUCTURE);
});

child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)]);
});
