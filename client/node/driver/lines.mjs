// Lines of a stream of bytes. Not node:readline: that also ends a line at a carriage return or at
// U+2028, both of which may stand in a command.

const LINE_FEED = 10;

/**
 * Every line that is not blank, without its end.
 *
 * @param {AsyncIterable<Buffer>} stream
 * @returns {AsyncGenerator<Buffer>}
 */
export async function* lines(stream) {
  /** @type {Buffer[]} */
  let begun = [];
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const line = Buffer.concat([...begun, chunk.subarray(start, end)]);
      begun = [];
      start = end + 1;
      if (!isBlank(line)) {
        yield line;
      }
    }
    begun.push(chunk.subarray(start));
  }
  const last = Buffer.concat(begun);
  if (!isBlank(last)) {
    yield last;
  }
}

/** @param {Buffer} line */
function isBlank(line) {
  return line.every((byte) => byte === 32 || byte === 9 || byte === 13);
}
