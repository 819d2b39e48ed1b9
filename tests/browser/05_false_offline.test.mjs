import assert from "node:assert/strict";
import { TIMES, numbered, scenario } from "./harness.mjs";

scenario("5 false offline: the socket works, so the client asks it and stays connected", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer();

  const offline = await page.during(() => page.setFalselyOffline(true));
  assert.equal(await page.evaluate(() => navigator.onLine), false);
  await peer.publishAll("a", numbered(1, 3));
  await socket.untilOffset("a", 3);
  // Twice the silence deadline of `false`: a client that believed it would have given up by now.
  await page.tab.waitForTimeout(TIMES.silence * 2);
  await socket.untilOffset("a", await peer.publish("a", { n: 4 }));
  await page.during(() => page.setFalselyOffline(false));
  await socket.untilOffset("a", await peer.publish("a", { n: 5 }));
  await page.tab.waitForTimeout(TIMES.silence); // whatever `online` sets off has happened by then

  const [dial, ...more] = await page.dials();
  assert.deepEqual(more, [], "no second connection");
  const sent = dial.sent.filter(({ at }) => at >= offline.from);
  assert.ok(sent.some(({ type, id }) => type === "ping" && Number.isInteger(id)), `a probe in band: ${JSON.stringify(sent)}`);
  assert.deepEqual(sent.filter(({ type }) => ["hello", "subscribe"].includes(type)), [], "nothing is resubscribed");
  assert.deepEqual(await socket.states(), ["connecting", "connected"]);
  assert.equal((await socket.entries("disconnect", "reconnect", "cause", "gap", "error")).length, 0);
});
