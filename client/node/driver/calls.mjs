// `call`: from a method's name and arguments to the typed clients.

import { EmailClient } from "../email.mjs";
import { BadInput } from "../errors.mjs";
import { Token } from "../json.mjs";
import { MathClient } from "../math.mjs";
import { PaymentClient } from "../payment.mjs";
import { excerpt } from "../subjects.mjs";

/** @typedef {import("../wire.mjs").NatsConnection} NatsConnection */

/**
 * One method: its parameters (those that end in ? may be left out), the options it knows beside
 * `timeout`, and how it is called.
 *
 * @typedef {{
 *   parameters: string[],
 *   options?: string[],
 *   run: (nc: NatsConnection, args: any[], options: any) => Promise<unknown>,
 * }} Method
 */

/** @param {"add" | "subtract" | "multiply" | "divide" | "power"} name @returns {Method} */
const binary = (name) => ({
  parameters: ["a", "b"],
  run: (nc, [a, b], options) => new MathClient(nc)[name](a, b, options),
});

/** @type {Map<string, Method>} */
const METHODS = new Map(
  Object.entries({
    "math.add": binary("add"),
    "math.subtract": binary("subtract"),
    "math.multiply": binary("multiply"),
    "math.divide": binary("divide"),
    "math.power": binary("power"),
    "math.sqrt": {
      parameters: ["a"],
      run: (nc, [a], options) => new MathClient(nc).sqrt(a, options),
    },
    "math.calculate": {
      parameters: ["operation", "a", "b?"],
      run: (nc, [operation, a, b], options) => new MathClient(nc).calculate(operation, a, b, options),
    },
    "email.send_email": {
      parameters: ["to", "subject", "body?"],
      options: ["confirm"],
      run: async (nc, [to, subject, body], options) => {
        await new EmailClient(nc).sendEmail(to, subject, body ?? undefined, options);
        return null;
      },
    },
    "email.send_bulk_emails": {
      parameters: ["emails"],
      run: (nc, [emails], options) => {
        if (!Array.isArray(emails)) {
          throw new BadInput(`emails is not a list: ${excerpt(emails)}`);
        }
        const named = emails.map((email) =>
          Array.isArray(email) ? { to: email[0], subject: email[1], body: email[2] } : email,
        );
        return new EmailClient(nc).sendBulkEmails(named, options);
      },
    },
    "payment.submit_payment": {
      parameters: ["payment_id", "user_id?", "subscription_id?", "amount?", "currency?"],
      run: (nc, [id, user, subscription, amount, currency], options) => {
        if (amount === undefined || amount === null) {
          throw new BadInput("amount is required");
        }
        const more = { ...options, currency: currency ?? undefined };
        return new PaymentClient(nc).submitPayment(id, user, subscription, amount, more);
      },
    },
    "payment.get_status": {
      parameters: ["payment_id"],
      run: async (nc, [id], options) => shown(await new PaymentClient(nc).getStatus(id, options)),
    },
    "payment.wait_for_status": {
      parameters: ["payment_id"],
      run: async (nc, [id], options) =>
        shown(await new PaymentClient(nc).waitForStatus(id, options)),
    },
  }),
);

/**
 * The method of that name; undefined where there is none.
 *
 * @param {string} name
 */
export function method(name) {
  return METHODS.get(name);
}

/**
 * The arguments by position, and the options, from arguments given by position or by name.
 *
 * @param {string} name
 * @param {Method} method
 * @param {unknown[]} args
 * @param {Record<string, unknown>} kwargs
 * @param {number} timeoutMs where no `timeout`, in seconds, is among the arguments
 */
export function bind(name, { parameters, options = [] }, args, kwargs, timeoutMs) {
  const names = parameters.map((parameter) => parameter.replace("?", ""));
  if (args.length > names.length) {
    throw new BadInput(`${name} takes ${names.length} arguments, not ${args.length}`);
  }
  const bound = [...args];
  /** @type {Record<string, unknown>} */
  const rest = { timeout: timeoutMs };
  for (const [key, value] of Object.entries(kwargs)) {
    const at = names.indexOf(key);
    if (key === "timeout") {
      rest.timeout = typeof value === "number" ? value * 1000 : value;
    } else if (options.includes(key)) {
      rest[key] = value;
    } else if (at < 0) {
      throw new BadInput(`${name} has no argument ${excerpt(key)}`);
    } else if (at < args.length) {
      throw new BadInput(`${name} has two values for ${key}`);
    } else {
      bound[at] = value;
    }
  }
  for (const [at, parameter] of parameters.entries()) {
    if (bound[at] === undefined && !parameter.endsWith("?")) {
      throw new BadInput(`${name} misses its argument ${parameter}`);
    }
  }
  return { bound, options: rest };
}

/**
 * A status in JSON, in which the amount is a number with all its digits.
 *
 * @param {import("../payment.mjs").PaymentStatus} status
 */
function shown({ amount, ...status }) {
  return { ...status, amount: amount === undefined ? undefined : new Token(amount) };
}
