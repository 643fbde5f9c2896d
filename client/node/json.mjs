// JSON bodies: what is sent is strict JSON, what comes back is checked before it is believed, and
// the digits of an amount never pass through a binary float.

import { BadInput, BadReply } from "./errors.mjs";
import { excerpt, isWellFormed } from "./subjects.mjs";

/** A piece of JSON that is written as it stands, as the digits of an exact amount. */
export class Token {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/**
 * Strict JSON, in which a Token keeps its digits; members that are undefined are left out.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function stringify(value) {
  if (value instanceof Token) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return `[${value.map(stringify).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${members.map(([name, item]) => `${text(name)}:${stringify(item)}`).join(",")}}`;
  }
  if (typeof value === "string") {
    return text(value);
  }
  if (typeof value === "bigint") {
    return String(value);
  }
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) {
    return JSON.stringify(value);
  }
  throw new BadInput(`${String(value)} cannot be sent as JSON`);
}

/** @param {string} value */
function text(value) {
  if (!isWellFormed(value)) {
    throw new BadInput(`${excerpt(value)} is not valid Unicode`);
  }
  return JSON.stringify(value);
}

/**
 * A request's body.
 *
 * @param {Record<string, unknown>} fields those that are undefined are left out
 */
export function encode(fields) {
  return Buffer.from(stringify(fields));
}

/**
 * The JSON object in `data`, and its text.
 *
 * @param {Uint8Array} data
 * @returns {{ reply: Record<string, unknown>, text: string }}
 */
export function decode(data) {
  let source;
  let value;
  try {
    source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    value = JSON.parse(source);
  } catch (error) {
    const shown = excerpt(Buffer.from(data).toString());
    throw new BadReply(`the reply is not JSON: ${shown}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadReply(`the reply is not a JSON object: ${excerpt(value)}`);
  }
  const fault = unreadable(value, 1);
  if (fault !== undefined) {
    throw new BadReply(`the reply ${fault}: ${excerpt(source)}`);
  }
  return { reply: value, text: source };
}

/** Clients of all languages read as many levels. */
const MAX_LEVELS = 127;

/**
 * What JSON.parse lets through, and the other languages do not.
 *
 * @param {unknown} value
 * @param {number} level
 * @returns {string | undefined}
 */
function unreadable(value, level) {
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : "has a number beyond all bounds";
  }
  if (typeof value === "string") {
    return isWellFormed(value) ? undefined : "is not valid Unicode";
  }
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  if (level > MAX_LEVELS) {
    return `has over ${MAX_LEVELS} levels`;
  }
  for (const [name, item] of Object.entries(value)) {
    const fault = unreadable(name, level) ?? unreadable(item, level + 1);
    if (fault !== undefined) {
      return fault;
    }
  }
  return undefined;
}

/**
 * The number that stands for `name` in an object, digit by digit as it was written; null where
 * there is no such member, or it is no number.
 *
 * @param {string} source an object that JSON.parse has read
 * @param {string} name
 * @returns {string | null}
 */
export function numberToken(source, name) {
  const pieces = source.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
  let depth = 0;
  let found = null;
  for (const [at, piece] of pieces.entries()) {
    if (piece === "{" || piece === "[") {
      depth += 1;
    } else if (piece === "}" || piece === "]") {
      depth -= 1;
    } else if (depth === 1 && pieces[at + 1] === ":" && JSON.parse(piece) === name) {
      const value = pieces[at + 2] ?? "";
      found = /^[-0-9]/.test(value) ? value : null; // the last of several counts, as for JSON.parse
    }
  }
  return found;
}

/**
 * Returns `value` where it is a finite number.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {number}
 */
export function checkNumber(name, value) {
  if (typeof value !== "number") {
    throw new BadInput(`${name} must be a number, not ${excerpt(value)}`);
  }
  if (!Number.isFinite(value)) {
    throw new BadInput(`${name} must be finite, not ${value}`);
  }
  return value;
}

/**
 * Returns `value` where it is a string.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
export function checkText(name, value) {
  if (typeof value === "string") {
    return value;
  }
  throw new BadInput(`${name} must be a string, not ${excerpt(value)}`);
}
