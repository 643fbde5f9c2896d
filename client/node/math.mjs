// `MathClient`: arithmetic by request-reply.

import { BadReply, DomainError } from "./errors.mjs";
import { checkNumber, checkText, encode } from "./json.mjs";
import { MATH_CALCULATE } from "./subjects.mjs";
import { ask } from "./wire.mjs";

/** @typedef {import("./wire.mjs").NatsConnection} NatsConnection */
/** @typedef {import("./wire.mjs").Timeout} Timeout */

/**
 * What `calculate` returns: `result` or, for a domain error, `error`; never both.
 *
 * @typedef {{ operation: string, result: number, error?: undefined }
 *   | { operation: string, result?: undefined, error: string }} MathReply
 */

/**
 * Asks `services.math.calculate`.
 *
 *     await new MathClient(nc).add(10, 5)  // 15
 *
 * Every method throws BadInput (NaN, infinity), NoResponders, RequestTimeout, ServiceError,
 * BadReply, ConnectionFailed or PermissionDenied. All but `calculate` throw DomainError where there
 * is no result, except as they say.
 */
export class MathClient {
  #nc;

  /** @param {NatsConnection} nc */
  constructor(nc) {
    this.#nc = nc;
  }

  /**
   * The reply as it is: `{ operation: "add", result: 15 }`. A domain error is a reply too:
   * `{ operation: "divide", error: "division by zero" }`.
   *
   * @param {string} operation one of add, subtract, multiply, divide, power, sqrt
   * @param {number} a
   * @param {number | null} [b] for all but sqrt
   * @param {Timeout} [options]
   * @returns {Promise<MathReply>}
   */
  async calculate(operation, a, b, options) {
    const body = encode({
      operation: checkText("operation", operation),
      a: checkNumber("a", a),
      b: b === undefined || b === null ? undefined : checkNumber("b", b),
    });
    const { reply, text } = await ask(this.#nc, MATH_CALCULATE, body, options);
    reply.operation ??= operation;
    for (const name of ["operation", "error"]) {
      if (typeof (reply[name] ?? "") !== "string") {
        throw new BadReply(`the ${name} is no text: ${text}`);
      }
    }
    const none = reply.result === undefined || reply.result === null;
    if (typeof reply.result !== "number" && (!none || !reply.error)) {
      throw new BadReply(`neither a number nor an error: ${text}`);
    }
    if (reply.error) {
      // The original server writes `"result": 0` beside its errors: the error wins.
      delete reply.result;
    } else {
      delete reply.error; // null or empty: there is none
    }
    return /** @type {MathReply} */ (reply);
  }

  /**
   * a + b.
   *
   * @param {number} a
   * @param {number} b
   * @param {Timeout} [options]
   * @returns {Promise<number>}
   */
  async add(a, b, options) {
    return result(await this.calculate("add", a, checkNumber("b", b), options));
  }

  /**
   * a - b.
   *
   * @param {number} a
   * @param {number} b
   * @param {Timeout} [options]
   * @returns {Promise<number>}
   */
  async subtract(a, b, options) {
    return result(await this.calculate("subtract", a, checkNumber("b", b), options));
  }

  /**
   * a × b.
   *
   * @param {number} a
   * @param {number} b
   * @param {Timeout} [options]
   * @returns {Promise<number>}
   */
  async multiply(a, b, options) {
    return result(await this.calculate("multiply", a, checkNumber("b", b), options));
  }

  /**
   * a / b; null where b is zero.
   *
   * @param {number} a
   * @param {number} b
   * @param {Timeout} [options]
   * @returns {Promise<number | null>}
   */
  async divide(a, b, options) {
    const reply = await this.calculate("divide", a, checkNumber("b", b), options);
    return reply.error !== undefined && b === 0 ? null : result(reply);
  }

  /**
   * a to the power of b.
   *
   * @param {number} a
   * @param {number} b
   * @param {Timeout} [options]
   * @returns {Promise<number>}
   */
  async power(a, b, options) {
    return result(await this.calculate("power", a, checkNumber("b", b), options));
  }

  /**
   * The square root of a; null where a is negative.
   *
   * @param {number} a
   * @param {Timeout} [options]
   * @returns {Promise<number | null>}
   */
  async sqrt(a, options) {
    const reply = await this.calculate("sqrt", a, undefined, options);
    return reply.error !== undefined && a < 0 ? null : result(reply);
  }
}

/**
 * @param {MathReply} reply
 * @returns {number}
 */
function result(reply) {
  if (reply.error !== undefined) {
    throw new DomainError(reply.error);
  }
  return reply.result;
}
