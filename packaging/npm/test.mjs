// Brokers, services and faults for tests: real nats-servers, gone when this process is.

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

import { MonoDemoError, Pipe, program } from "./pipe.mjs";

export { MonoDemoError };

/** @type {Promise<Pipe> | undefined} */
let shared;

/** One `mono-demo control` for all that this process starts. */
function pipe() {
  shared ??= (async () => {
    const started = new Pipe();
    await started.greet();
    return started;
  })();
  return shared;
}

/** What all handles have in common. */
class Handle {
  /** @type {Pipe} */ _pipe;

  /** @param {Pipe} pipe @param {string} name */
  constructor(pipe, name) {
    this._pipe = pipe;
    this.name = name;
  }

  /** @param {string} kind @param {Record<string, unknown>} [fields] @returns {Promise<any>} */
  _fault(kind, fields = {}) {
    return this._pipe.call("fault", { of: this.name, fault: { kind, ...fields } });
  }

  async stop() {
    const { stopped } = await this._pipe.call("stop", { of: this.name });
    return stopped[0].how;
  }

  async [Symbol.asyncDispose]() {
    try {
      await this.stop();
    } catch (error) {
      // It was stopped before.
      if (!(error instanceof MonoDemoError && error.kind === "no_such")) throw error;
    }
  }

  /** The last lines of its log. */
  async log() {
    const { logs } = await this._pipe.call("logs", { of: this.name });
    return logs.flatMap((/** @type {{ lines: string[] }} */ one) => one.lines);
  }
}

/** What clients connect to. */
class Connectable extends Handle {
  /** @param {Pipe} pipe @param {Record<string, any>} answer */
  constructor(pipe, answer) {
    super(pipe, answer.name);
    this.url = answer.url;
    this.user = answer.user;
    this.password = answer.password;
  }

  /** What nats.js is given to connect. */
  get options() {
    const servers = this.url.split(",").map((/** @type {string} */ url) => url.replace(/\/\/[^@/]*@/, "//"));
    return this.user === undefined ? { servers } : { servers, user: this.user, pass: this.password };
  }

  /** @param {Record<string, unknown>} config */
  stream(config) {
    return this._pipe.call("stream.create", { of: this.name, config });
  }

  /** @param {string} bucket @param {Record<string, unknown>} [more] */
  bucket(bucket, more = {}) {
    return this._pipe.call("kv.create", { of: this.name, bucket, ...more });
  }

  async proxy(settings = {}) {
    const answer = await this._pipe.call("proxy.start", { of: this.name, ...settings });
    return new Proxy(this._pipe, { ...answer, user: this.user, password: this.password });
  }

  /** @param {Record<string, unknown>} promises @param {{ name?: string, dir?: string }} [more] */
  async history(promises, { name, dir = "." } = {}) {
    const begun = { of: this.name, promises, name, dir: resolve(dir) };
    return new History(this._pipe, (await this._pipe.call("history.begin", begun)).name);
  }

  leaks() {
    return this._pipe.call("leaks", { of: this.name });
  }

  /** @param {string[]} run @param {Record<string, any>} [more] */
  async start(run, more = {}) {
    const cwd = resolve(more["cwd"] ?? ".");
    return new Service(this._pipe, await this._pipe.call("service.start", { run, of: this.name, ...more, cwd }));
  }
}

/** Errors of nats.js after which nothing has happened: nobody was asked, or it was refused. */
const DEFINITE = new Set(["NoRespondersError", "JetStreamApiError", "InvalidSubjectError", "503"]);

/** @param {any} error @returns {boolean} */
const isDefinite = (error) =>
  error != null && (DEFINITE.has(error.name) || DEFINITE.has(String(error.code)) || isDefinite(error.cause));

/** What was promised was not kept, or cannot be told. */
export class BrokenPromise extends Error {
  /** @param {any} verdict */
  constructor(verdict) {
    super(`the history is ${verdict.verdict}\n${verdict.report}`);
    this.name = "BrokenPromise";
    this.verdict = verdict;
  }
}

