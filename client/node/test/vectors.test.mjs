// The vectors that all languages share: tests/vectors/, from the root of the repository.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EmailClient } from "../email.mjs";
import { BadInput, BadReply } from "../errors.mjs";
import { refused } from "../denials.mjs";
import { decode } from "../json.mjs";
import { amountToken, MINOR_UNITS } from "../money.mjs";
import { Outgoing } from "../outgoing.mjs";
import { PaymentClient } from "../payment.mjs";
import { checkPaymentId, checkPublishSubject } from "../subjects.mjs";
import { subscribe } from "../wire.mjs";

/** @typedef {string | { parts: [string, number][] } | { base64: string }} Text */
/** @typedef {Record<string, any>} Vector */

/** @param {string} name */
const read = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}`, import.meta.url), "utf8"));

const FILE = read("bad-input.json");
/** @type {Vector[]} */
const VECTORS = FILE.vectors.filter((/** @type {Vector} */ v) => FILE.groups[v.group].languages.includes("node"));

/** Stands for a connection: whatever is asked of it comes after the checks. */
const published = new Error("published");
const noConnection = /** @type {any} */ (
  new Proxy({}, { get: () => { throw published; } })
);

/** @param {Text} text @returns {Buffer} */
function bytes(text) {
  if (typeof text === "string") {
    return Buffer.from(text);
  }
  if ("base64" in text) {
    return Buffer.from(text.base64, "base64");
  }
  return Buffer.from(text.parts.map(([piece, times]) => piece.repeat(times)).join(""));
}

/** Half a surrogate pair, which Rust and Go cannot have, stays one here. @param {Text} text */
function string(text) {
  const raw = bytes(text);
  const half = /\xed([\xa0-\xbf])([\x80-\xbf])/g;
  const latin = raw.toString("latin1");
  if (!/\xed[\xa0-\xbf]/.test(latin)) {
    return raw.toString();
  }
  return latin.replace(half, (_, a, b) =>
    String.fromCharCode(0xd000 | ((a.charCodeAt(0) & 0x3f) << 6) | (b.charCodeAt(0) & 0x3f)));
}

/**
 * The value of an amount; throws what refuses it.
 *
 * @param {Vector} vector
 * @returns {Promise<string | undefined>}
 */
async function judge(vector) {
  try {
    switch (vector.group) {
      case "payment_id":
        checkPaymentId(string(vector.input));
        return undefined;
      case "amount":
        if (vector.form === "number") {
          // The caller must have a number to give; white space around it is none of it.
          JSON.parse(string(vector.input));
          return amountToken(string(vector.input).trim(), string(vector.currency));
        }
        return amountToken(string(vector.input), string(vector.currency));
      case "payment": {
        const given = Object.fromEntries(
          Object.entries(vector.fields).map(([name, text]) => [name, string(/** @type {Text} */ (text))]));
        await new PaymentClient(noConnection).submitPayment(
          given.payment_id ?? "", given.user_id, given.subscription_id, given.amount ?? "",
          { currency: given.currency });
        break;
      }
      case "email":
        await new EmailClient(noConnection).sendEmail(
          string(vector.to ?? ""), string(vector.subject ?? ""), string(vector.body ?? ""));
        break;
      case "json":
        decode(bytes(vector.input));
        return undefined;
      case "subject":
        checkPublishSubject(string(vector.input));
        return undefined;
      case "header":
        new Outgoing("a", undefined, { [string(vector.name)]: [string(vector.value)] });
        return undefined;
      default:
        throw new Error(`no such group: ${vector.group}`);
    }
    throw new Error("nothing was published, and nothing was wrong");
  } catch (error) {
    if (error === published) {
      return undefined;
    }
    throw error;
  }
}

/** Without zeros that say nothing. @param {string} amount */
const plain = (amount) => (amount.includes(".") ? amount.replace(/\.?0+$/, "") : amount);

/**
 * What is wrong with a verdict, or nothing.
 *
 * @param {Vector} vector
 * @returns {Promise<string | undefined>}
 */
async function wrong(vector) {
  try {
    const value = await judge(vector);
    if (vector.verdict !== "accept") {
      return `accepted: ${value}`;
    }
    const agrees = vector.group !== "amount" || plain(value ?? "") === plain(string(vector.value));
    return agrees ? undefined : `its value is ${value}`;
  } catch (error) {
    const refused = error instanceof BadInput || error instanceof BadReply || error instanceof SyntaxError;
    return refused && vector.verdict === "reject" ? undefined : String(error);
  }
}

test("every vector of bad input gets its verdict", async () => {
  assert.ok(VECTORS.length >= 250, `${VECTORS.length}`);
  const found = [];
  for (const vector of VECTORS) {
    const fault = await wrong(vector);
    if (fault !== undefined) {
      found.push(`${JSON.stringify(vector).slice(0, 200)}: ${fault.slice(0, 200)}`);
    }
  }
  assert.deepEqual(found, []);
});

test("a vector with the opposite verdict is told", async () => {
  for (const group of new Set(VECTORS.map((vector) => vector.group))) {
    for (const vector of VECTORS.filter((one) => one.group === group)) {
      const verdict = vector.verdict === "accept" ? "reject" : "accept";
      assert.notEqual(await wrong({ ...vector, verdict }), undefined, JSON.stringify(vector).slice(0, 200));
    }
  }
});

test("the table of currencies is the shared one", () => {
  assert.deepEqual(Object.fromEntries([...MINOR_UNITS].sort()), read("currencies.json").decimals);
});

test("a subscription gets the verdict of its row", async () => {
  /** @type {Vector[]} */
  const rows = read("subscriptions.json").rows;
  assert.ok(rows.length >= 80);
  for (const { name, subject, queue_group, verdict } of rows) {
    const queueGroup = queue_group === undefined ? undefined : string(queue_group);
    const subscribing = subscribe(noConnection, string(subject), () => {}, { queueGroup });
    const error = await subscribing.then(() => undefined, (/** @type {unknown} */ thrown) => thrown);
    assert.equal(error === published ? "accept" : error instanceof BadInput ? "reject" : error, verdict, name);
  }
});

test("the words of a server name the subject of their row", () => {
  /** @type {[string, string | null][]} */
  const rows = read("permissions.json").rows;
  assert.ok(rows.length >= 40);
  for (const [words, subject] of rows) {
    const action = words.includes("for Publish") ? "publish" : "subscription";
    assert.deepEqual(refused(words), subject === null ? undefined : { action, subject }, words);
  }
});
