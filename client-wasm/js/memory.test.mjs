// The core's memory: what a client takes, the next one takes again.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

/** The exports of the one instance that the package makes. */
let core;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (module, imports) {
  const instance = new Instance(module, imports);
  core = instance.exports;
  return instance;
};
const { connect } = createRequire(import.meta.url)("../dist/index.cjs");

/** A socket that opens when it is told to, and says what it is told to. */
class Scripted {
  static last;
  readyState = 1;
  constructor() {
    Scripted.last = this;
  }
  send() {}
  close() {}
  say(frame) {
    this.onmessage({ type: "message", data: JSON.stringify(frame) });
  }
}

const open = () => connect("ws://127.0.0.1:9/ws", { WebSocket: Scripted, health: false });

const use = () => {
  const socket = open();
  Scripted.last.onopen({ type: "open" });
  Scripted.last.say({ type: "welcome", epoch: "e", node: "n", ping: 25_000, grace: 10_000, retry: { window: [0, 1] }, channels: {} });
  assert.equal(socket.state, "connected");
  for (let at = 0; at < 20; at++) socket.subscribe(`channel-${at}`);
  for (let at = 0; at < 20; at++) socket.publish("a", at).catch(() => {});
  socket.close();
};

const sizes = () =>
  Object.values(core).flatMap((it) =>
    it instanceof WebAssembly.Memory ? it.buffer.byteLength : it instanceof WebAssembly.Table ? it.length : [],
  );

test("clients that come and go take no more memory than the first few", () => {
  for (let round = 0; round < 10; round++) use();
  const before = sizes();
  assert.ok(before.length >= 2, "its memory and its table of values are to be seen");
  for (let round = 0; round < 500; round++) use();
  assert.deepEqual(sizes(), before);
});

test("as many as are open at once have memory of their own, and the next as many have none beyond it", () => {
  const many = () => {
    const sockets = Array.from({ length: 200 }, open);
    assert.equal(new Set(sockets.map((socket) => socket.state)).size, 1);
    for (const socket of sockets) socket.close();
  };
  many();
  const before = sizes();
  for (let round = 0; round < 10; round++) many();
  assert.deepEqual(sizes(), before);
});
