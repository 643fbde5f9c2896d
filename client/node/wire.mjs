// Request, publish, submit and subscribe over nats.js, each within its deadline and each truthful.
//
// nats.js counts headers and body against `max_payload`, and its flush is a PING that follows
// what was published before it: its PONG proves that the broker has that. A flush whose connection
// breaks is refused, so nobody believes the PONG of another connection. `link.mjs` has the rest.

import {
  ClosedConnectionError,
  createInbox,
  DrainingConnectionError,
  InvalidArgumentError,
  InvalidSubjectError,
  PermissionViolationError,
} from "@nats-io/nats-core";
import { Deadline, LATE } from "./deadline.mjs";
import {
  BadInput,
  BadReply,
  ClientError,
  ConnectionFailed,
  NoResponders,
  NoStream,
  PayloadTooLarge,
  PermissionDenied,
  PublishRefused,
  RequestTimeout,
  ServiceError,
} from "./errors.mjs";
import { isNoResponders, readHeaders } from "./headers.mjs";
import { decode, numberToken } from "./json.mjs";
import { Link } from "./link.mjs";
import { Outgoing } from "./outgoing.mjs";
import { checkQueueGroup, checkSubscribeSubject, excerpt } from "./subjects.mjs";

/** @typedef {import("@nats-io/nats-core").Msg} Msg */
/** @typedef {import("@nats-io/nats-core").NatsConnection} NatsConnection */
/** @typedef {import("@nats-io/nats-core").Subscription} Subscription */

/** How long a call may take where the caller does not say, in milliseconds. */
export const DEFAULT_TIMEOUT = 5000;

/**
 * How long a call may take, in milliseconds.
 *
 * @typedef {{ timeout?: number }} Timeout
 */

/**
 * JetStream's word that a message is stored.
 *
 * `sequence` is that of the first one where it is a duplicate: a message with the same
 * `Nats-Msg-Id` was stored shortly before, and this one was not. It is a bigint where a number does
 * not hold it.
 *
 * @typedef {{ stream: string, sequence: number | bigint, duplicate: boolean }} Ack
 */

/**
 * Asks, and returns the reply as it came, also one that carries an error.
 *
 * @param {NatsConnection} nc
 * @param {Outgoing} message
 * @param {Timeout} [options]
 * @returns {Promise<Msg>}
 */
export async function request(nc, message, { timeout = DEFAULT_TIMEOUT } = {}) {
  const deadline = new Deadline(timeout);
  const link = Link.of(nc);
  await link.ready(deadline);
  const what = `request to ${message.subject}`;
  const inbox = createInbox(/** @type {any} */ (nc).options?.inboxPrefix);
  const watch = link.watch(message.subject, inbox, what);
  /** @type {() => void} */
  let giveUp = () => {};
  try {
    const answer = asked(nc, message, inbox, (end) => (giveUp = end));
    const reply = await deadline.bound(Promise.race([answer, watch.denied]));
    if (reply !== LATE) {
      return checkAnswered(reply, what);
    }
  } catch (error) {
    throw translated(error, what);
  } finally {
    giveUp();
    watch.end();
  }
  throw new RequestTimeout(`${what}: no reply within ${deadline}`);
}

/**
 * The first reply, whatever its status, to an inbox of its own: nats.js takes each one with status
 * 503 and no body for the server's own, and throws in the middle of its parser where that one's
 * headers cannot be read.
 *
 * @param {NatsConnection} nc
 * @param {Outgoing} message
 * @param {string} inbox
 * @param {(giveUp: () => void) => void} begun is told how to end it
 * @returns {Promise<Msg>}
 */
function asked(nc, message, inbox, begun) {
  return new Promise((resolve, reject) => {
    const subscription = nc.subscribe(inbox, {
      max: 1,
      callback: (error, reply) => (error === null ? resolve(reply) : reject(error)),
    });
    begun(() => subscription.unsubscribe());
    void subscription.closed.then(() => {
      const text = `request to ${message.subject}: the connection was closed`;
      reject(new ConnectionFailed(text, { definite: false }));
    });
    nc.publish(message.subject, message.payload, { reply: inbox, headers: message.natsHeaders() });
  });
}

