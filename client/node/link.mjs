// What is known of a connection beside its operations: whether it is up, and what the server said.
//
// nats.js shows neither: it buffers what is published while it reconnects, and each attempt to
// reconnect throws the buffer away, so that a publish is lost without a word or sent after the
// caller gave up. Here one waits for the connection first. A violation of permissions arrives
// beside the publish that it is about.

import { PermissionViolationError } from "@nats-io/nats-core";
import { ConnectionFailed, PermissionDenied } from "./errors.mjs";
import { excerpt } from "./subjects.mjs";

/** @typedef {import("@nats-io/nats-core").NatsConnection} NatsConnection */
/** @typedef {import("./deadline.mjs").Deadline} Deadline */

/** @type {WeakMap<NatsConnection, Link>} */
const links = new WeakMap();

/** One watcher for each connection, for as long as the connection lives. */
export class Link {
  /**
   * @param {NatsConnection} nc
   * @returns {Link}
   */
  static of(nc) {
    let link = links.get(nc);
    if (link === undefined) {
      link = new Link(nc);
      links.set(nc, link);
    }
    return link;
  }

  /** @param {NatsConnection} nc */
  constructor(nc) {
    this.nc = nc;
    // While it dials, there is no info.
    this.up = nc.info !== undefined;
    /** Why it went down, or the last thing that the server complained of. */
    this.lastError = "";
    /** What the server refused. @type {Error[]} */
    this.denials = [];
    /** @type {Set<() => void>} */
    this.waiting = new Set();
    void this.#watch();
  }

  async #watch() {
    for await (const status of this.nc.status()) {
      if (status.type === "disconnect") {
        this.up = false;
      } else if (status.type === "reconnect") {
        this.up = true;
      } else if (status.type === "error") {
        this.lastError = status.error.message;
        if (status.error instanceof PermissionViolationError || isTooMany(status.error)) {
          this.denials = [...this.denials.slice(-255), status.error];
        }
      }
      this.#wake();
    }
    this.#wake(); // closed
  }

  #wake() {
    for (const wake of this.waiting) {
      wake();
    }
    this.waiting.clear();
  }

  /**
   * Returns once there is a connection; throws ConnectionFailed, definite, where there is none in
   * time or never again.
   *
   * @param {Deadline} deadline
   */
  async ready(deadline) {
    while (this.nc.isClosed() || this.nc.isDraining() || !this.up || this.nc.info === undefined) {
      const ended = this.nc.isClosed() ? "closed" : this.nc.isDraining() ? "draining" : "";
      if (ended !== "" || deadline.left() === 0) {
        const cause = this.lastError === "" ? "" : ` (${this.lastError})`;
        const message = `nothing sent: the connection is ${ended || "down"}${cause}`;
        throw new ConnectionFailed(message, { definite: true });
      }
      /** @type {() => void} */
      let woken = () => {};
      /** @type {Promise<void>} */
      const change = new Promise((resolve) => (woken = resolve));
      this.waiting.add(woken);
      await deadline.bound(change);
      this.waiting.delete(woken);
    }
  }

  /**
   * Throws PermissionDenied where the server has said so about `subject` since it had `seen` denials;
   * to whoever subscribes also where it said that there is a subscription too many.
   *
   * @param {string} subject
   * @param {readonly Error[]} seen
   * @param {{ subscribes?: boolean }} [options]
   */
  checkPermission(subject, seen, { subscribes = false } = {}) {
    const denial = this.denials.find((error) => {
      const named = error instanceof PermissionViolationError && error.subject === subject;
      return !seen.includes(error) && (named || (subscribes && isTooMany(error)));
    });
    if (denial !== undefined) {
      const what = isTooMany(denial) ? `subscribe to ${excerpt(subject)}: ` : "";
      throw new PermissionDenied(`${what}${denial.message}`, { cause: denial });
    }
  }
}

/** Of a subscription too many the server does not say which it is. @param {Error} error */
function isTooMany(error) {
  return error.message.toLowerCase().includes("maximum subscriptions exceeded");
}
