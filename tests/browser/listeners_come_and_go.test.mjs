import assert from "node:assert/strict";
import { numbered, scenario } from "./harness.mjs";

scenario("on() returns a disposer and takes an AbortSignal", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  await socket.evaluate((recording) => {
    globalThis.heard = [];
    const hear = (name) => () => heard.push(name);
    const abort = new AbortController();
    const { socket } = recording;
    const dispose = socket.on("disconnect", hear("disposed"));
    socket.on("disconnect", hear("aborted"), { signal: abort.signal });
    socket.on("disconnect", hear("aborted before"), { signal: AbortSignal.abort() });
    socket.on("disconnect", hear("kept"));
    const once = socket.on("disconnect", () => { heard.push("once"); once(); });
    dispose();
    dispose();
    abort.abort();
  });
  for (let round = 0; round < 2; round += 1) {
    const reset = await page.during(() => stage.proxy.reset());
    await socket.until("reconnect", {}, { from: reset.from });
  }
  assert.deepEqual(await page.evaluate(() => heard), ["kept", "once", "kept"]);
});

scenario("two subscriptions on one channel share one, counted by reference", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a", { key: "first" });
  await socket.subscribe("a", { key: "second" });
  await socket.ready("first", "second");
  const peer = await stage.peer({ presence: ["a"] });
  await peer.publish("a", { n: 1 });
  await socket.untilOffset("first", 1);
  await socket.untilOffset("second", 1);
  const sent = async (type) => (await page.dials()).flatMap((dial) => dial.sent).filter((frame) => frame.type === type);
  const asked = (await sent("hello"))[0].channels.filter((channel) => channel === "a").length + (await sent("subscribe")).length;
  assert.equal(asked, 1, "asked of the server once");

  await socket.unsubscribe("first");
  await socket.evaluate(({ subscriptions }) => subscriptions.get("first").unsubscribe()); // twice is harmless, and counts once
  await peer.publish("a", { n: 2 });
  await socket.untilOffset("second", 2);
  assert.deepEqual((await socket.messages("first")).map(({ data }) => data.n), [1]);
  assert.deepEqual(await sent("unsubscribe"), []);
  assert.deepEqual(peer.seen("leave", "a"), []);

  await socket.unsubscribe("second");
  await peer.until(() => peer.seen("leave", "a").length === 1, 2000, "the last one's leave, at once");
  await peer.publish("a", { n: 3 });
  await socket.subscribe("b");
  await socket.ready("b");
  await socket.untilOffset("b", await peer.publish("b", {}));
  assert.deepEqual((await socket.messages("second")).map(({ data }) => data.n), [1, 2]);
  const states = (await socket.entries("state of subscription")).filter(({ detail }) => detail.key === "second");
  assert.match(JSON.stringify(states.at(-1).detail.value), /unsubscribed/);
});

scenario("a listener that comes late shares the subscription from then on; `from` asks for what was before", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a", { key: "early" });
  await socket.ready("early");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 3));
  await peer.publishAll("old", numbered(1, 10));
  await socket.untilOffset("early", 3);
  await socket.subscribe("a", { key: "late" });
  await socket.ready("late");
  await peer.publish("a", { n: 4 });
  await socket.untilOffset("late", 4);
  assert.deepEqual((await socket.messages("late")).map(({ data }) => data.n), [4]);
  assert.deepEqual((await socket.messages("early")).map(({ data }) => data.n), [1, 2, 3, 4]);

  await socket.subscribe("old", { options: { from: { rewind: 3 } } });
  assert.deepEqual((await socket.untilOffset("old", 10)).map(({ data }) => data.n), [8, 9, 10]);
  await socket.unsubscribe("old");
  await socket.subscribe("old", { key: "last of old", options: { from: "last" } });
  assert.deepEqual((await socket.untilOffset("last of old", 10)).map(({ data }) => data.n), [10]);
});

scenario("presence: who is there, who comes, who goes", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect({ options: { info: { name: "Ana" } } });
  await socket.subscribe("a", { options: { presence: true } });
  await socket.ready("a");
  const other = await stage.page();
  const theirs = await other.connect({ options: { info: { name: "Ben" } } });
  await theirs.subscribe("a");
  await theirs.ready("a");
  const { member } = await theirs.properties();
  const join = await socket.until("join of subscription", { value: { member } });
  assert.deepEqual(join.detail.value.info, { name: "Ben" });
  const { count, members } = await socket.evaluate(({ subscriptions }) => subscriptions.get("a").presence());
  assert.equal(count, 2);
  assert.deepEqual(members.map(({ info }) => info.name).sort(), ["Ana", "Ben"]);
  await theirs.unsubscribe("a");
  await socket.until("leave of subscription", { value: { member } });
});
