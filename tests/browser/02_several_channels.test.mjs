import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

scenario("2 several channels: one connection, each listener gets only its own, a later one joins without a reconnect", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  for (const channel of ["a", "b", "c"]) await socket.subscribe(channel);
  await socket.ready("a", "b", "c");

  const peer = await stage.peer();
  const offsets = {};
  for (const channel of ["a", "b", "c"]) offsets[channel] = await peer.publish(channel, { on: channel });
  await socket.subscribe("d");
  await socket.ready("d");
  offsets.d = await peer.publish("d", { on: "d" });
  for (const channel of ["a", "b", "c"]) offsets[channel] = await peer.publish(channel, { on: channel });

  for (const [channel, count] of Object.entries({ a: 2, b: 2, c: 2, d: 1 })) {
    const messages = await socket.untilOffset(channel, offsets[channel]);
    assert.equal(messages.length, count, `messages on ${channel}`);
    assert.ok(messages.every((message) => message.channel === channel && message.data.on === channel), `only ${channel}'s own`);
  }
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  assert.equal((await page.dials()).length, 1);
  const subscribed = (await socket.entries("state of subscription")).map(({ detail }) => detail.channel);
  for (const channel of ["a", "b", "c", "d"]) assert.ok(subscribed.includes(channel), `${channel} told its state`);
});
