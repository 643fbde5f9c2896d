// The words in which a server refuses something, beside the operation and never in answer to it.
//
// nats.js takes the subject as it is quoted there, and finds no operation by it.

const VIOLATION =
  /permissions violation for (publish|subscription) (?:to|with reply of) "((?:[^"\\]|\\.)*)"/i;
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g;
/** @type {Record<string, string>} */
const LETTERS = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/**
 * What the server's words refuse; the subject is empty where there is one subscription too many.
 *
 * @param {string} words
 * @returns {{ action: "publish" | "subscription", subject: string } | undefined}
 */
export function refused(words) {
  const [, action, quoted] = VIOLATION.exec(words) ?? [];
  if (action !== undefined && quoted !== undefined) {
    const subject = unquoted(quoted);
    return { action: action.toLowerCase() === "publish" ? "publish" : "subscription", subject };
  }
  // It does not say which subscription it is.
  const tooMany = words.toLowerCase().includes("maximum subscriptions exceeded");
  return tooMany ? { action: "subscription", subject: "" } : undefined;
}

/**
 * What stands between quotes of Go's %q, as its strconv.Unquote has it: what follows an x is one byte
 * of UTF-8.
 *
 * @param {string} quoted
 */
function unquoted(quoted) {
  const bytes = (/** @type {string} */ text) => Buffer.from(text).toString("latin1");
  const plain = bytes(quoted).replace(ESCAPE, (_, byte, short, long, letter) => {
    if (letter !== undefined) {
      return LETTERS[letter] ?? letter;
    }
    const code = parseInt(byte ?? short ?? long, 16);
    // No server quotes more than there is.
    return byte === undefined ? bytes(String.fromCodePoint(Math.min(code, 0x10ffff))) : String.fromCharCode(code);
  });
  return Buffer.from(plain, "latin1").toString();
}