/**
 * The reply, unless it is the server's word that nobody listens.
 *
 * @param {Msg} reply
 * @param {string} what
 */
function checkAnswered(reply, what) {
  if (reply.data.length === 0 && isNoResponders(readHeaders(reply), reply.data)) {
    throw new NoResponders(`${what}: nobody listens there`);
  }
  return reply;
}

/**
 * Asks a service, and returns its reply: a JSON object, and the text it was read from.
 *
 * @param {NatsConnection} nc
 * @param {string} subject
 * @param {Uint8Array} payload
 * @param {Timeout} [options]
 */
export async function ask(nc, subject, payload, options) {
  const reply = await request(nc, new Outgoing(subject, payload), options);
  const headers = readHeaders(reply);
  const failed =
    headers.get("Mono-Error") === "true" ||
    headers.has("Nats-Service-Error") ||
    headers.has("Nats-Service-Error-Code");
  if (failed) {
    throw serviceError(headers, reply.data);
  }
  return decode(reply.data);
}

/**
 * Publishes all or, where one of them is too large, none; returns once the broker has them.
 *
 * @param {NatsConnection} nc
 * @param {readonly Outgoing[]} messages
 * @param {Timeout} [options]
 */
export async function publish(nc, messages, { timeout = DEFAULT_TIMEOUT } = {}) {
  const deadline = new Deadline(timeout);
  const link = Link.of(nc);
  await link.ready(deadline);
  for (const message of messages) {
    checkSize(nc, message);
  }
  const seen = link.denials;
  const what = `publish to ${messages.map((message) => message.subject).slice(0, 3).join(", ")}`;
  try {
    // In one turn with the flush: no reconnect can come in between.
    for (const message of messages) {
      nc.publish(message.subject, message.payload, { headers: message.natsHeaders() });
    }
    await barrier(nc, what, deadline);
  } catch (error) {
    throw translated(error, what);
  }
  for (const message of messages) {
    link.checkPermission(message.subject, seen);
  }
}

/**
 * Publishes to JetStream, and returns its acknowledgement.
 *
 * @param {NatsConnection} nc
 * @param {Outgoing} message
 * @param {Timeout} [options]
 * @returns {Promise<Ack>}
 */
export async function submit(nc, message, options) {
  let answer;
  try {
    answer = await request(nc, message, options);
  } catch (error) {
    if (error instanceof NoResponders) {
      const text = `no stream stores ${message.subject}, or JetStream is not ready`;
      throw new NoStream(text, { cause: error });
    }
    throw error;
  }
  readHeaders(answer);
  const { reply, text } = decode(answer.data);
  const { stream, error } = reply;
  const duplicate = reply.duplicate ?? false;
  if (typeof error === "object" && error !== null && !Array.isArray(error)) {
    const { code, err_code, description } = /** @type {Record<string, unknown>} */ (error);
    const words = description ?? "";
    if (typeof words === "string") {
      throw new PublishRefused(Number(code), Number(err_code), words || "JetStream gave no reason");
    }
  }
  const sequence = sequenceOf(numberToken(text, "seq") ?? "");
  const named = typeof stream === "string" && stream !== "";
  const whole = named && sequence !== undefined && typeof duplicate === "boolean";
  if (!whole || (error ?? null) !== null) {
    throw new BadReply(`this is no acknowledgement of a stream: ${excerpt(text)}`);
  }
  return { stream, sequence, duplicate };
}

/** The sequence that is written so; undefined where that is none. @param {string} digits */
function sequenceOf(digits) {
  const exact = /^[1-9][0-9]{0,19}$/.test(digits) ? BigInt(digits) : 0n;
  if (exact < 1n || exact >= 1n << 64n) {
    return undefined;
  }
  return exact > Number.MAX_SAFE_INTEGER ? exact : Number(exact);
}

