// What is known of a connection beside its operations: whether it is up, and what the server said.
//
// nats.js shows neither: it buffers what is published while it reconnects, and each attempt to
// reconnect throws the buffer away, so that a publish is lost without a word or sent after the
// caller gave up. Here one waits for the connection first. A violation of permissions arrives
// beside the publish that it is about.

import { refused } from "./denials.mjs";
import { ConnectionFailed, PermissionDenied } from "./errors.mjs";
import { excerpt } from "./subjects.mjs";

/** @typedef {import("@nats-io/nats-core").NatsConnection} NatsConnection */
/** @typedef {import("./deadline.mjs").Deadline} Deadline */

/**
 * What the server refused, and its words; the subject is empty where there is one subscription too
 * many.
 *
 * @typedef {{ action: "publish" | "subscription", subject: string, error: Error }} Denial
 */

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
    /** The last ones. @type {Denial[]} */
    this.denials = [];
    /** Who is told of each as soon as it comes. @type {Set<(denial: Denial) => void>} */
    this.watching = new Set();
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
        const what = refused(status.error.message);
        if (what !== undefined) {
          const denial = { ...what, error: status.error };
          this.denials = [...this.denials.slice(-255), denial];
          this.watching.forEach((hear) => hear(denial));
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
   * `denied` throws PermissionDenied as soon as the server refuses to publish to `subject`, or the
   * `inbox` of the answer; until `end` is called.
   *
   * @param {string} subject
   * @param {string} inbox
   * @param {string} what
   * @returns {{ denied: Promise<never>, end: () => void }}
   */
  watch(subject, inbox, what) {
    /** @type {(denial: Denial) => void} */
    let hear = () => {};
    /** @type {Promise<never>} */
    const denied = new Promise((_, reject) => {
      hear = ({ action, subject: about, error }) => {
        const failed = new PermissionDenied(`${what}: ${error.message}`, { cause: error });
        // Without the inbox only the answer is lost: the request may have happened.
        failed.definite = action === "publish";
        if (about === inbox || (action === "publish" && about === subject)) {
          reject(failed);
        }
      };
    });
    denied.catch(() => {}); // nobody may wait for it any more
    this.watching.add(hear);
    return { denied, end: () => void this.watching.delete(hear) };
  }

  /**
   * Throws PermissionDenied where the server has said so about `subject` since it had `seen` denials;
   * to whoever subscribes also where it said that there is a subscription too many.
   *
   * @param {string} subject
   * @param {readonly Denial[]} seen
   * @param {{ subscribes?: boolean }} [options]
   */
  checkPermission(subject, seen, { subscribes = false } = {}) {
    const wanted = subscribes ? "subscription" : "publish";
    const denial = this.denials.find((one) => {
      const about = one.subject === subject || one.subject === "";
      return !seen.includes(one) && one.action === wanted && about;
    });
    if (denial !== undefined) {
      const what = denial.subject === "" ? `subscribe to ${excerpt(subject)}: ` : "";
      throw new PermissionDenied(`${what}${denial.error.message}`, { cause: denial.error });
    }
  }
}
