/** Brokers, services and faults for tests: real nats-servers, gone when this process is. */

/** What is wanted of a broker; all may be left out. */
export interface Settings {
  name?: string;
  /** Whether there is JetStream; true if left out. */
  jetstream?: boolean;
  port?: number;
  user?: string;
  password?: string;
  token?: string;
  tls?: { cert: string; key: string; ca?: string };
  /** Whether accounts can be added while it runs, by `account()`. */
  accounts?: boolean;
  /** More lines for the config file, in nats-server's language. */
  config?: string;
  max_payload?: number;
  /** A folder that keeps its messages. */
  store?: string;
  /** A store folder that it begins with a copy of. */
  store_from?: string;
  ready_within_ms?: number;
}

export interface ServiceSettings {
  name?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** How it is seen to be ready; at once if left out. */
  ready?: { line: string } | { port: number } | { http: string } | { subject: string } | { service: string };
  ready_within_ms?: number;
  stop_within_ms?: number;
}

/** What a message is to those who speak. */
export type Message = "publish" | "pub-ack" | "delivery" | "ack" | "nak" | "reply";

/** Which messages; all that is said must hold, and without a word it is the next one. */
export interface Which {
  subject?: string;
  header?: string;
  body?: string;
  nth?: number;
  every?: number;
  times?: number;
}

export type Direction = "to-server" | "to-client";

export interface Leaks {
  connections: { name: string; user: string; subscriptions: string[] }[];
  consumers: { stream: string; name: string; unacknowledged: number; pending: number; in_use: boolean }[];
}

/** What came of one promise. */
export interface Judged {
  name: string;
  verdict: "valid" | "invalid" | "unknown";
  /** How many things it was held against. */
  looked_at: number;
  /** Where it is broken, or what is not known: sentences. */
  told: string[];
}

/** What came of a history. */
export interface Verdict {
  /** `unknown` proves nothing. */
  verdict: "valid" | "invalid" | "unknown";
  /** For people: each promise, its evidence, and the figures. */
  report: string;
  /** What was declared, by its name. */
  declared: Record<string, Judged>;
  /** What every history promises, as `replies`, by its word. */
  properties: Record<string, Judged>;
  /** Both, one after the other: a promise may have the name of a property, as `order`. */
  promises: Judged[];
  /** As `acknowledged`, `done`, `lost` and `twice`. */
  figures: Record<string, unknown>;
  /** What did no harm and will. */
  hazards: { name: string; seen: string; leads_to: string; remedy: string; manual: string }[];
  /** Why nobody looked for hazards, where nobody could. */
  no_hazards?: string;
}

/** What was promised was not kept, or cannot be told; the message is the whole report. */
export class BrokenPromise extends Error {
  readonly verdict: Verdict;
}

/**
 * Notes an operation around the client's own call, `does`, and returns what that returns. What has a `seq`, as
 * an acknowledgement of JetStream, is on record with it; an error after which nothing has happened, as no
 * responders, is a failure, and after any other it may have happened.
 */
type Noted = <T>(
  subject: string,
  body: unknown,
  does: () => T | Promise<T>,
  more?: { headers?: Record<string, string[]>; client?: string },
) => Promise<T>;

interface Handle extends AsyncDisposable {
  readonly name: string;
  /** Stops it in order; says how it ended: `orderly`, or as `exit status 1`. */
  stop(): Promise<string>;
  /** The last lines of its log. */
  log(): Promise<string[]>;
}

interface Connectable extends Handle {
  /** Where clients connect, with what they must show; the same after a restart. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** For nats.js: `connect({ ...broker.options })`. */
  readonly options: { servers: string[]; user?: string; pass?: string };
  /** Creates a stream; its configuration is JetStream's own. */
  stream(config: { name: string; subjects?: string[]; [key: string]: unknown }): Promise<unknown>;
  /** Creates a key-value bucket. */
  bucket(name: string, more?: { history?: number; ttl_ms?: number; replicas?: number }): Promise<unknown>;
  /** A network in front of it that can be broken. */
  proxy(settings?: { name?: string; port?: number; seed?: number }): Promise<Proxy>;
  /** Begins a history; promises are tables as `[promise.NAME]` of a suite, by name. */
  history(promises: Record<string, unknown>, more?: { name?: string; dir?: string }): Promise<History>;
  /** What clients hold there. */
  leaks(): Promise<Leaks>;
  /** Starts a program whose `NATS_URL` leads here, and resolves once it is ready. */
  start(run: string[], more?: ServiceSettings): Promise<Service>;
}

