import assert from "node:assert/strict";
import { numbered, scenario } from "./harness.mjs";

scenario("17 recovery: what was missed comes in order, once, before anything live, and is counted", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 10));
  await socket.untilOffset("a", 10);

  const cut = await page.during(() => stage.proxy.cut());
  await socket.until("disconnect", {}, { from: cut.from });
  await peer.publishAll("a", numbered(11, 40));
  const restored = await page.during(() => stage.proxy.restore());
  // Live traffic runs into the replay: nothing of it may overtake.
  const live = await peer.publishAll("a", numbered(41, 60));
  await socket.until("reconnect", {}, { from: restored.from });
  await socket.untilOffset("a", live.at(-1));

  const messages = await socket.messages("a");
  assert.deepEqual(messages.map(({ data }) => data.n), numbered(1, 60).map(({ n }) => n));
  assert.deepEqual(await socket.entries("gap"), []);
});

scenario("17 recovery: `recovered` is the number of publications replayed", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.subscribe("quiet");
  await socket.ready("a", "quiet");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 10));
  await socket.untilOffset("a", 10);

  await page.during(() => stage.proxy.cut());
  await socket.until("disconnect");
  await peer.publishAll("a", numbered(11, 40));
  stage.proxy.restore();
  const { detail, at } = await socket.until("reconnect");
  assert.equal(detail.recovered, 30);
  assert.equal(detail.gaps, 0);
  assert.deepEqual((await socket.messages("a")).map(({ data }) => data.n), numbered(1, 40).map(({ n }) => n));
  assert.ok((await socket.messages("a")).every((message) => message.at <= at), "reconnect is told when every channel has caught up");
});

scenario("17 recovery: a page cut in the middle of a replay goes on where it was", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();
  await socket.untilOffset("a", await peer.publish("a", { n: 1 }));

  await page.during(() => stage.proxy.cut());
  await socket.until("disconnect");
  const padding = "x".repeat(4000);
  await peer.publishAll("a", numbered(2, 600).map(({ n }) => ({ n, padding })));
  stage.proxy.restore();
  await socket.when((recording) => recording.log.some(({ event, detail }) => event === "message" && detail.offset > 1));
  stage.proxy.reset();
  await socket.untilOffset("a", 600);
  await socket.until("reconnect");
  assert.deepEqual((await socket.messages("a")).map(({ data }) => data.n), numbered(1, 600).map(({ n }) => n));
  assert.deepEqual(await socket.entries("gap"), []);
});
