// The subjects of the contract, and the checks on what becomes part of one.

import { BadInput } from "./errors.mjs";

/** Request-reply. */
export const MATH_CALCULATE = "services.math.calculate";
/** Queue group, fire-and-forget. */
export const EMAIL_SEND = "services.notification.email-send";
/** JetStream, stored by the stream PAYMENT_REQUESTS. */
export const PAYMENT_PROCESS = "services.payment.payment-process";
export const PAYMENT_REQUESTS = "payment-requests";
/** Request-reply. */
export const PAYMENT_STATUS = "services.payment.status";

const EVENT_PREFIX = "payments.events";
const MAX_BYTES = 1024;

/**
 * Returns `paymentId` where it is 1 to 64 of A-Z a-z 0-9 _ -.
 *
 * @param {unknown} paymentId
 * @returns {string}
 */
export function checkPaymentId(paymentId) {
  if (typeof paymentId === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(paymentId)) {
    return paymentId;
  }
  throw new BadInput(`paymentId ${excerpt(paymentId)} is not 1 to 64 of A-Z a-z 0-9 _ -`);
}

/**
 * Where the broker tells of what is recorded for one payment.
 *
 * @param {string} paymentId
 */
export function paymentEvents(paymentId) {
  return `${EVENT_PREFIX}.${checkPaymentId(paymentId)}`;
}

/**
 * Returns `subject` where one can publish to it. The broker itself stores messages under subjects
 * with wildcards, and breaks the connection over one that is too long.
 *
 * @param {string} subject
 */
export function checkPublishSubject(subject) {
  const tokens = checkTokens(subject);
  if (tokens.includes("*") || tokens.includes(">")) {
    throw new BadInput(`subject ${excerpt(subject)} has a wildcard: one publishes to a literal one`);
  }
  return subject;
}

/**
 * Returns `subject` where one can subscribe to it; it may have wildcards.
 *
 * @param {string} subject
 */
export function checkSubscribeSubject(subject) {
  const tokens = checkTokens(subject);
  if (tokens.slice(0, -1).includes(">")) {
    throw new BadInput(`subject ${excerpt(subject)} has a > before its end`);
  }
  return subject;
}

/**
 * Returns `group` where a queue group can have that name.
 *
 * @param {string} group
 */
export function checkQueueGroup(group) {
  return checkWord("queue group", group);
}

/** @param {string} subject */
function checkTokens(subject) {
  const tokens = checkWord("subject", subject).split(".");
  if (tokens.includes("")) {
    throw new BadInput(`subject ${excerpt(subject)} has an empty token`);
  }
  return tokens;
}

/**
 * Returns `text` where it is one word of a protocol line: behind a blank, another would begin, and
 * nats.js writes whatever it is given.
 *
 * @param {string} what
 * @param {string} text
 */
function checkWord(what, text) {
  if (typeof text !== "string" || text === "") {
    throw new BadInput(`a ${what} must be a text that is not empty`);
  }
  if (!isWellFormed(text)) {
    throw new BadInput(`${what} ${excerpt(text)} is not valid Unicode`);
  }
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw new BadInput(`${what} ${excerpt(text)} is longer than ${MAX_BYTES} bytes`);
  }
  if (/[\p{White_Space}\p{Cc}]/u.test(text)) {
    throw new BadInput(`${what} ${excerpt(text)} has white space or a control character`);
  }
  return text;
}

/**
 * False where UTF-8 could not carry the text: half of a surrogate pair stands alone.
 *
 * @param {string} text
 */
export function isWellFormed(text) {
  return !/\p{Surrogate}/u.test(text);
}

/**
 * A bounded, printable piece of what came in, for an error message.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function excerpt(value) {
  let text;
  try {
    text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  } catch {
    text = String(value); // what JSON cannot show: a bigint, a cycle
  }
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
