import assert from "node:assert/strict";
import { test } from "node:test";

import { decoderSource, encode } from "./wasm-text.mjs";

test("every byte comes back, and the text holds nothing that a string literal must escape", () => {
  const bytes = Uint8Array.from({ length: 512 }, (_, index) => (index * 7) % 256);
  const text = encode(bytes);
  assert.match(text, /^[ !#-[\]-~]+$/);
  const decode = new Function("text", `return (${decoderSource})();`);
  assert.deepEqual(decode(text), bytes);
});