class History extends Handle {
  /** @type {any} */ submit = this.#around.bind(this, "submit");
  /** @type {any} */ request = this.#around.bind(this, "request");
  /** @type {any} */ publish = this.#around.bind(this, "publish");

  /**
   * @param {string} verb @param {string} subject @param {any} body @param {() => any} does
   * @param {Record<string, any>} [more]
   */
  async #around(verb, subject, body, does, more = {}) {
    const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const payload_base64 = Buffer.from(bytes).toString("base64");
    const invoked = { of: this.name, verb, subject, payload_base64, ...more };
    const { operation } = await this._pipe.call("history.invoke", invoked);
    const end = (/** @type {string} */ outcome, /** @type {Record<string, any>} */ how) =>
      this._pipe.call("history.end", { of: this.name, operation, outcome, ...how });
    let value;
    try {
      value = await does();
    } catch (error) {
      await end(isDefinite(error) ? "fail" : "unknown", { reason: String(error) });
      throw error;
    }
    const stored = typeof value?.seq === "number";
    await end("ok", stored ? { sequence: value.seq, duplicate: value.duplicate === true } : {});
    return value;
  }

  #isOver = false;

  /** @param {{ into?: string }} [how] */
  async judge({ into } = {}) {
    const verdict = await this._pipe.call("history.judge", { of: this.name, into: into && resolve(into) });
    this.#isOver = true; // what could not be judged can be judged again
    return verdict;
  }

  async stop() {
    this.#isOver = true;
    return super.stop();
  }

  async [Symbol.asyncDispose]() {
    if (!this.#isOver) await this.mustHold();
  }

  /** @param {{ into?: string }} [how] */
  async mustHold(how) {
    const verdict = await this.judge(how);
    if (verdict.verdict !== "valid") throw new BrokenPromise(verdict);
    return verdict;
  }
}

class Account extends Connectable {}

class Broker extends Connectable {
  /** @param {Pipe} pipe @param {Record<string, any>} answer */
  constructor(pipe, answer) {
    super(pipe, answer);
    this.port = answer.port;
    this.pid = answer.pid;
    this.version = answer.version;
  }

  kill = () => this._fault("kill").then(() => {});
  shutDown = () => this._fault("stop").then(() => {});
  pause = () => this._fault("pause").then(() => {});
  resume = () => this._fault("resume").then(() => {});
  lameDuck = () => this._fault("lame-duck").then(() => {});

  async restart() {
    this.pid = (await this._fault("restart")).pid;
  }

  /** @param {string} [name] */
  async account(name) {
    return new Account(this._pipe, await this._pipe.call("account.create", { of: this.name, name }));
  }

  /** @param {string} into */
  async keep(into) {
    await this._pipe.call("keep", { of: this.name, into: resolve(into) });
  }
}

class Cluster extends Connectable {
  kill = (/** @type {number} */ node) => this._fault("kill", { node }).then(() => {});
  shutDown = (/** @type {number} */ node) => this._fault("stop", { node }).then(() => {});
  restart = (/** @type {number} */ node) => this._fault("restart", { node }).then(() => {});
  pause = (/** @type {number} */ node) => this._fault("pause", { node }).then(() => {});
  resume = (/** @type {number} */ node) => this._fault("resume", { node }).then(() => {});
  wipe = (/** @type {number} */ node) => this._fault("wipe", { node }).then(() => {});
  isolate = (/** @type {number} */ node) => this._fault("isolate", { node }).then(() => {});
  killLeader = (/** @type {string} */ stream) => this._fault("kill-leader", { stream }).then((it) => it.nodes[0]);
  loseQuorum = () => this._fault("lose-quorum").then((it) => it.nodes);
  heal = () => this._fault("heal").then(() => {});
}

