import assert from "node:assert/strict";
import { TIMES, scenario } from "./harness.mjs";

scenario("a reload is not a leave at once, a close() is", async ({ stage }) => {
  const peer = await stage.peer({ presence: ["a"] });
  const page = await stage.pageConnecting({ channels: ["a"] });
  const socket = page.socket();
  await socket.ready("a");
  const { member } = await socket.properties();
  await peer.until(() => peer.seen("join", "a").some((frame) => frame.member === member), 2000, "its join");

  await page.reload();
  await socket.ready("a");
  await page.tab.waitForTimeout(TIMES.presenceGrace / 4); // a leave sent on pagehide would have come
  assert.deepEqual(peer.seen("leave", "a"), [], "a reload says no goodbye");

  const again = (await socket.properties()).member;
  await socket.close();
  await peer.until(() => peer.seen("leave", "a").some((frame) => frame.member === again), 2000, "close() is a leave at once");
});

scenario("a short cut is neither leave nor join", async ({ stage }) => {
  const peer = await stage.peer({ presence: ["a"] });
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const { member } = await socket.properties();
  await peer.until(() => peer.seen("join", "a").length === 1, 2000, "its join");
  stage.proxy.cut();
  await socket.until("disconnect");
  await page.tab.waitForTimeout(TIMES.presenceGrace / 4);
  stage.proxy.restore();
  await socket.until("reconnect");
  assert.equal((await socket.properties()).member, member, "the same member after it");
  await page.tab.waitForTimeout(TIMES.presenceGrace); // the grace of the old connection has passed
  assert.equal(peer.seen("join", "a").length, 1);
  assert.deepEqual(peer.seen("leave", "a"), []);
});
