// A command is what ends with a line feed, and nothing else ends one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { lines } from "../driver/lines.mjs";

/** @param {string[]} chunks */
async function split(chunks) {
  async function* stream() {
    for (const chunk of chunks) {
      yield Buffer.from(chunk);
    }
  }
  const found = [];
  for await (const line of lines(stream())) {
    found.push(line.toString());
  }
  return found;
}

test("chunks may end anywhere", async () => {
  assert.deepEqual(await split(["a", "b\nc\n", "\n \nd"]), ["ab", "c", "d"]);
  assert.deepEqual(await split([]), []);
});

test("a line separator of Unicode is data", async () => {
  assert.deepEqual(await split(["a\u2028b\rc\n"]), ["a\u2028b\rc"]);
});
