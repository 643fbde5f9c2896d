// One connection, and the commands that run over it.

import { readFileSync } from "node:fs";
import { Deadline, LATE } from "../deadline.mjs";
import { BadInput, ClientError, ConnectionFailed, RequestTimeout, ServiceError } from "../errors.mjs";
import { readHeaders } from "../headers.mjs";
import { stringify } from "../json.mjs";
import { excerpt } from "../subjects.mjs";
import { publish, request, submit, subscribe } from "../wire.mjs";
import { bind, method } from "./calls.mjs";
import { connect, drain } from "./connection.mjs";
import { parse } from "./fields.mjs";
import { Inbox } from "./inbox.mjs";
import { lines } from "./lines.mjs";

/** @typedef {import("./fields.mjs").Fields} Fields */
/** @typedef {import("../wire.mjs").Msg} Msg */
/** @typedef {import("../wire.mjs").NatsConnection} NatsConnection */

const PROTOCOL_VERSION = 1;
/** How long what is in hand may take at the end of input, in milliseconds. */
const END_TIMEOUT = 3000;

/** The exit status where commands cannot be read, or replies cannot be written. */
export const BROKEN = 3;

/** This driver cannot do it; the text says why. */
class Skipped extends Error {}

/** No message of a subscription in time; one that comes later is still there to be taken. */
class NothingCame extends RequestTimeout {
  definite = true;
}

