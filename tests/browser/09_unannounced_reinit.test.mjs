import assert from "node:assert/strict";
import { TIMES, numbered, scenario } from "./harness.mjs";

scenario("9 unannounced reinit: noticed within one ping, told as reinit, with a gap for each channel whose history is gone", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  for (const channel of ["a", "b"]) await socket.subscribe(channel);
  await socket.ready("a", "b");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 3));
  await peer.publishAll("b", numbered(1, 2));
  await socket.untilOffset("a", 3);
  await socket.untilOffset("b", 2);

  const replaced = await page.during(() => stage.server.replace());
  const { detail } = await socket.within(TIMES.ping * 1.1, replaced, "disconnect");
  assert.deepEqual([detail.cause, detail.kind, detail.willRetry], ["reinit", "application", true]);
  await socket.until("reconnect", { cause: "reinit" });
  assert.equal(await socket.state(), "connected");
  const gaps = (await socket.entries("gap")).map((entry) => entry.detail);
  assert.deepEqual(gaps.map(({ channel, from, to }) => ({ channel, from, to })).sort((a, b) => (a.channel < b.channel ? -1 : 1)), [
    { channel: "a", from: 4, to: null },
    { channel: "b", from: 3, to: null },
  ]);
  assert.ok(gaps.every(({ why }) => why === "epoch"), JSON.stringify(gaps));

  const later = await stage.peer();
  await socket.when((recording) => recording.socket.state === "connected");
  await later.publish("a", { n: 100 });
  await later.publish("b", { n: 200 });
  await socket.when((recording) => recording.log.filter(({ event }) => event === "message").length === 7, undefined, "messages of the new incarnation");
  assert.deepEqual((await socket.messages("a")).at(-1).data, { n: 100 });
  assert.deepEqual((await socket.messages("b")).at(-1).data, { n: 200 });
  const kinds = new Set((await socket.entries("disconnect", "cause")).map((entry) => entry.detail.kind));
  assert.deepEqual([...kinds], ["application"]);
});
