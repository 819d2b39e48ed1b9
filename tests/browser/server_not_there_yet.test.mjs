import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

scenario("the first connection is refused: told once, unreachable by the probe, connecting until the server comes", { idle: true }, async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.publish("a", { early: true }, { key: "early" });
  const refused = await socket.until("disconnect");
  assert.ok(["lost", "unreachable"].includes(refused.detail.cause), "a failed dial alone says no more than lost");
  assert.deepEqual([refused.detail.willRetry, refused.detail.attempt], [true, 1]);
  await socket.within(1000, { from: 0, at: refused.at }, refused.detail.cause === "lost" ? "cause" : "disconnect", { cause: "unreachable", kind: "server" });
  await socket.when(({ socket: { outage } }) => outage?.attempt >= 3, undefined, "attempts go on");
  assert.deepEqual(await socket.states(), ["connecting"]);
  assert.equal((await socket.entries("disconnect")).length, 1);

  const started = await page.during(() => stage.server.start());
  await socket.within(1500, started, "state", { state: "connected" });
  await socket.until("reconnect", { cause: "unreachable" });
  await socket.until("ready", { key: "a" });
  await socket.until("published", { key: "early" });
  assert.deepEqual((await socket.untilOffset("a", 1)).map(({ data }) => data), [{ early: true }]);
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
});

scenario("the first connection is not answered: network, not server", async ({ stage }) => {
  const page = await stage.page();
  stage.proxy.blackhole();
  const socket = await page.connect({ options: { probeTimeout: 500 } });
  const { detail } = await socket.until("disconnect");
  assert.equal(detail.kind, "network", JSON.stringify(detail));
  await socket.when(({ socket: { outage } }) => outage?.attempt >= 2, undefined, "attempts go on");
  assert.deepEqual(await socket.states(), ["connecting"]);
  const restored = await page.during(() => stage.proxy.restore());
  await socket.within(2000, restored, "state", { state: "connected" });
});

scenario("not ready: stays connecting, comes back no earlier than told, gets there by itself", async ({ stage }) => {
  const RETRY = 400;
  await stage.server.notReady(1000, RETRY);
  const page = await stage.pageConnecting({ channels: ["a"], banner: true });
  const socket = page.socket();
  await socket.ready("a");
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  const [{ detail }] = await socket.entries("disconnect");
  assert.deepEqual([detail.cause, detail.kind, detail.confidence], ["not-ready", "application", "certain"]);
  const dials = await page.dials();
  assert.ok(dials.length >= 2);
  dials.slice(1).forEach(({ at }, index) => assert.ok(at - dials[index].openedAt >= RETRY - 10, `attempt ${index + 2} comes ${at - dials[index].openedAt} ms later`));
  assert.deepEqual((await page.banner().log()).filter(({ shown }) => shown), [], "no banner");
});
