// Which login goes to which server of a list of URLs.
//
// nats.js reads none from a URL, and shows one that is given beside it to all servers. So servers with
// different logins are different connections to try.

/** @typedef {{ servers: string[], login: { user?: string, pass?: string, token?: string } }} Group */

/**
 * The servers of a comma-separated list that share a login, in order; `user` and `pass` are for those
 * whose URL carries none. Throws URIError where a login is not UTF-8.
 *
 * @param {string} urls
 * @param {string | undefined} [user]
 * @param {string | undefined} [pass]
 * @returns {Group[]}
 */
export function byLogin(urls, user, pass) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const url of split(urls)) {
    const { bare, info } = parts(url);
    const given = user === undefined ? {} : { user, pass: pass ?? "" };
    const login = info === undefined ? given : decoded(info);
    const key = JSON.stringify(login);
    /** @type {Group} */
    const group = groups.get(key) ?? { servers: [], login };
    group.servers.push(bare);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** The same list, fit to be shown. @param {string} urls */
export function withoutLogin(urls) {
  return split(urls)
    .map((url) => parts(url).bare)
    .join(",");
}

/** @param {string} urls */
function split(urls) {
  return urls
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
}

/** @param {string} url @returns {{ bare: string, info: string | undefined }} */
function parts(url) {
  const mark = url.indexOf("://");
  const from = mark < 0 ? 0 : mark + "://".length;
  const at = url.lastIndexOf("@");
  if (at < from) {
    return { bare: url, info: undefined };
  }
  return { bare: url.slice(0, from) + url.slice(at + 1), info: url.slice(from, at) };
}

/** @param {string} info */
function decoded(info) {
  const colon = info.indexOf(":");
  if (colon < 0) {
    return { token: decodeURIComponent(info) };
  }
  return {
    user: decodeURIComponent(info.slice(0, colon)),
    pass: decodeURIComponent(info.slice(colon + 1)),
  };
}
