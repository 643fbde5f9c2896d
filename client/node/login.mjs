// Which login goes to which server of a list of URLs.
//
// nats.js reads none from a URL, and shows one that is given beside it to all servers. So servers with
// different logins are different connections to try.
//
// All languages read such a list alike: `src/mono/address.rs` has the rule.

/** @typedef {{ servers: string[], login: { user?: string, pass?: string, token?: string } }} Group */

const SCHEME = /^(nats|tls|wss?):\/\//i;
/** A host, perhaps with a port and a path; what is not ASCII is encoded, as are % and a comma. */
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?([/?#]([!-$&-+\--~]|%[0-9A-Fa-f]{2})*)?$/;
/** What may surround a URL; each language has blanks of its own. */
const BLANKS = /^[\t\n\v\f\r ]+|[\t\n\v\f\r ]+$/g;

/**
 * The servers of a comma-separated list that share a login, in order; `user` and `pass` are for those
 * whose URL carries none. Throws RangeError, with nothing of the URLs in it, where one of them could be
 * read in two ways, or none is named.
 *
 * @param {string} urls
 * @param {string | undefined} [user]
 * @param {string | undefined} [pass]
 * @returns {Group[]}
 */
export function byLogin(urls, user, pass) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const given = user === undefined ? {} : { user, pass: pass ?? "" };
  for (const { scheme, info, host } of items(urls).map(parts)) {
    if (/[,/?#]/.test(info) || !HOST.test(host)) {
      throw new RangeError(whyUnreadable(info, host));
    }
    const login = decoded(info) ?? given;
    const key = JSON.stringify(login);
    /** @type {Group} */
    const group = groups.get(key) ?? { servers: [], login };
    group.servers.push(scheme + host);
    groups.set(key, group);
  }
  if (groups.size === 0) {
    throw new RangeError("no server is named");
  }
  return [...groups.values()];
}

/**
 * A part of a login may stand in the place of the host, unless only the port is wrong.
 *
 * @param {string} info
 * @param {string} host
 */
function whyUnreadable(info, host) {
  const [name = ""] = host.split(/[/?#:]/);
  if (!/[,/?#]/.test(info) && (info === "" || HOST.test(name))) {
    return "not a NATS URL: expected nats://HOST:PORT";
  }
  return (
    "not a NATS URL: a special character in a user name, password or token is " +
    "percent-encoded (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F, % is %25, " +
    "a comma is %2C), and a login in a list has a scheme before it"
  );
}

/**
 * The same list, fit to be shown. What stands where a host should stand and cannot be one may be a
 * password, or the end of a query with an `@`: from there on nothing is shown.
 *
 * @param {string} urls
 */
export function withoutLogin(urls) {
  const all = items(urls).map(parts);
  const unreadable = all.findIndex(({ info, host }) => /[?#]/.test(info) || !HOST.test(host));
  // What stands behind it may be a secret too, as a gateway's.
  const shown = all.map(({ scheme, host }) => scheme + host.replace(/[?#].*$/s, "?…"));
  return (unreadable < 0 ? shown : [...shown.slice(0, unreadable), "…"]).join(",");
}

/**
 * A comma that should have been encoded cuts a login in two: an `@` without a scheme takes what stands
 * before it, up to a scheme or the end of another login without one. It cuts a query in two as well: what
 * has no scheme and follows one belongs to it.
 *
 * @param {string} urls
 */
function items(urls) {
  /** @type {string[]} */
  const found = [];
  for (let item of urls.split(",").map((piece) => piece.replace(BLANKS, ""))) {
    if (item === "") {
      continue;
    }
    if (/[?#]/.test(found.at(-1) ?? "") && !SCHEME.test(item)) {
      item = `${found.pop()},${item}`;
    }
    while (item.includes("@") && !SCHEME.test(item) && mayBeCut(found.at(-1))) {
      item = `${found.pop()},${item}`;
    }
    found.push(item);
  }
  return found;
}

/** Whether what follows a comma may belong to its login. @param {string | undefined} item */
function mayBeCut(item) {
  return item !== undefined && (!item.includes("@") || SCHEME.test(item));
}

/** A password may have an `@` that is not encoded: the last one counts. @param {string} item */
function parts(item) {
  const scheme = SCHEME.exec(item)?.[0] ?? "";
  const rest = item.slice(scheme.length);
  const at = rest.lastIndexOf("@");
  return { scheme: scheme.toLowerCase(), info: rest.slice(0, Math.max(at, 0)), host: rest.slice(at + 1) };
}

/** @param {string} info @returns {Group["login"] | undefined} */
function decoded(info) {
  if (info === "" || info === ":") {
    return undefined;
  }
  const colon = info.indexOf(":");
  if (colon < 0) {
    return { token: unquoted(info) };
  }
  return { user: unquoted(info.slice(0, colon)), pass: unquoted(info.slice(colon + 1)) };
}

/** A percent sign that encodes nothing is one, unlike in decodeURIComponent. @param {string} text */
function unquoted(text) {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    throw new RangeError("the user, password or token in a URL is not UTF-8");
  }
}
