// `PaymentClient`: payments through JetStream, charged once however often they are submitted.

import { Deadline } from "./deadline.mjs";
import {
  BadInput,
  BadReply,
  ClientError,
  ConnectionFailed,
  NoResponders,
  RequestTimeout,
  ServiceError,
} from "./errors.mjs";
import { checkText, encode, numberToken, Token } from "./json.mjs";
import { amountToken } from "./money.mjs";
import { Outgoing } from "./outgoing.mjs";
import {
  checkPaymentId,
  PAYMENT_PROCESS,
  PAYMENT_REQUESTS,
  PAYMENT_STATUS,
  paymentEvents,
} from "./subjects.mjs";
import { ask, DEFAULT_TIMEOUT, submit, subscribe } from "./wire.mjs";

/** @typedef {import("./money.mjs").Amount} Amount */
/** @typedef {import("./wire.mjs").Ack} Ack */
/** @typedef {import("./wire.mjs").NatsConnection} NatsConnection */
/** @typedef {import("./wire.mjs").Timeout} Timeout */

/**
 * `completed` and `failed` are final: they never change.
 *
 * @typedef {"pending" | "processing" | "completed" | "failed"} Status
 */

/**
 * What is known of a payment.
 *
 * `amount` is decimal text, exact, and comes with `currency` once known. `content` is the SHA-256,
 * in hex, of what was submitted: it tells which of two submissions with the same id counted.
 *
 * @typedef {{
 *   payment_id: string,
 *   status: Status,
 *   message?: string,
 *   amount?: string,
 *   currency?: string,
 *   content?: string,
 * }} PaymentStatus
 */

/** @type {Set<unknown>} */
const STATUSES = new Set(["pending", "processing", "completed", "failed"]);

const NUMBER = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** The service refuses a longer userId or subscriptionId. */
const MAX_FIELD_BYTES = 256;
/** An event is a core message and can be missed across a reconnect: ask at least this often (ms). */
const ASK_EVERY = 1000;
/** Where nobody answered, there is no event to wait for (ms). */
const ASK_AGAIN = 100;
/** One answer that gets lost must not use up the whole wait (ms). */
const ASK_TIMEOUT = 2000;

/**
 * Submits to `services.payment.payment-process`, and asks `services.payment.status`.
 *
 *     const payment = new PaymentClient(nc);
 *     await payment.submitPayment("pay-001", "user-123", "sub-monthly", 9.99);
 *     await payment.waitForStatus("pay-001");  // { payment_id: "pay-001", status: "completed", … }
 *
 * Every method throws BadInput, RequestTimeout, ConnectionFailed, PermissionDenied and what it
 * says itself.
 */
export class PaymentClient {
  #nc;

  /** @param {NatsConnection} nc */
  constructor(nc) {
    this.#nc = nc;
  }

