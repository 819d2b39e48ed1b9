// Puts a wasm module into JavaScript as text that compresses almost as well as the bytes themselves.
//
// Base64 writes three bytes as four letters, so equal runs of bytes become different letters and gzip no longer finds them: for a
// module of 10 KB that costs 1.4 KB. Here each byte is one letter, or two when it is 89 or more, and equal bytes are always equal
// letters: the cost is under 100 bytes. The text is plain ASCII without quote marks and backslashes, so that neither a page's
// character set nor a minifier changes it.

import { readFileSync } from "node:fs";

/** The letters `#` to `|` without the backslash: 89 of them. */
const FIRST = 35;
const BACKSLASH = 92;
const PAGE = 89;
/** A letter before another adds a page to it: `}` one, `~` two. */
const SHIFT = 124;

/** The text of `bytes`. */
export function encode(bytes) {
  let text = "";
  for (const byte of bytes) {
    const page = Math.floor(byte / PAGE);
    const code = (byte % PAGE) + FIRST;
    if (page > 0) text += String.fromCharCode(SHIFT + page);
    text += String.fromCharCode(code < BACKSLASH ? code : code + 1);
  }
  return text;
}

/** JavaScript of a function that gives the bytes back, for a module that holds the text. */
export const decoderSource = `() => {
  const bytes = [];
  let page = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > ${SHIFT}) page = (code - ${SHIFT}) * ${PAGE};
    else {
      bytes.push(page + code - (code > ${BACKSLASH} ? ${FIRST + 1} : ${FIRST}));
      page = 0;
    }
  }
  return Uint8Array.from(bytes);
}`;

/** esbuild plugin: `import wasmBytes from "x.wasm"` is a function that returns the bytes of `file`. */
export function inlineWasm(file) {
  return {
    name: "inline-wasm",
    setup(build) {
      build.onResolve({ filter: /\.wasm$/ }, () => ({ path: file, sideEffects: false }));
      build.onLoad({ filter: /\.wasm$/ }, () => ({
        contents: `const text = ${JSON.stringify(encode(readFileSync(file)))};\nexport default ${decoderSource};`,
        loader: "js",
      }));
    },
  };
}
