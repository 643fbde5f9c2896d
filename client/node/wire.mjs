// Request, publish, submit and subscribe over nats.js, each within its deadline and each truthful.
//
// nats.js counts headers and body against `max_payload`, and its flush is a PING that follows
// what was published before it: its PONG proves that the broker has that. A flush whose connection
// breaks is refused, so nobody believes the PONG of another connection. `link.mjs` has the rest.

import { jetstream, JetStreamApiError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  DrainingConnectionError,
  headers as natsHeaders,
  InvalidArgumentError,
  InvalidSubjectError,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
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
import { decode } from "./json.mjs";
import { Link } from "./link.mjs";
import { checkPublishSubject, checkSubscribeSubject, excerpt, isWellFormed } from "./subjects.mjs";

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
 * `Nats-Msg-Id` was stored shortly before, and this one was not.
 *
 * @typedef {{ stream: string, sequence: number, duplicate: boolean }} Ack
 */

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** A message to publish, with its subject and headers checked. */
export class Outgoing {
  /**
   * @param {string} subject
   * @param {Uint8Array} [payload]
   * @param {Record<string, readonly string[]>} [headers] values by name; a name may have several
   */
  constructor(subject, payload = new Uint8Array(), headers = {}) {
    this.subject = checkPublishSubject(subject);
    this.payload = payload;
    this.headers = natsHeaders();
    for (const [name, values] of Object.entries(headers)) {
      if (!HEADER_NAME.test(name)) {
        throw new BadInput(`header name ${excerpt(name)} has a character it cannot have`);
      }
      for (const value of values) {
        if (/\p{Cc}/u.test(value)) {
          throw new BadInput(`the value of header ${name} is not one line without control characters`);
        }
        if (!isWellFormed(value)) {
          throw new BadInput(`the value of header ${name} is not valid Unicode`);
        }
        this.headers.append(name, value);
      }
    }
  }

  /** The headers as nats.js takes them. */
  natsHeaders() {
    return [...this.headers.keys()].length === 0 ? undefined : this.headers;
  }
}

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
  const options = { timeout: Math.max(1, deadline.left()), headers: message.natsHeaders() };
  const seen = link.denials;
  try {
    return await nc.request(message.subject, message.payload, options);
  } catch (error) {
    if (error instanceof TimeoutError) {
      link.checkPermission(message.subject, seen);
    }
    throw translated(error, `request to ${message.subject}`, deadline);
  }
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
    headers?.get("Mono-Error") === "true" ||
    headers?.has("Nats-Service-Error") ||
    headers?.has("Nats-Service-Error-Code");
  if (failed) {
    throw serviceError(reply);
  }
  return decode(reply.data);
}

/**
 * The headers of a message; nats.js decodes them only here, and throws its own error on some.
 *
 * @param {Msg} message
 */
export function readHeaders(message) {
  try {
    return message.headers;
  } catch (cause) {
    const what = `a message came on ${message.subject}, and its headers cannot be read`;
    throw new BadReply(`${what}: ${String(cause)}`, { cause });
  }
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
    throw translated(error, what, deadline);
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
export async function submit(nc, message, { timeout = DEFAULT_TIMEOUT } = {}) {
  const deadline = new Deadline(timeout);
  const link = Link.of(nc);
  await link.ready(deadline);
  const options = { timeout: Math.max(1, deadline.left()), headers: message.natsHeaders() };
  const seen = link.denials;
  try {
    const ack = await jetstream(nc).publish(message.subject, message.payload, options);
    if (typeof ack?.stream !== "string" || !Number.isInteger(ack.seq)) {
      throw new BadReply(`this is no acknowledgement of a stream: ${excerpt(ack)}`);
    }
    return { stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate === true };
  } catch (error) {
    if (error instanceof TimeoutError) {
      link.checkPermission(message.subject, seen);
    }
    const what = `submit to ${message.subject}`;
    const translation = translated(error, what, deadline);
    if (translation instanceof NoResponders) {
      const text = `${what}: no stream stores it, or JetStream is not ready`;
      throw new NoStream(text, { cause: error });
    }
    throw translation;
  }
}

/**
 * Subscribes; once it returns, the broker delivers to `handler` what anyone publishes.
 *
 * @param {NatsConnection} nc
 * @param {string} subject may have wildcards
 * @param {(message: Msg) => void} handler
 * @param {Timeout & { queueGroup?: string }} [options]
 * @returns {Promise<Subscription>}
 */
export async function subscribe(nc, subject, handler, options = {}) {
  const deadline = new Deadline(options.timeout ?? DEFAULT_TIMEOUT);
  const what = `subscribe to ${excerpt(subject)}`;
  checkSubscribeSubject(subject);
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
    link.checkPermission(subject, seen);
    return subscription;
  } catch (error) {
    subscription.unsubscribe();
    throw translated(error, what, deadline);
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
 * @param {Deadline} deadline
 * @returns {ClientError}
 */
function translated(error, what, deadline) {
  if (error instanceof ClientError) {
    return error;
  }
  const text = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  // A request that failed carries why in its cause, and JetStream wraps it once more.
  const causes = [error];
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    causes.push(cause.cause);
  }
  /** @param {...(abstract new (...args: any[]) => unknown)} classes */
  const is = (...classes) => causes.some((cause) => classes.some((c) => cause instanceof c));
  if (error instanceof JetStreamApiError) {
    return new PublishRefused(error.status, error.code, text);
  }
  if (is(NoRespondersError)) {
    return new NoResponders(`${what}: nobody listens there`, options);
  }
  if (is(TimeoutError)) {
    return new RequestTimeout(`${what}: no reply within ${deadline}`, options);
  }
  if (is(PermissionViolationError)) {
    return new PermissionDenied(`${what}: ${text}`, options);
  }
  if (is(InvalidArgumentError) && text.includes("max_payload")) {
    return new PayloadTooLarge(`${what}: ${text}`, options);
  }
  if (is(InvalidArgumentError, InvalidSubjectError)) {
    return new BadInput(`${what}: ${text}`, options);
  }
  if (is(SyntaxError)) {
    return new BadReply(`${what}: the answer is not JSON`, options);
  }
  const definite = is(ClosedConnectionError, DrainingConnectionError);
  return new ConnectionFailed(`${what}: ${text}`, { definite, cause: error });
}

/**
 * @param {Msg} reply
 * @returns {ServiceError}
 */
function serviceError({ headers, data }) {
  let reason = headers?.get("Mono-Error-Message") || headers?.get("Nats-Service-Error");
  if (!reason) {
    try {
      reason = String(decode(data).reply.error ?? "the service gave no reason");
    } catch {
      reason = "the service gave no reason";
    }
  }
  const code = headers?.get("Nats-Service-Error-Code") ?? "";
  const number = /^[0-9]{3}$/.test(code) ? Number(code) : 500;
  return new ServiceError(number, reason, headers?.get("Mono-Error-Type") ?? "");
}
