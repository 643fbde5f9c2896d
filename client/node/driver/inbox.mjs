// A subscription and what it received, in order of arrival.

import { LATE } from "../deadline.mjs";

/** @typedef {import("../wire.mjs").Msg} Msg */

/** Messages that nobody has asked for yet, or whoever waits for one. */
export class Inbox {
  /** @type {import("../wire.mjs").Subscription | undefined} */
  subscription;
  /** @type {Msg[]} */
  #messages = [];
  /** @type {((message: Msg) => void)[]} */
  #waiting = [];

  /** @param {Msg} message */
  receive(message) {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) {
      this.#messages.push(message);
    } else {
      waiter(message);
    }
  }

  /**
   * The next message, or LATE where none came in time; one that comes later is still there.
   *
   * @param {number} timeoutMs
   * @returns {Promise<Msg | typeof LATE>}
   */
  async next(timeoutMs) {
    const message = this.#messages.shift();
    if (message !== undefined) {
      return message;
    }
    return new Promise((resolve) => {
      /** @param {Msg} message */
      const waiter = (message) => {
        clearTimeout(timer);
        resolve(message);
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        resolve(LATE);
      }, Math.min(timeoutMs, 2 ** 31 - 1));
      this.#waiting.push(waiter);
    });
  }
}
