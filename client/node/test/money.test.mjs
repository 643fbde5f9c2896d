// Amounts stay exact from what a caller gives to the digits on the wire, and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInput } from "../errors.mjs";
import { decode, encode, numberToken, stringify, Token } from "../json.mjs";
import { amountToken } from "../money.mjs";

test("a string keeps its digits, a number counts by its shortest form", () => {
  for (const [given, written] of /** @type {const} */ ([
    ["9.90", "9.90"],
    [9.99, "9.99"],
    [0.1, "0.1"],
    ["1E+2", "100"],
    ["0.001e3", "1"],
    ["15e-1", "1.5"],
    [5n, "5"],
    ["123456789012345.10", "123456789012345.10"],
  ])) {
    assert.equal(amountToken(given), written);
  }
  assert.equal(amountToken("9", "JPY"), "9");
  assert.equal(amountToken("9.999", "KWD"), "9.999");
});

test("what is no amount is refused before anything is sent", () => {
  for (const given of ["0", "0.00", "-1", -1, NaN, Infinity, "1e15", "9.999", "", " 1", "1e-400", "0x1"]) {
    assert.throws(() => amountToken(given), BadInput, String(given));
  }
  assert.throws(() => amountToken(/** @type {any} */ (true)), BadInput);
  assert.throws(() => amountToken("9.5", "JPY"), BadInput);
  assert.throws(() => amountToken("9", "usd"), BadInput);
});

test("a token is written as it stands", () => {
  assert.equal(encode({ a: new Token("9.90"), b: undefined }).toString(), '{"a":9.90}');
  assert.throws(() => stringify({ a: NaN }), BadInput);
  assert.throws(() => stringify({ a: "\ud800" }), BadInput);
});

test("the digits of a member come from the text, not from a float", () => {
  const { text } = decode(Buffer.from('{"x":{"amount":1},"a":"\\"amount\\":2", "amount" : 9.90 }'));
  assert.equal(numberToken(text, "amount"), "9.90");
  assert.equal(numberToken('{"amount":"9.90"}', "amount"), null);
  assert.equal(numberToken('{"amount":1,"amount":2.0}', "amount"), "2.0");
  assert.equal(numberToken("{}", "amount"), null);
});