class Service extends Handle {
  /** @param {Pipe} pipe @param {Record<string, any>} answer */
  constructor(pipe, answer) {
    super(pipe, answer.name);
    this.pid = answer.pid;
  }

  kill = () => this._fault("kill").then(() => {});
  shutDown = () => this._fault("stop").then(() => {});
  pause = () => this._fault("pause").then(() => {});
  resume = () => this._fault("resume").then(() => {});

  async restart() {
    this.pid = (await this._fault("restart")).pid;
  }
}

/** @param {string} message @param {Record<string, unknown>} [which] */
const messages = (message, which = {}) => ({ messages: { message, ...which } });

class Proxy extends Connectable {
  delay = (/** @type {number} */ latency_ms, jitter_ms = 0) => this._fault("delay", { latency_ms, jitter_ms }).then(() => {});
  cut = () => this._fault("cut").then(() => {});
  cutAfter = (/** @type {number} */ bytes, /** @type {string} */ direction) =>
    this._fault("cut-after", { bytes, direction }).then(() => {});
  chop = (/** @type {number} */ bytes, /** @type {number} */ pause_ms) => this._fault("chop", { bytes, pause_ms }).then(() => {});
  blackhole = () => this._fault("blackhole").then(() => {});
  halfOpen = (/** @type {string} */ direction) => this._fault("half-open", { direction }).then(() => {});
  refuse = () => this._fault("refuse").then(() => {});
  heal = () => this._fault("heal-network").then(() => {});
  lose = (/** @type {string} */ message, which = {}) => this._fault("lose", messages(message, which)).then(() => {});
  duplicate = (/** @type {string} */ message, which = {}) => this._fault("duplicate", messages(message, which)).then(() => {});
  late = (/** @type {string} */ message, /** @type {number} */ by_ms, which = {}) =>
    this._fault("late", { by_ms, ...messages(message, which) }).then(() => {});
  swap = (/** @type {string} */ message, which = {}) => this._fault("swap", messages(message, which)).then(() => {});
  disconnect = (/** @type {string} */ message, /** @type {string} */ moment, which = {}) =>
    this._fault("disconnect", { moment, ...messages(message, which) }).then(() => {});
}

export async function startBroker({ name, ...settings } = /** @type {Record<string, any>} */ ({})) {
  const started = await pipe();
  for (const folder of ["store", "store_from"]) {
    if (settings[folder]) settings[folder] = resolve(settings[folder]);
  }
  return new Broker(started, await started.call("broker.start", { name, settings }));
}

export async function startCluster({ name, nodes = 3, partitions, ...settings } = /** @type {Record<string, any>} */ ({})) {
  const started = await pipe();
  return new Cluster(started, await started.call("cluster.start", { name, nodes, partitions, settings }));
}

/** Ends all at once; whoever starts something afterwards starts anew. */
export async function stopAll() {
  const running = shared;
  shared = undefined;
  await (await running?.catch(() => undefined))?.close();
}

/**
 * One test for each scenario of a suite.
 *
 * @param {(name: string, body: () => void | Promise<void>) => unknown} test
 * @param {string} suite
 * @param {string[]} more
 */
export function scenarios(test, suite, ...more) {
  const run = (/** @type {string[]} */ ...args) => {
    const done = spawnSync(program(), ["e2e", suite, ...args, ...more], { encoding: "utf8" });
    if (done.error) throw new MonoDemoError(`cannot start ${program()}: ${done.error.message}`);
    return done;
  };
  const listed = run("--list", "--json");
  if (listed.status !== 0) throw new MonoDemoError(`e2e ${suite} --list: ${listed.stderr.trim()}`);
  for (const { name } of JSON.parse(listed.stdout).scenarios) {
    test(name, () => {
      const done = run(name);
      if (done.status !== 0) throw new MonoDemoError(`${done.stdout}${done.stderr}`.trim());
    });
  }
}
