import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

/** Each is wrong in one way; the error has to name the option, as the reader would look for it. */
const WRONG = [
  ["token", { token: 5 }],
  ["info", { info: "Ana" }],
  ["backoff", { backoff: 1000 }],
  ["backoff.base", { backoff: { base: -1 } }],
  ["backoff.base", { backoff: { base: "1s" } }],
  ["backoff.cap", { backoff: { cap: NaN } }],
  ["connectTimeout", { connectTimeout: "10s" }],
  ["connectTimeout", { connectTimeout: 0 }],
  ["probeTimeout", { probeTimeout: -5 }],
  ["health", { health: 5 }],
  ["witness", { witness: {} }],
  ["outbox", { outbox: "cloud" }],
  ["queue", { queue: 3 }],
  ["queue.count", { queue: { count: -1 } }],
  ["queue.bytes", { queue: { bytes: "1 MB" } }],
  ["WebSocket", { WebSocket: "ws" }],
  ["timeout", { timeout: 5000 }], // no such option: a misspelt one must not be ignored in silence
];
const WRONG_URLS = [undefined, 5, "", "ws://", "ftp://example.org/ws", "ws://example.org/ws#part"];

scenario("a wrong option throws a TypeError that names it", async ({ stage }) => {
  const page = await stage.page();
  const seen = await page.evaluate(async ([url, wrong]) => {
    const { connect } = await import("/rejoin/index.js");
    const attempt = (...options) => {
      try {
        connect(...options).close();
        return null;
      } catch (error) {
        return { isTypeError: error instanceof TypeError, message: error.message };
      }
    };
    return { wrong: wrong.map((options) => attempt(url, options)), notObject: attempt(url, "fast"), good: attempt(url, {}), none: attempt(url) };
  }, [stage.url, WRONG.map(([, options]) => options)]);
  WRONG.forEach(([name], index) => {
    assert.ok(seen.wrong[index], `${JSON.stringify(WRONG[index][1])} is taken`);
    assert.ok(seen.wrong[index].isTypeError, `${name}: not a TypeError: ${seen.wrong[index].message}`);
    assert.ok(name.split(".").every((part) => seen.wrong[index].message.includes(part)), `${JSON.stringify(WRONG[index][1])}: "${seen.wrong[index].message}" does not name ${name}`);
  });
  assert.ok(seen.notObject?.isTypeError && /options/.test(seen.notObject.message), JSON.stringify(seen.notObject));
  assert.equal(seen.good, null);
  assert.equal(seen.none, null);
});

scenario("a wrong URL, channel or listener throws a TypeError that names it", async ({ stage }) => {
  const page = await stage.page();
  const seen = await page.evaluate(async ([urls, url]) => {
    const { connect } = await import("/rejoin/index.js");
    const attempt = (action) => {
      try {
        action();
        return null;
      } catch (error) {
        return { isTypeError: error instanceof TypeError, message: error.message };
      }
    };
    const socket = connect(url);
    const result = {
      urls: urls.map((wrong) => attempt(() => connect(wrong === null ? undefined : wrong).close())),
      channels: [undefined, 7, "", "white space", "x".repeat(256)].map((channel) => attempt(() => socket.subscribe(channel, () => {}))),
      listener: attempt(() => socket.subscribe("a", "show")),
      from: attempt(() => socket.subscribe("a", () => {}, { from: "yesterday" })),
      rewind: attempt(() => socket.subscribe("a", () => {}, { from: { rewind: -1 } })),
      handler: attempt(() => socket.on("state", null)),
    };
    socket.close();
    return result;
  }, [WRONG_URLS.map((url) => url ?? null), stage.url]);
  seen.urls.forEach((error, index) => assert.ok(error?.isTypeError && /url/i.test(error.message), `${WRONG_URLS[index]}: ${JSON.stringify(error)}`));
  seen.channels.forEach((error, index) => assert.ok(error?.isTypeError && /channel/.test(error.message), `channel ${index}: ${JSON.stringify(error)}`));
  for (const [name, pattern] of Object.entries({ listener: /listener/, from: /from/, rewind: /rewind/, handler: /listener/ })) {
    assert.ok(seen[name]?.isTypeError && pattern.test(seen[name].message), `${name}: ${JSON.stringify(seen[name])}`);
  }
});
