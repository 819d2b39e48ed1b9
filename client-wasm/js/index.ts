/** The default entry: the core is inlined, and compiled at the first `connect()`. */

// First, since gzip does best with it at the very beginning of the bundle.
import bytes from "../pkg/core_bg.wasm";
import { initSync } from "../pkg/core.js";
import { connector } from "./client.js";
import type { Core } from "./client.js";

let loaded: Core | Promise<Core> | undefined;

function load(): Core | Promise<Core> {
  if (loaded) return loaded;
  const wasm = bytes();
  const begin = (module: WebAssembly.Module) => (loaded = initSync({ module }));
  try {
    return begin(new WebAssembly.Module(wasm));
  } catch (error) {
    // Some engines compile only small modules on the main thread.
    if (!(error instanceof RangeError)) throw error;
    return (loaded = WebAssembly.compile(wasm).then(begin));
  }
}

export const connect = connector(load);
export { RejoinError } from "./client.js";
export type * from "./client.js";
