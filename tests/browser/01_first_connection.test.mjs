import assert from "node:assert/strict";
import { allowed, scenario } from "./harness.mjs";

const LOAD_LIMIT = 1000;
const PUBLISHED_AFTER = 50;

scenario("1 first connection: connecting, connected, once each, within a second of load", async ({ stage }) => {
  const page = await stage.pageConnecting({ channels: ["a"] });
  const socket = page.socket();
  await socket.ready("a");

  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  const [connected] = await socket.entries("state");
  const loaded = await page.evaluate(() => performance.getEntriesByType("navigation")[0].responseEnd);
  const most = allowed(LOAD_LIMIT, await page.stalled(loaded, connected.at));
  assert.ok(connected.at - loaded <= most, `connected ${connected.at - loaded} ms after load, ${most} allowed`);

  await page.tab.waitForTimeout(PUBLISHED_AFTER); // the scenario's own wait
  const peer = await stage.peer();
  const offset = await peer.publish("a", { text: "hello" });
  const [message, ...more] = await socket.untilOffset("a", offset);
  assert.deepEqual(more, []);
  assert.deepEqual(message.data, { text: "hello" });
  assert.equal(message.channel, "a");
  assert.equal(typeof message.from, "string", "who published it");
  assert.ok(Math.abs(message.sentAt - Date.now()) < 60_000, "the server's clock");

  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  assert.equal((await socket.entries("disconnect", "reconnect", "cause", "gap", "error")).length, 0);
  assert.equal((await page.dials()).length, 1);
  const { member, session, pending, outage, cause } = await socket.properties();
  assert.match(member, /^m[0-9a-f]{16}$/);
  assert.ok(session.length > 0);
  assert.deepEqual({ pending, outage, cause }, { pending: 0, outage: null, cause: null });
});

scenario("1 a page's own message comes back to it, recognisable by its member", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.publish("a", { text: "mine" }, { key: "mine" }); // before the connection is there: it is queued
  const accepted = await socket.until("published", { key: "mine" });
  const [message] = await socket.untilOffset("a", accepted.detail.offset);
  assert.equal(message.from, (await socket.properties()).member);
  assert.equal(accepted.detail.duplicate, false);
});
