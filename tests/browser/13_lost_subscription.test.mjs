import assert from "node:assert/strict";
import { TIMES, numbered, scenario } from "./harness.mjs";

scenario("13 lost subscription: the server forgot one, and within one ping it is repaired on the same connection", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  for (const channel of ["a", "b"]) await socket.subscribe(channel);
  await socket.ready("a", "b");
  const peer = await stage.peer();
  await socket.untilOffset("b", await peer.publish("b", { n: 1 }));

  const { session } = await socket.properties();
  const lost = await page.during(() => stage.server.drop(session, "b"));
  await peer.publishAll("b", numbered(2, 6));
  await socket.within(TIMES.ping * 1.1, lost, "message", { key: "b", offset: 6 });
  await socket.untilOffset("a", await peer.publish("a", { n: 1 }));
  await socket.untilOffset("b", await peer.publish("b", { n: 7 }));
  assert.deepEqual((await socket.messages("b")).map(({ data }) => data.n), [1, 2, 3, 4, 5, 6, 7], "what was sent meanwhile is replayed");

  const [dial, ...more] = await page.dials();
  assert.deepEqual(more, [], "on the same connection");
  assert.deepEqual(dial.sent.filter(({ at, type, channel }) => at >= lost.from && type === "subscribe" && channel === "a"), [], "`a` is left alone");
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  assert.deepEqual(await socket.entries("disconnect", "reconnect", "gap", "error"), []);
});
