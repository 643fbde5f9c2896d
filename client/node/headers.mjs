// The header block of a message, read from its bytes by the rules that clients of all languages share.
//
// nats.js reads a block only when it is asked for it, passes over a line without a colon, puts
// U+FFFD in the place of what is not UTF-8, and throws errors of its own: an error reply could be
// taken for a result. It keeps the bytes in fields that it does not document.

import { BadReply } from "./errors.mjs";
import { excerpt } from "./subjects.mjs";

/** @typedef {import("@nats-io/nats-core").Msg} Msg */

const NAME = /^[!-9;-~]+$/;
const BROKEN = /[\r\n\0]/;
/** The first line behind its version. */
const STATUS = /^(\P{White_Space}*)(.*)$/su;
/** As other languages have it: without U+FEFF, and with U+0085. */
const BLANKS = /^\p{White_Space}+|\p{White_Space}+$/gu;

/** The values of headers, by name and in their order, and the status of the first line. */
export class Headers {
  /** 0 where the first line has none. */
  status = 0;
  /** What is behind the status. */
  words = "";
  /** Of the whole block, as it came. */
  sizeBytes = 0;
  /** @type {Map<string, string[]>} */
  #values = new Map();

  /**
   * @param {string} name
   * @param {string} value
   */
  append(name, value) {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  /** The first value; empty where there is none. @param {string} name */
  get(name) {
    return this.#values.get(name)?.[0] ?? "";
  }

  /** @param {string} name */
  has(name) {
    return this.#values.has(name);
  }

  [Symbol.iterator]() {
    return this.#values.entries();
  }
}

/**
 * The headers of a message; throws BadReply where they, its subject or its reply subject cannot be
 * read.
 *
 * @param {Msg} message
 * @returns {Headers}
 */
export function readHeaders(message) {
  const { _msg: line, _rdata: bytes } = /** @type {any} */ (message);
  try {
    text(line.subject, "the subject is");
    text(line.reply ?? new Uint8Array(), "the reply subject is");
    return line.hdr > 0 ? parse(text(bytes.subarray(0, line.hdr), "the headers are")) : new Headers();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const what = `a message came on ${excerpt(message.subject)}, and it cannot be read: ${why}`;
    throw new BadReply(what, { cause });
  }
}

/**
 * True for the word of the server itself that nobody listens: status 503, no body, and not a byte
 * more than it takes to say so, and for which subject. Whatever else has that status comes from
 * somebody who has read the request.
 *
 * @param {Headers} headers
 * @param {Uint8Array} body
 */
export function isNoResponders(headers, body) {
  const subjects = [...headers].flatMap(([name, values]) => (name === "Nats-Subject" ? values : []));
  const words = headers.words === "" ? "" : ` ${headers.words}`;
  const lines = subjects.map((subject) => `Nats-Subject: ${subject}\r\n`).join("");
  const size = Buffer.byteLength(`NATS/1.0 503${words}\r\n${lines}\r\n`);
  const own = subjects.length <= 1 && headers.sizeBytes === size;
  return headers.status === 503 && body.length === 0 && own;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} what
 */
function text(bytes, what) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`${what} not UTF-8`);
  }
}

/** @param {string} block */
function parse(block) {
  const [first = "", ...lines] = block.split("\r\n");
  const status = /^NATS\/1\.0(?:\p{White_Space}+(.*))?$/su.exec(first);
  if (status === null) {
    throw new Error("the first line is not NATS/1.0");
  }
  if (BROKEN.test(first)) {
    throw new Error("the first line has a line break or a NUL in it");
  }
  const headers = new Headers();
  headers.sizeBytes = Buffer.byteLength(block);
  const [, said = "", words = ""] = STATUS.exec((status[1] ?? "").replace(BLANKS, "")) ?? [];
  if (said !== "" && !/^[1-9][0-9]{2}$/.test(said)) {
    throw new Error("the status is not a number of three digits");
  }
  headers.status = Number(said);
  headers.words = words.replace(BLANKS, "");
  while (lines.length > 0) {
    const line = lines.shift() ?? "";
    if (line === "") {
      // Some readers stop here: what they do not see could be an error.
      if (lines.join("\n") !== "") {
        throw new Error("something is behind the empty line that ends them");
      }
      break;
    }
    const colon = line.indexOf(":");
    if (colon < 1) {
      throw new Error(colon === 0 ? "a header has no name" : "a line has no colon");
    }
    const name = line.slice(0, colon);
    if (!NAME.test(name)) {
      throw new Error("a header's name is not of visible ASCII characters");
    }
    let value = line.slice(colon + 1);
    // A line that begins with white space goes on with the value of the one before.
    while (/^\p{White_Space}/u.test(lines[0] ?? "")) {
      value += lines.shift();
    }
    if (BROKEN.test(value)) {
      throw new Error("a header's value has a line break or a NUL in it");
    }
    headers.append(name, value.replace(BLANKS, ""));
  }
  return headers;
}
