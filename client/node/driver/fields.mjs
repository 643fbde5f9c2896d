// The fields of one command, checked as they are read.

import { BadInput } from "../errors.mjs";
import { Outgoing } from "../outgoing.mjs";
import { excerpt } from "../subjects.mjs";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Throws BadInput for what is missing or of another type. */
export class Fields {
  #fields;

  /** @param {Record<string, unknown>} fields */
  constructor(fields) {
    this.#fields = fields;
  }

  /**
   * @param {string} name
   * @returns {string}
   */
  text(name) {
    return this.optionalText(name) ?? this.#missing(name);
  }

  /**
   * @param {string} name
   * @returns {string | undefined}
   */
  optionalText(name) {
    const value = this.#fields[name] ?? undefined;
    return value === undefined || typeof value === "string" ? value : this.#wrong(name, "a string");
  }

  /**
   * @param {string} name
   * @returns {number}
   */
  integer(name) {
    const value = this.#fields[name] ?? this.#missing(name);
    return typeof value === "number" && Number.isInteger(value) && value >= 0
      ? value
      : this.#wrong(name, "an integer");
  }

  /** The field `timeout_ms`, above 0. */
  timeout() {
    return this.integer("timeout_ms") || this.#wrong("timeout_ms", "above 0");
  }

  /** @param {string} name @returns {unknown[]} */
  list(name) {
    const value = this.#fields[name] ?? [];
    return Array.isArray(value) ? value : this.#wrong(name, "a list");
  }

  /** @param {string} name @returns {Record<string, unknown>} */
  record(name) {
    const value = this.#fields[name] ?? {};
    return typeof value === "object" && !Array.isArray(value)
      ? /** @type {Record<string, unknown>} */ (value)
      : this.#wrong(name, "an object");
  }

  /** The message to publish. */
  message() {
    const payload = this.text("payload_base64");
    if (!BASE64.test(payload)) {
      throw new BadInput(`payload_base64 is not base64: ${excerpt(payload)}`);
    }
    const headers = this.record("headers");
    for (const values of Object.values(headers)) {
      if (!Array.isArray(values) || !values.every((value) => typeof value === "string")) {
        throw new BadInput(`headers are lists of strings by name, not ${excerpt(headers)}`);
      }
    }
    const checked = /** @type {Record<string, string[]>} */ (headers);
    return new Outgoing(this.text("subject"), Buffer.from(payload, "base64"), checked);
  }

  /** @param {string} name @returns {never} */
  #missing(name) {
    throw new BadInput(`the command has no ${name}`);
  }

  /** @param {string} name @param {string} wanted @returns {never} */
  #wrong(name, wanted) {
    throw new BadInput(`${name} is not ${wanted}: ${excerpt(this.#fields[name])}`);
  }
}

/**
 * A command's id and fields; throws SyntaxError where there is no id to answer to.
 *
 * @param {Buffer} line
 * @returns {{ id: number, fields: Fields }}
 */
export function parse(line) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  const command = JSON.parse(text);
  if (typeof command !== "object" || command === null || Array.isArray(command)) {
    throw new SyntaxError("not a JSON object");
  }
  if (!Number.isSafeInteger(command.id) || command.id < 0) {
    throw new SyntaxError("no id");
  }
  return { id: command.id, fields: new Fields(command) };
}