/** Answers commands until the input ends. */
export class Driver {
  #write;
  /** @type {Promise<NatsConnection> | undefined} */
  #connected;
  /** @type {Map<number, Inbox>} */
  #inboxes = new Map();
  #lastSubscription = 0;
  /** The commands under way, by id. @type {Map<number, Promise<void>>} */
  #running = new Map();
  /** @type {Map<string, (fields: Fields) => Promise<unknown>>} */
  #ops = new Map([
    ["hello", this.hello],
    ["call", this.call],
    ["request", this.request],
    ["publish", this.publish],
    ["submit", this.submit],
    ["subscribe", this.subscribe],
    ["next", this.next],
    ["unsubscribe", this.unsubscribe],
  ]);

  /** @param {(line: string) => void} write */
  constructor(write) {
    this.#write = write;
  }

  /**
   * Serves until the input ends, and returns the exit status.
   *
   * @param {AsyncIterable<Buffer>} input
   */
  async run(input) {
    let status = 0;
    try {
      for await (const line of lines(input)) {
        if (!this.#begin(line)) {
          status = 2;
          break;
        }
      }
    } catch (error) {
      console.error(`commands cannot be read: ${error}`);
      status = BROKEN;
    }
    await this.#finish();
    return status;
  }

  /** False where the line is no command. @param {Buffer} line */
  #begin(line) {
    let command;
    try {
      command = parse(line);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      console.error(`a line that is no command (${text}): ${excerpt(line.toString())}`);
      return false;
    }
    const { id, fields } = command;
    this.#running.set(id, this.#answer(id, fields).finally(() => this.#running.delete(id)));
    return true;
  }

  async #finish() {
    if (this.#running.size > 0) {
      await new Deadline(END_TIMEOUT).bound(Promise.all(this.#running.values()));
    }
    for (const id of [...this.#running.keys()]) {
      const cut = "the input ended before there was an outcome";
      this.#reply(id, { err: described(new ConnectionFailed(cut, { definite: false })) });
      this.#running.delete(id);
    }
    this.#write = () => {}; // every command is answered once
    const nc = await this.#connected?.catch(() => undefined);
    if (nc !== undefined) {
      await drain(nc);
    }
  }

  /**
   * @param {number} id
   * @param {Fields} fields
   */
  async #answer(id, fields) {
    try {
      const op = fields.text("op");
      const handler = this.#ops.get(op);
      if (handler === undefined) {
        throw new Skipped(`this driver does not know the operation ${excerpt(op)}`);
      }
      this.#reply(id, { ok: await handler.call(this, fields) });
    } catch (error) {
      if (error instanceof Skipped) {
        this.#reply(id, { skip: error.message });
      } else {
        this.#reply(id, { err: described(error) });
      }
    }
  }

  /**
   * @param {number} id
   * @param {Record<string, unknown>} outcome
   */
  #reply(id, outcome) {
    this.#write(stringify({ id, ...outcome }));
  }

  /** @param {Fields} fields */
  async hello(fields) {
    const protocol = fields.integer("protocol");
    if (protocol !== PROTOCOL_VERSION) {
      throw new BadInput(`protocol version ${protocol}: this driver speaks ${PROTOCOL_VERSION}`);
    }
    if (this.#connected !== undefined) {
      throw new BadInput("a second hello on one connection");
    }
    const connecting = connect(
      fields.text("url"),
      fields.optionalText("user"),
      fields.optionalText("password"),
    );
    this.#connected = connecting;
    try {
      await connecting;
    } catch (error) {
      this.#connected = undefined;
      throw error;
    }
    const capabilities = [...this.#ops.keys()].filter((op) => op !== "hello");
    return { name: "node", library: `nats.js ${libraryVersion()}`, capabilities };
  }

  /** @param {Fields} fields */
  async call(fields) {
    const name = fields.text("method");
    const timeout = fields.timeout();
    const found = method(name);
    if (found === undefined) {
      throw new Skipped(`this client library has no method ${excerpt(name)}`);
    }
    const [args, kwargs] = [fields.list("args"), fields.record("kwargs")];
    const { bound, options } = bind(name, found, args, kwargs, timeout);
    return found.run(await this.#nc(), bound, options);
  }

  /** @param {Fields} fields */
  async request(fields) {
    const [message, timeout] = [fields.message(), fields.timeout()];
    return shown(await request(await this.#nc(), message, { timeout }));
  }

  /** @param {Fields} fields */
  async publish(fields) {
    const message = fields.message();
    await publish(await this.#nc(), [message]);
    return {};
  }

  /** @param {Fields} fields */
  async submit(fields) {
    const [message, timeout] = [fields.message(), fields.timeout()];
    return submit(await this.#nc(), message, { timeout });
  }

  /** @param {Fields} fields */
  async subscribe(fields) {
    const inbox = new Inbox();
    inbox.subscription = await subscribe(
      await this.#nc(),
      fields.text("subject"),
      (message) => inbox.receive(message),
      { queueGroup: fields.optionalText("queue_group") },
    );
    this.#lastSubscription += 1;
    this.#inboxes.set(this.#lastSubscription, inbox);
    return { subscription: this.#lastSubscription };
  }

  /** @param {Fields} fields */
  async next(fields) {
    const timeout = fields.timeout();
    const message = await this.#inbox(fields).next(timeout);
    if (message === LATE) {
      throw new NothingCame(`no message within ${timeout} ms`);
    }
    return shown(message);
  }

  /** @param {Fields} fields */
  async unsubscribe(fields) {
    this.#inbox(fields).subscription?.unsubscribe();
    this.#inboxes.delete(fields.integer("subscription"));
    return {};
  }

  async #nc() {
    if (this.#connected === undefined) {
      throw new BadInput("the first command is hello");
    }
    return this.#connected;
  }

  /** @param {Fields} fields */
  #inbox(fields) {
    const number = fields.integer("subscription");
    const inbox = this.#inboxes.get(number);
    if (inbox === undefined) {
      throw new BadInput(`there is no subscription ${number}`);
    }
    return inbox;
  }
}

/**
 * A failure in terms that all languages share.
 *
 * @param {unknown} error
 */
function described(error) {
  if (error instanceof ServiceError) {
    const { kind, definite, reason, code } = error;
    return { kind, definite, message: reason, code };
  }
  if (error instanceof ClientError) {
    const { kind, definite, message } = error;
    return { kind, definite, message };
  }
  // A fault of ours: told to both sides, and the driver goes on.
  console.error(error);
  return { kind: "other", definite: false, message: String(error) };
}

/**
 * A message as it came.
 *
 * @param {Msg} message
 */
function shown(message) {
  const { subject, data } = message;
  const headers = Object.fromEntries(readHeaders(message));
  return { subject, payload_base64: Buffer.from(data).toString("base64"), headers };
}

function libraryVersion() {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return JSON.parse(manifest).dependencies["@nats-io/transport-node"];
}
