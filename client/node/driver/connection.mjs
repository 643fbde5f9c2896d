// Connects for a driver: at once or not at all, and from then on it reconnects for ever.

import { AuthorizationError, UserAuthenticationExpiredError } from "@nats-io/nats-core";
import { connect as dial } from "@nats-io/transport-node";
import { Deadline, LATE } from "../deadline.mjs";
import { ConnectionFailed, PermissionDenied } from "../errors.mjs";
import { Link } from "../link.mjs";
import { byLogin, withoutLogin } from "../login.mjs";
import { excerpt } from "../subjects.mjs";

/** How long a hello tries to connect, in milliseconds. */
const CONNECT_TIMEOUT = 5000;
/** Between two attempts to reconnect (ms): a broker that is killed is back in no time. */
const RECONNECT_WAIT = 20;
/** How long one attempt may take (ms): a broker that is paused accepts, and says nothing. */
const DIAL_TIMEOUT = 1000;
/** Between two pings (ms); a connection on which nothing arrives any more is noticed after three. */
const PING_INTERVAL = 5000;
/** How long the drain may take at the end of input (ms). */
const DRAIN_TIMEOUT = 3000;

/** @typedef {import("@nats-io/nats-core").NatsConnection} NatsConnection */

/**
 * @param {string} url
 * @param {string | undefined} user
 * @param {string | undefined} pass
 * @returns {Promise<NatsConnection>}
 */
export async function connect(url, user, pass) {
  const shown = excerpt(withoutLogin(url));
  const groups = logins(url, user, pass, shown);
  const failures = [];
  for (const { servers, login } of groups) {
    try {
      return await attempt(servers, login, CONNECT_TIMEOUT / groups.length);
    } catch (error) {
      failures.push(failure(error, shown));
    }
  }
  // One that answered says more than one that is away.
  const refused = failures.find((failed) => failed instanceof PermissionDenied);
  throw refused ?? failures[0];
}

/**
 * @param {string} url
 * @param {string | undefined} user
 * @param {string | undefined} pass
 * @param {string} shown
 */
function logins(url, user, pass, shown) {
  try {
    return byLogin(url, user, pass);
  } catch (cause) {
    throw failure(cause, shown);
  }
}

/**
 * @param {string[]} servers
 * @param {import("../login.mjs").Group["login"]} login
 * @param {number} limit
 * @returns {Promise<NatsConnection>}
 */
async function attempt(servers, login, limit) {
  const dialling = dial({
    servers,
    ...login,
    name: "mono-demo node driver",
    timeout: DIAL_TIMEOUT,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => RECONNECT_WAIT,
    pingInterval: PING_INTERVAL,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
  });
  const nc = await new Deadline(limit).bound(dialling);
  if (nc === LATE) {
    throw new Error(`no answer within ${limit} ms`);
  }
  Link.of(nc);
  void follow(nc);
  return nc;
}

/** In terms that all languages share; with nothing of a login. @param {unknown} error @param {string} shown */
function failure(error, shown) {
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
    return new PermissionDenied(`${shown} refused the connection: ${why}`, { cause: error });
  }
  return new ConnectionFailed(`no connection to ${shown}: ${why}`, { definite: true, cause: error });
}

/**
 * Sends what is under way and closes; bounded, for the broker may be gone.
 *
 * @param {NatsConnection} nc
 */
export async function drain(nc) {
  const deadline = new Deadline(DRAIN_TIMEOUT);
  try {
    const ending = Link.of(nc).up ? nc.drain() : nc.close();
    if ((await deadline.bound(ending)) === LATE) {
      console.error("the connection did not drain in time");
    }
  } catch (error) {
    console.error(`while draining: ${error}`);
  }
}

/** @param {NatsConnection} nc */
async function follow(nc) {
  for await (const status of nc.status()) {
    if (status.type === "disconnect" || status.type === "reconnect") {
      console.error(`nats: ${status.type} ${status.server}`);
    } else if (status.type === "error") {
      console.error(`nats: ${status.error.message}`);
    }
  }
}