/**
 * What a test does with a broker, and what is promised of it; faults are on record by themselves. With
 * `await using`, one that was not judged must hold at the end of its block; without, nobody judges it.
 */
export interface History extends Handle {
  /** A JetStream publish that waits for its acknowledgement. */
  submit: Noted;
  /** A request that waits for its reply. */
  request: Noted;
  /** A core publish. */
  publish: Noted;
  /** Waits until what was promised is there or too late, and judges, once; `into` is a file that keeps it. */
  judge(how?: { into?: string }): Promise<Verdict>;
  /** The same, and throws `BrokenPromise` unless it is valid. */
  mustHold(how?: { into?: string }): Promise<Verdict>;
}

/** Subjects and streams of its own, in a broker that others use too. */
export interface Account extends Connectable {}

/** A nats-server of one's own. */
export interface Broker extends Connectable {
  readonly port: number;
  /** Its process; another one after a restart. */
  readonly pid: number;
  /** The version of nats-server, as `2.15.1`. */
  readonly version: string;
  /** SIGKILL; it stays away until `restart`. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end; it stays away until `restart`. */
  shutDown(): Promise<void>;
  /** Starts it again, on the same port and store. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** It sends its clients away and ends; it stays away until `restart`. */
  lameDuck(): Promise<void>;
  /** An account of its own, where the broker was started with `accounts: true`. */
  account(name?: string): Promise<Account>;
  /** Copies log and store into a folder that stays. */
  keep(into: string): Promise<void>;
}

/** Several nats-servers that replicate each other's streams; nodes are counted from 0. */
export interface Cluster extends Connectable {
  kill(node: number): Promise<void>;
  shutDown(node: number): Promise<void>;
  restart(node: number): Promise<void>;
  pause(node: number): Promise<void>;
  resume(node: number): Promise<void>;
  /** SIGKILL to a node, which loses its disk. */
  wipe(node: number): Promise<void>;
  /** Cuts a node off from the others until `heal`; the cluster was started with `partitions: true`. */
  isolate(node: number): Promise<void>;
  /** SIGKILL to the node that leads a stream; says which. */
  killLeader(stream: string): Promise<number>;
  /** SIGKILL to as many nodes as leave less than a majority; says which. */
  loseQuorum(): Promise<number[]>;
  /** All nodes are up again and have caught up. */
  heal(): Promise<void>;
}

/** A program that runs beside a broker. */
export interface Service extends Handle {
  readonly pid: number;
  kill(): Promise<void>;
  shutDown(): Promise<void>;
  restart(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** A network in front of a broker; faults stay until `heal`. */
export interface Proxy extends Connectable {
  delay(latency_ms: number, jitter_ms?: number): Promise<void>;
  cut(): Promise<void>;
  cutAfter(bytes: number, direction: Direction): Promise<void>;
  chop(bytes: number, pause_ms: number): Promise<void>;
  blackhole(): Promise<void>;
  halfOpen(direction: Direction): Promise<void>;
  refuse(): Promise<void>;
  heal(): Promise<void>;
  lose(message: Message, which?: Which): Promise<void>;
  duplicate(message: Message, which?: Which): Promise<void>;
  late(message: Message, by_ms: number, which?: Which): Promise<void>;
  swap(message: Message, which?: Which): Promise<void>;
  disconnect(message: Message, moment: "before" | "after", which?: Which): Promise<void>;
}

/** Something was not done; the text says what, why, and what to do about it. */
export class MonoDemoError extends Error {
  readonly kind: "protocol" | "bad_input" | "no_such" | "failed";
  readonly hint?: string;
  readonly log: string[];
}

/** Starts a nats-server, and resolves once a client was served by it. */
export function startBroker(settings?: Settings): Promise<Broker>;

/** Starts several that replicate each other's streams, 3 if not told otherwise. */
export function startCluster(settings?: Settings & { nodes?: number; partitions?: boolean }): Promise<Cluster>;

/** Ends all that this process has started, at once. Without it that happens when the process ends. */
export function stopAll(): Promise<void>;

/** One test for each scenario of a suite of `mono-demo e2e`; `test` is that of your test runner. */
export function scenarios(
  test: (name: string, body: () => void | Promise<void>) => unknown,
  suite: string,
  ...more: string[]
): void;
