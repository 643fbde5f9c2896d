// A message to publish, checked before anything is sent.

import { headers as natsHeaders } from "@nats-io/nats-core";
import { BadInput } from "./errors.mjs";
import { checkPublishSubject, excerpt, isWellFormed } from "./subjects.mjs";

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
      }
      append(this.headers, name, values);
    }
  }

  /** The headers as nats.js takes them. */
  natsHeaders() {
    return [...this.headers.keys()].length === 0 ? undefined : this.headers;
  }
}

/**
 * As they are: nats.js takes a U+FEFF at their ends for a blank.
 *
 * @param {import("@nats-io/nats-core").MsgHdrs} headers
 * @param {string} name
 * @param {readonly string[]} values
 */
function append(headers, name, values) {
  if (values.length > 0) {
    /** @type {any} */ (headers).headers.set(name, [...values]);
  }
}