  /**
   * Hands a payment to JetStream; from the Ack on it is neither lost nor charged twice.
   *
   * `amount` is above zero and has no more decimals than `currency` (ISO 4217, USD by default).
   * After an error that is not `definite`, submit the same again: it is charged once.
   *
   * `duplicate` says that a message with this id came shortly before. Whose it was, nothing tells:
   * anybody may put this id on another payment. So this one is then stored without the message id,
   * which cannot charge it twice; `sequence` is that of the other one.
   * Also throws NoStream, PublishRefused, BadReply and PayloadTooLarge.
   *
   * @param {string} paymentId 1 to 64 of A-Z a-z 0-9 _ -
   * @param {string | null | undefined} userId
   * @param {string | null | undefined} subscriptionId
   * @param {Amount} amount
   * @param {Timeout & { currency?: string }} [options]
   * @returns {Promise<Ack>}
   */
  async submitPayment(
    paymentId,
    userId,
    subscriptionId,
    amount,
    { currency, timeout = DEFAULT_TIMEOUT } = {},
  ) {
    const body = encode({
      payment_id: checkPaymentId(paymentId),
      user_id: optional("userId", userId),
      subscription_id: optional("subscriptionId", subscriptionId),
      amount: new Token(amountToken(amount, currency)),
      currency,
    });
    // What another stream stores no worker takes.
    const headers = { "Nats-Expected-Stream": [PAYMENT_REQUESTS] };
    const message = new Outgoing(PAYMENT_PROCESS, body, { ...headers, "Nats-Msg-Id": [paymentId] });
    const deadline = new Deadline(timeout);
    const ack = await submit(this.#nc, message, { timeout });
    if (ack.duplicate) {
      const left = Math.max(deadline.left(), 1);
      await submit(this.#nc, new Outgoing(PAYMENT_PROCESS, body, headers), { timeout: left });
    }
    return ack;
  }

  /**
   * What is known now. An id that was never seen, or is not yet processed, is `pending`.
   * Also throws NoResponders, ServiceError and BadReply.
   *
   * @param {string} paymentId
   * @param {Timeout} [options]
   * @returns {Promise<PaymentStatus>}
   */
  async getStatus(paymentId, options) {
    const body = encode({ payment_id: checkPaymentId(paymentId) });
    const { reply, text } = await ask(this.#nc, PAYMENT_STATUS, body, options);
    if (reply.payment_id !== paymentId || !STATUSES.has(reply.status)) {
      throw new BadReply(`not a status of payment ${paymentId}: ${text}`);
    }
    for (const name of ["message", "amount", "currency", "content"]) {
      if (reply[name] === null) {
        delete reply[name]; // not known yet
      } else if (name !== "amount" && !["string", "undefined"].includes(typeof reply[name])) {
        throw new BadReply(`the status has a ${name} that is no text: ${text}`);
      }
    }
    if (reply.amount !== undefined) {
      const digits = typeof reply.amount === "string" ? reply.amount : numberToken(text, "amount");
      // As text it is no larger than a number in JSON may be.
      if (digits === null || !NUMBER.test(digits) || !Number.isFinite(Number(digits))) {
        throw new BadReply(`the status has an amount that is no number: ${text}`);
      }
      reply.amount = digits;
    }
    return /** @type {PaymentStatus} */ (/** @type {unknown} */ (reply));
  }

  /**
   * The final status, `completed` or `failed`, as soon as there is one.
   *
   * Outlasts a restart of the service or the broker. Throws RequestTimeout, with the last status
   * or error, where there is none in time; also BadReply and ServiceError (code 4xx).
   *
   * @param {string} paymentId
   * @param {Timeout} [options]
   * @returns {Promise<PaymentStatus>}
   */
  async waitForStatus(paymentId, { timeout = 30_000 } = {}) {
    const deadline = new Deadline(timeout);
    let changed = false;
    let wake = () => {};
    // First subscribe, then ask: a change between the two is not missed.
    const subscription = await subscribe(
      this.#nc,
      paymentEvents(paymentId),
      () => {
        changed = true;
        wake();
      },
      { timeout },
    );
    let last = "no answer yet";
    try {
      while (deadline.left() > 0) {
        changed = false;
        let pause = ASK_EVERY;
        try {
          const patience = Math.min(ASK_TIMEOUT, Math.max(deadline.left(), 1));
          const status = await this.getStatus(paymentId, { timeout: patience });
          if (status.status === "completed" || status.status === "failed") {
            return status;
          }
          last = status.status;
        } catch (error) {
          if (!passes(error)) {
            throw error;
          }
          last = String(error);
          pause = ASK_AGAIN;
        }
        if (!changed) {
          await deadline.bound(new Promise((resolve) => (wake = () => resolve(undefined))), pause);
        }
      }
    } finally {
      subscription.unsubscribe();
    }
    throw new RequestTimeout(`payment ${paymentId} has no final status after ${deadline}: ${last}`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {string | undefined}
 */
function optional(name, value) {
  if (value === undefined || value === null) {
    return undefined;
  }
  const text = checkText(name, value);
  if (Buffer.byteLength(text) > MAX_FIELD_BYTES) {
    throw new BadInput(`${name} is longer than ${MAX_FIELD_BYTES} bytes`);
  }
  return text;
}

/**
 * Whether a restart of a service or the broker explains it.
 *
 * @param {unknown} error
 * @returns {error is ClientError}
 */
function passes(error) {
  if (error instanceof ServiceError) {
    return error.code >= 500;
  }
  return [NoResponders, RequestTimeout, ConnectionFailed].some((kind) => error instanceof kind);
}
