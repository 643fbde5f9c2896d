// The control protocol on the pipes of a child process: docs/control.md of mono-demo.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { installed } from "./program.mjs";

const PROTOCOL_VERSION = 1;
/** So many lines of what the program said last are told. */
const SAID = 20;
/** How long the program may take to say who it is (milliseconds). */
const GREETING = 30_000;

/** Something was not done; the text says what, why, and what to do about it. */
export class MonoDemoError extends Error {
  name = "MonoDemoError";

  /** @param {string} message @param {{ kind?: string, hint?: string, log?: string[] }} [more] */
  constructor(message, { kind = "failed", hint, log = [] } = {}) {
    super([message, ...(hint ? [`hint: ${hint}`] : []), ...log.map((line) => `  | ${line}`)].join("\n"));
    this.kind = kind;
    this.hint = hint;
    this.log = log;
  }
}

/** The program: `MONO_DEMO_BIN`, else that of the package for this platform, else the one on PATH. */
export function program() {
  return process.env["MONO_DEMO_BIN"] || installed() || "mono-demo";
}

/** A `mono-demo control` that runs. It keeps this process alive only while an answer is awaited. */
export class Pipe {
  #program = program();
  /** @type {Map<number, { op: string, asked: { stack?: string }, resolve(ok: any): void, reject(error: Error): void }>} */
  #waiting = new Map();
  #last = 0;
  /** @type {string | undefined} */
  #ended;
  /** @type {string[]} */
  #said = [];
  #child;

  constructor() {
    // A session of its own: Ctrl-C is for this process, which then closes the pipe.
    this.#child = spawn(this.#program, ["control"], { detached: true, stdio: "pipe" });
    this.#child.on("error", (error) => {
      this.#over(`cannot start ${this.#program}: ${error.message}; \`npm install mono-demo\` brings it`);
    });
    // The last lines have come when both are closed.
    this.#child.on("close", (code, signal) => {
      this.#over(`\`${this.#program} control\` has ended, with ${signal ?? `status ${code}`}`);
    });
    this.#child.stdin.on("error", () => {}); // that it has ended is told above
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
    createInterface({ input: this.#child.stderr }).on("line", (line) => this.#keep(line));
    this.#idle(true);
  }

  /** Says which protocol it is; a program that says nothing in time, in milliseconds, is another one. */
  async greet(limit = GREETING) {
    const timer = setTimeout(() => {
      this.#over(`\`${this.#program} control\` did not say who it is within ${limit / 1000} s: is it mono-demo?`);
      this.#kill();
    }, limit);
    try {
      return await this.call("hello", { protocol: PROTOCOL_VERSION });
    } finally {
      clearTimeout(timer);
    }
  }

  /** With all that it started. */
  #kill() {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch (/** @type {any} */ error) {
      if (error.code !== "ESRCH") throw error; // it has ended meanwhile
    }
  }

  /**
   * @param {string} op
   * @param {Record<string, unknown>} [fields]
   * @returns {Promise<any>} what `ok` holds
   */
  call(op, fields = {}) {
    if (this.#ended !== undefined) {
      return Promise.reject(this.#gone(`${op}: ${this.#ended}`));
    }
    const id = ++this.#last;
    // Where it was asked is what matters, not where the answer is read.
    const asked = {};
    Error.captureStackTrace(asked, this.call);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { op, asked, resolve, reject });
      this.#idle(false);
      this.#child.stdin.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    });
  }

  /** Ends the program, and with it all that it started; resolves when all is gone. */
  close() {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) {
        return resolve(undefined);
      }
      this.#idle(false);
      this.#child.once("close", resolve);
      // Nobody wants an answer any more that it would finish first.
      if (this.#waiting.size > 0) this.#child.kill("SIGTERM");
      this.#child.stdin.end();
    });
  }

  /** @param {string} line */
  #hear(line) {
    let reply;
    try {
      reply = JSON.parse(line);
    } catch {
      this.#keep(line);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    this.#idle(this.#waiting.size === 0);
    if (reply.err) waiting.reject(asFrom(waiting.asked, new MonoDemoError(reply.err.message, reply.err)));
    else waiting.resolve(reply.ok);
  }

  /** @param {string} line */
  #keep(line) {
    this.#said.push(line);
    if (this.#said.length > SAID) this.#said.shift();
  }

  /** @param {string} why */
  #over(why) {
    this.#ended ??= why;
    for (const { op, asked, reject } of this.#waiting.values()) reject(asFrom(asked, this.#gone(`${op}: ${this.#ended}`)));
    this.#waiting.clear();
  }

  /** @param {string} message */
  #gone(message) {
    const older = this.#said.some((line) => line.includes("unrecognized subcommand"));
    const hint = { hint: "it is older than this package: install both in the same version" };
    return new MonoDemoError(message, { ...(older ? hint : {}), log: this.#said });
  }

  /** @param {boolean} idle */
  #idle(idle) {
    for (const one of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      const handle = /** @type {{ ref?(): void, unref?(): void }} */ (/** @type {unknown} */ (one));
      if (idle) handle.unref?.();
      else handle.ref?.();
    }
  }
}

/**
 * The error, with the stack of where something was asked.
 *
 * @param {{ stack?: string }} asked
 * @param {MonoDemoError} error
 */
function asFrom(asked, error) {
  const frames = (asked.stack ?? "").split("\n").slice(1);
  error.stack = [String(error), ...frames].join("\n");
  return error;
}
