/** The entry without the core: it fetches `core.wasm` beside it, for pages that cache it as a file of its own. */

import * as core from "../pkg/core.js";
import { connector } from "./client.js";

let loaded: Promise<typeof core> | undefined;

export const connect = connector(() => {
  loaded ??= core
    .default({ module_or_path: new URL("core.wasm", import.meta.url) })
    .then(() => core);
  return loaded;
});
export { RejoinError } from "./client.js";
export type * from "./client.js";
