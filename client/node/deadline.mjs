// A point in time, for calls that have several steps within one timeout.

import { BadInput } from "./errors.mjs";
import { excerpt } from "./subjects.mjs";

/** What a timer of Node can hold; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** What `bound` returns where time ran out. */
export const LATE = Symbol("late");

/** Time that is left, in milliseconds. */
export class Deadline {
  /** @param {number} timeoutMs */
  constructor(timeoutMs) {
    if (typeof timeoutMs !== "number" || !(timeoutMs > 0) || !Number.isFinite(timeoutMs)) {
      throw new BadInput(`timeout must be milliseconds above zero, not ${excerpt(timeoutMs)}`);
    }
    this.timeoutMs = Math.min(timeoutMs, LONGEST_MS);
    this.at = performance.now() + this.timeoutMs;
  }

  /** Milliseconds that are left; 0 where it has passed. */
  left() {
    return Math.max(0, this.at - performance.now());
  }

  /**
   * What the promise comes to, or LATE. A failure that comes later is nobody's any more.
   *
   * @template T
   * @param {Promise<T>} promise
   * @param {number} [atMostMs] a nearer bound
   * @returns {Promise<T | typeof LATE>}
   */
  async bound(promise, atMostMs = Infinity) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    /** @type {Promise<typeof LATE>} */
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve(LATE), Math.ceil(Math.min(this.left(), atMostMs)));
    });
    promise.catch(() => {});
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  toString() {
    return `${this.timeoutMs} ms`;
  }
}
