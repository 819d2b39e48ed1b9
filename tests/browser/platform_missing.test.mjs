import assert from "node:assert/strict";
import { OPTIONS, scenario } from "./harness.mjs";

/** What lacks, the page it lacks in, the code that says so, and what the error has to mention. */
const MISSING = {
  "WebAssembly": { before: () => { delete globalThis.WebAssembly; }, code: "wasm_blocked", mentions: /WebAssembly/ },
  "permission to compile WebAssembly": { query: { csp: "no-wasm" }, code: "wasm_blocked", mentions: /wasm-unsafe-eval/, expected: /wasm|WebAssembly|unsafe-eval/i },
  "WebSocket": { before: () => { delete globalThis.WebSocket; }, code: "no_websocket", mentions: /WebSocket/ },
};

for (const [what, { before, query, code, mentions, expected }] of Object.entries(MISSING)) {
  scenario(`no ${what}: one clear error from connect, and nothing left behind`, async ({ stage }) => {
    const page = await stage.page({ before, query });
    if (expected) page.expectedErrors.push(expected);
    const error = await page.evaluate(async ([url, options]) => {
      const { connect, RejoinError } = await import("/rejoin/index.js");
      try {
        connect(url, options);
        return null;
      } catch (error) {
        return { ...recorder.described(error), own: error instanceof RejoinError };
      }
    }, [stage.url, OPTIONS]);
    assert.equal(error?.code, code, JSON.stringify(error));
    assert.ok(error.own && error.isError);
    assert.equal(error.retryable, false);
    assert.match(error.message, mentions);
    assert.deepEqual(await page.dials(), []);
  });
}
