// Exact amounts: from what a caller gives to the digits on the wire, never by a binary float.

import { BadInput } from "./errors.mjs";
import { excerpt } from "./subjects.mjs";

/**
 * What an amount may be given as: a decimal string ("9.90"), or a number, which counts by its
 * shortest form (9.99 is 9.99).
 *
 * @typedef {string | number | bigint} Amount
 */

/** Digits before the point; more are refused, by the service too. */
const MAX_WHOLE_DIGITS = 15;
/** The grammar of JSON's numbers (RFC 8259, section 6), without the sign. */
const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/** Codes without minor units (gold, tests) are out. @type {[number, string][]} */
const CODES = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
     CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
     GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
     MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
     PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
     TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  ],
  [2, "BGN CUC HRK SLL ZWL"], // not legal tender any more, but the service still takes them
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];

/** ISO 4217: how many decimals each currency has. @type {ReadonlyMap<string, number>} */
export const MINOR_UNITS = new Map(
  CODES.flatMap(([decimals, codes]) => codes.split(/\s+/).map((code) => /** @type {const} */ ([code, decimals]))),
);

/** What a payment without a currency is in. */
export const DEFAULT_CURRENCY = "USD";

/**
 * The JSON number for `amount`, with exactly the decimals that were given: "9.90" is 9.90.
 *
 * Throws BadInput for what is not a number, not above zero, has more than 15 digits before the
 * point, or more decimals than the currency has; zeros at the end do not count.
 *
 * @param {Amount} amount
 * @param {string} [currency] ISO 4217, in capitals
 * @returns {string}
 */
export function amountToken(amount, currency = DEFAULT_CURRENCY) {
  const decimals = MINOR_UNITS.get(currency);
  if (decimals === undefined) {
    throw new BadInput(`currency ${excerpt(currency)} is not a known ISO 4217 code, as USD`);
  }
  const { digits, point } = exact(amount);
  const first = digits.search(/[1-9]/);
  if (first < 0) {
    throw new BadInput(`amount ${excerpt(amount)} is not above zero`);
  }
  // Before anything is written out: an exponent may be of any size.
  if (point - first > MAX_WHOLE_DIGITS) {
    throw new BadInput(`amount ${excerpt(amount)} has over ${MAX_WHOLE_DIGITS} digits before the point`);
  }
  const given = digits.replace(/0+$/, "").length - point;
  if (given > decimals) {
    throw new BadInput(`amount ${excerpt(amount)} has ${given} decimal${given === 1 ? "" : "s"}, and ${currency} has ${decimals}`);
  }
  const padded = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
  const at = Math.max(point, 1);
  const whole = padded.slice(0, at).replace(/^0+(?=[0-9])/, "");
  const fraction = padded.slice(at);
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/**
 * The digits of an amount, and how many of them stand before the point.
 *
 * @param {Amount} amount
 * @returns {{ digits: string, point: number }}
 */
function exact(amount) {
  if (!["string", "number", "bigint"].includes(typeof amount)) {
    throw new BadInput(`amount ${excerpt(amount)} is neither a string nor a number`);
  }
  // String() of a number is its shortest form, of a bigint all its digits.
  const parts = DECIMAL.exec(String(amount));
  if (parts === null) {
    const negative = /^-[0-9]/.test(String(amount));
    throw new BadInput(
      `amount ${excerpt(amount)} is not ${negative ? "above zero" : "a decimal number, as 9.99"}`,
    );
  }
  const [, before = "", after = "", power = "0"] = parts;
  return { digits: before + after, point: before.length + Number(power) };
}
