import assert from "node:assert/strict";
import { TIMES, numbered, scenario } from "./harness.mjs";

scenario("3 silent network loss: told within 1.5 s with no close event seen, back within 2 s", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();
  await socket.untilOffset("a", await peer.publish("a", { n: 1 }));

  const loss = await page.during(() => stage.proxy.blackhole());
  const { detail, at } = await socket.within(1500, loss, "disconnect");
  assert.deepEqual([detail.cause, detail.kind, detail.willRetry], ["silent", "network", true]);
  assert.equal(detail.evidence.socket, "silent");
  assert.ok(at - loss.at > TIMES.silence - TIMES.ping * 1.1 - 100, `silence is not suspected early: ${at - loss.at} ms`);
  const [first] = await page.dials();
  assert.ok(first.endedAt === null || first.endedAt >= at, "no close event before the page was told");
  assert.equal((await socket.until("state", { state: "reconnecting" })).detail.cause, "silent");

  await peer.publishAll("a", numbered(2, 5));
  const healed = await page.during(() => stage.proxy.restore());
  await socket.within(2000, healed, "state", { state: "connected" });
  const reconnect = await socket.until("reconnect");
  assert.equal(reconnect.detail.recovered, 4);
  assert.deepEqual((await socket.untilOffset("a", 5)).map(({ data }) => data.n), [1, 2, 3, 4, 5]);
  assert.deepEqual(await socket.states(), ["connecting", "connected", "reconnecting", "connected"]);
  const causes = (await socket.entries("disconnect", "cause")).map((entry) => entry.detail.kind);
  assert.ok(causes.every((kind) => kind === "network"), `a black hole proves nothing against the server: ${causes}`);
});

scenario("3 a short silence that heals before the deadline is no news at all", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  await page.during(() => stage.proxy.stall());
  await page.tab.waitForTimeout(TIMES.ping); // the scenario's own wait: less than the deadline
  await page.during(() => stage.proxy.restore());
  const peer = await stage.peer();
  await socket.untilOffset("a", await peer.publish("a", { n: 1 }));
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  assert.equal((await page.dials()).length, 1);
});
