// The logins in URLs: all languages read the same rows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { byLogin, withoutLogin } from "../login.mjs";

/** @typedef {{ url: string, user?: string, password?: string, token?: string }} Server */

/** @type {{ url: string, servers?: Server[], shown: string }[]} */
const rows = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/logins.json", import.meta.url), "utf8"),
).rows;

/** @param {Server} server */
function loginOf({ user, password, token }) {
  if (token !== undefined) {
    return { token };
  }
  return user === undefined ? {} : { user, pass: password };
}

/** @param {string} url */
function refusal(url) {
  try {
    byLogin(url);
  } catch (error) {
    return String(error);
  }
  return assert.fail("it is read");
}

for (const { url, servers, shown } of rows) {
  if (servers === undefined) {
    test(`${url} is refused`, () => {
      assert.equal(withoutLogin(url), shown);
      assert.doesNotMatch(refusal(url), /secret|more/);
    });
    continue;
  }
  test(`${url} goes to each server with the login of its own`, () => {
    assert.equal(withoutLogin(url), shown);
    const found = byLogin(url).flatMap((group) => group.servers.map((one) => [one, group.login]));
    assert.deepEqual(
      found,
      servers.map((server) => [server.url, loginOf(server)]),
    );
  });
}

test("a user that is given is for those whose URL carries none", () => {
  assert.deepEqual(byLogin("nats://a,nats://t@b,nats://c", "u", "p"), [
    { servers: ["nats://a", "nats://c"], login: { user: "u", pass: "p" } },
    { servers: ["nats://b"], login: { token: "t" } },
  ]);
});
