import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

scenario("a frozen server is silence, not downtime: network, and back when it thaws", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();
  await socket.untilOffset("a", await peer.publish("a", { n: 1 }));

  const frozen = await page.during(() => stage.server.freeze());
  const { detail } = await socket.within(1500, frozen, "disconnect");
  assert.deepEqual([detail.cause, detail.kind], ["silent", "network"]);
  await socket.when(({ socket: { outage } }) => outage?.attempt >= 2, undefined, "attempts go on, each under its own deadline");
  const thawed = await page.during(() => stage.server.thaw());
  await socket.within(2000, thawed, "state", { state: "connected" });
  await socket.until("reconnect");
  const again = await stage.peer();
  await socket.untilOffset("a", await again.publish("a", { n: 2 }));
  const kinds = new Set((await socket.entries("disconnect", "cause")).map((entry) => entry.detail.kind));
  assert.deepEqual([...kinds], ["network"], "a dial and a probe that both time out prove nothing against the server");
  assert.deepEqual(await socket.states(), ["connecting", "connected", "reconnecting", "connected"]);
});
