// Where the program is: in the package for this platform.

import { createRequire } from "node:module";

export const platform = `${process.platform}-${process.arch}`;

/** @returns {string | undefined} the program's path, where its package is installed */
export function installed() {
  try {
    return createRequire(import.meta.url).resolve(`@mono-demo/${platform}/bin/mono-demo`);
  } catch {
    return undefined;
  }
}
