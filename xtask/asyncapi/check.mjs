// Holds an AsyncAPI document against the public parser: `node check.mjs FILE`. Exits with 1 where
// the parser finds an error.

import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics.filter(({ severity }) => severity === 0);
for (const { severity, path, message } of diagnostics) {
  console.log(`${["error", "warning", "information", "hint"][severity]}: /${path.join("/")}: ${message}`);
}
if (errors.length > 0 || document === undefined) {
  process.exit(1);
}
const counts = ["channels", "operations", "messages"].map((part) => `${document[part]().length} ${part}`);
console.log(`AsyncAPI ${document.version()}: ${counts.join(", ")}, no errors`);
