import assert from "node:assert/strict";
import { numbered, scenario } from "./harness.mjs";

scenario("18 gap: more missed than history holds is told once, with its range, before later messages", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 10));
  await socket.untilOffset("a", 10);

  await page.during(() => stage.proxy.cut());
  await socket.until("disconnect");
  await peer.publishAll("a", numbered(11, 1510));
  stage.proxy.restore();
  await socket.untilOffset("a", 1510);
  const { detail } = await socket.until("reconnect");

  const gaps = await socket.entries("gap");
  assert.deepEqual(gaps.map(({ detail: { channel, from, to } }) => ({ channel, from, to })), [{ channel: "a", from: 11, to: 510 }]);
  const messages = await socket.messages("a");
  assert.deepEqual(messages.map(({ data }) => data.n), [...numbered(1, 10), ...numbered(511, 1510)].map(({ n }) => n));
  const log = await socket.log();
  const told = log.findIndex(({ event }) => event === "gap");
  const first = log.findIndex((entry) => entry.event === "message" && entry.detail.offset > 10);
  assert.ok(told < first, "the gap is told before what follows it");
  assert.equal(detail.recovered, 1000);
  assert.equal(detail.gaps, 1);
});
