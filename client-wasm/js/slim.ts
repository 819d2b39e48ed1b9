/** The entry without the core: it fetches `core.wasm` beside it, for pages that cache it as a file of its own. */

import init from "../pkg/core.js";
import { connector } from "./client.js";
import type { Core } from "./client.js";

let loaded: Promise<Core> | undefined;

export const connect = connector(
  () => (loaded ??= init({ module_or_path: new URL("core.wasm", import.meta.url) })),
);
export { RejoinError } from "./client.js";
export type * from "./client.js";
