// `EmailClient`: emails through a queue group, fire-and-forget.

import { BadInput } from "./errors.mjs";
import { checkText, encode } from "./json.mjs";
import { Outgoing } from "./outgoing.mjs";
import { EMAIL_SEND, excerpt } from "./subjects.mjs";
import { publish, request } from "./wire.mjs";

/** @typedef {import("./wire.mjs").NatsConnection} NatsConnection */
/** @typedef {import("./wire.mjs").Timeout} Timeout */
/** @typedef {{ to: string, subject: string, body?: string }} Email */

/**
 * Publishes to `services.notification.email-send`; each email reaches one worker.
 *
 * Core NATS keeps nothing: with no worker running, an email is gone. `confirm: true` tells.
 */
export class EmailClient {
  #nc;

  /** @param {NatsConnection} nc */
  constructor(nc) {
    this.#nc = nc;
  }

  /**
   * Queues one email; returns once the broker has it or, with `confirm`, a worker has.
   *
   * Throws BadInput (nothing was sent), ConnectionFailed, RequestTimeout, PayloadTooLarge,
   * PermissionDenied and, with `confirm`, NoResponders.
   *
   * @param {string} to
   * @param {string} subject
   * @param {string} [body]
   * @param {Timeout & { confirm?: boolean }} [options]
   * @returns {Promise<void>}
   */
  async sendEmail(to, subject, body = "", { confirm = false, timeout } = {}) {
    const message = outgoing({ to, subject, body });
    if (confirm) {
      await request(this.#nc, message, { timeout });
    } else {
      await publish(this.#nc, [message], { timeout });
    }
  }

  /**
   * Queues all of them, and returns how many; the broker has them then.
   *
   * All are checked before the first is published: a BadInput, which says at which index, or a
   * PayloadTooLarge means that none was. Other errors are those of `sendEmail`. `timeout` is for
   * all of them together.
   *
   * @param {Iterable<Email>} emails
   * @param {Timeout} [options]
   * @returns {Promise<number>}
   */
  async sendBulkEmails(emails, options) {
    const messages = Array.from(emails, (email, index) => {
      try {
        return outgoing(email);
      } catch (error) {
        if (error instanceof BadInput) {
          throw new BadInput(`emails[${index}]: ${error.message}`);
        }
        throw error;
      }
    });
    if (messages.length > 0) {
      await publish(this.#nc, messages, options);
    }
    return messages.length;
  }
}

/**
 * @param {Email} email
 * @returns {Outgoing}
 */
function outgoing(email) {
  if (typeof email !== "object" || email === null) {
    throw new BadInput(`an email is { to, subject, body }, not ${excerpt(email)}`);
  }
  const fields = {
    to: checkText("to", email.to),
    subject: checkText("subject", email.subject),
    body: checkText("body", email.body ?? "") || undefined,
  };
  for (const name of /** @type {const} */ (["to", "subject"])) {
    if (/^\p{White_Space}*$/u.test(fields[name])) {
      throw new BadInput(`${name} must not be empty`);
    }
    if (/\p{Cc}/u.test(fields[name])) {
      throw new BadInput(`${name} must not have control characters or line breaks`);
    }
  }
  return new Outgoing(EMAIL_SEND, encode(fields));
}