/**
 * Subscribes; once it returns, the broker delivers to `handler` what anyone publishes.
 *
 * @param {NatsConnection} nc
 * @param {string} subject may have wildcards; throws BadInput where it or the queue group cannot be
 * @param {(message: Msg) => void} handler
 * @param {Timeout & { queueGroup?: string }} [options]
 * @returns {Promise<Subscription>}
 */
export async function subscribe(nc, subject, handler, options = {}) {
  const deadline = new Deadline(options.timeout ?? DEFAULT_TIMEOUT);
  const what = `subscribe to ${excerpt(subject)}`;
  checkSubscribeSubject(subject);
  if (options.queueGroup !== undefined && options.queueGroup !== "") {
    checkQueueGroup(options.queueGroup);
  }
  const link = Link.of(nc);
  await link.ready(deadline);
  const seen = link.denials;
  const subscription = nc.subscribe(subject, {
    queue: options.queueGroup,
    callback: (error, message) => {
      if (error === null) {
        handler(message);
      }
    },
  });
  try {
    for (;;) {
      try {
        await barrier(nc, what, deadline);
        break;
      } catch (error) {
        if (!(error instanceof ConnectionFailed)) {
          throw error;
        }
        // It comes back with the subscription in it; only the proof is to be had again.
        await link.ready(deadline);
      }
    }
    link.checkPermission(subject, seen, { subscribes: true });
    return subscription;
  } catch (error) {
    subscription.unsubscribe();
    throw translated(error, what);
  }
}

/**
 * Returns once the broker has handled all that was sent before, and what it said of it is known.
 *
 * @param {NatsConnection} nc
 * @param {string} what
 * @param {Deadline} deadline
 */
async function barrier(nc, what, deadline) {
  let done;
  try {
    done = await deadline.bound(nc.flush());
  } catch (error) {
    const message = `${what}: the connection broke on the way`;
    throw new ConnectionFailed(message, { definite: false, cause: error });
  }
  if (done === LATE) {
    throw new RequestTimeout(`${what}: the broker did not confirm it within ${deadline}`);
  }
  // What the server said before its PONG reaches the link's watcher in this turn.
  await new Promise(setImmediate);
}

/**
 * @param {NatsConnection} nc
 * @param {Outgoing} message
 */
function checkSize(nc, message) {
  const headers = message.natsHeaders() === undefined ? "" : message.headers.toString();
  const size = message.payload.length + Buffer.byteLength(headers);
  const limit = nc.info?.max_payload ?? Infinity;
  if (size > limit) {
    throw new PayloadTooLarge(`${size} bytes for ${message.subject}, the server accepts ${limit}`);
  }
}

/**
 * The error of nats.js in our terms.
 *
 * @param {unknown} error
 * @param {string} what
 * @returns {ClientError}
 */
function translated(error, what) {
  if (error instanceof ClientError) {
    return error;
  }
  const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  const options = { cause: error };
  if (error instanceof PermissionViolationError) {
    const denied = new PermissionDenied(message, options);
    // nats.js says so to the inbox of an answer alone: the request may have happened.
    denied.definite = false;
    return denied;
  }
  if (error instanceof InvalidArgumentError && message.includes("max_payload")) {
    return new PayloadTooLarge(message, options);
  }
  if (error instanceof InvalidArgumentError || error instanceof InvalidSubjectError) {
    return new BadInput(message, options);
  }
  const definite = error instanceof ClosedConnectionError || error instanceof DrainingConnectionError;
  return new ConnectionFailed(message, { definite, cause: error });
}

/**
 * @param {import("./headers.mjs").Headers} headers
 * @param {Uint8Array} body
 * @returns {ServiceError}
 */
function serviceError(headers, body) {
  let reason = headers.get("Mono-Error-Message") || headers.get("Nats-Service-Error");
  if (!reason) {
    try {
      const { error } = decode(body).reply;
      reason = typeof error === "string" ? error : "";
    } catch {
      // A body that is no JSON object has no reason either.
    }
  }
  const code = headers.get("Nats-Service-Error-Code");
  const number = /^[0-9]{3}$/.test(code) ? Number(code) : 500;
  return new ServiceError(number, reason || "the service gave no reason", headers.get("Mono-Error-Type"));
}
