// The golden vectors of the protocol, as the page's half reads them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import { CAUSES, hash } from "./bridge.js";

const vectors = (name) =>
  JSON.parse(readFileSync(new URL(`../../protocol/vectors/${name}.json`, import.meta.url), "utf8"));
const { connect } = createRequire(import.meta.url)("../dist/index.cjs");

/** A socket that never opens. */
class Nowhere {
  readyState = 0;
  close() {}
}

test("causes stand in the order of the closed list, in its kinds", () => {
  const golden = vectors("causes");
  assert.deepEqual(CAUSES.flat(), golden.map(({ cause }) => cause));
  const kinds = [...new Set(golden.map(({ kind }) => kind))];
  assert.deepEqual(CAUSES, kinds.map((kind) => golden.filter((it) => it.kind === kind).map(({ cause }) => cause)));
});

test("the digest of channels is the XOR of their hashes", () => {
  for (const { channels, sum } of vectors("digests")) {
    assert.equal(channels.reduce((digest, name) => (digest ^ hash(name)) >>> 0, 0), sum, channels.join());
  }
});

test("a name is refused in the page exactly when the server would refuse it", () => {
  const socket = connect("ws://127.0.0.1:9/ws", { WebSocket: Nowhere, health: false });
  for (const { name, channel, valid } of vectors("names")) {
    const subscribe = () => socket.subscribe(channel).unsubscribe();
    if (valid) subscribe();
    else assert.throws(subscribe, { name: "TypeError", message: /channel/ }, name);
  }
  socket.close();
});
