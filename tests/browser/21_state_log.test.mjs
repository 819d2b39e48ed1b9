import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

/** The healthy time of the scenario, in milliseconds: ten pings. */
const HEALTHY = 5000;

/** The log as the acceptance list writes it: `reconnecting(lost)`, and each `cause` event in its place. */
async function story(socket) {
  const entries = await socket.entries("created", "state", "cause");
  return entries.map(({ event, state, detail }) => {
    if (event === "created") return state;
    if (event === "cause") return `cause(${detail.cause})`;
    return ["reconnecting", "closed"].includes(detail.state) ? `${detail.state}(${detail.cause})` : detail.state;
  });
}

scenario("21 callbacks: connect, five healthy seconds, kill, restart, close: exactly the transitions and one cause", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const before = (await socket.log()).length;
  await page.tab.waitForTimeout(HEALTHY);
  assert.equal((await socket.log()).length, before, "the healthy seconds add nothing");
  assert.equal((await page.dials()).length, 1);

  await stage.server.kill();
  await socket.until("cause", { cause: "unreachable" });
  await stage.server.start();
  await socket.until("reconnect");
  await socket.close();
  await socket.until("state", { state: "closed" });

  assert.deepEqual(await story(socket), ["connecting", "connected", "reconnecting(lost)", "cause(unreachable)", "connected", "closed(closed)"]);
  assert.equal((await socket.entries("reconnect")).length, 1);
  const disconnects = await socket.entries("disconnect");
  assert.equal(disconnects[0].detail.cause, "lost");
  assert.deepEqual(disconnects.slice(1), [], "the page's own close is no outage");
  // Order as the log has it: what a page shows is settled before the next transition.
  const order = (await socket.entries("disconnect", "reconnect", "state", "cause")).map(({ event }) => event);
  assert.ok(order.indexOf("disconnect") < order.indexOf("cause") && order.indexOf("cause") < order.indexOf("reconnect"), order.join());
});

scenario("21 close() ends the connection at once and for good", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  const peer = await stage.peer({ presence: ["a"] });
  const { member } = await socket.properties();
  const closed = await page.during(() => socket.close());
  await peer.until(() => peer.seen("leave", "a").some((frame) => frame.member === member), 2000, "close() is a leave at once");
  assert.deepEqual(await story(socket), ["connecting", "connected", "closed(closed)"]);
  await page.tab.waitForTimeout(1500); // more than the longest backoff of the profile
  const dials = await page.dials();
  assert.equal(dials.length, 1);
  assert.ok(dials[0].endedAt >= closed.from, "the socket is closed");
  assert.equal(await socket.state(), "closed");
});
