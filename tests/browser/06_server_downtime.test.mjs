import assert from "node:assert/strict";
import { OPTIONS, TIMES, allowed, scenario } from "./harness.mjs";

/** How long the server is away, in milliseconds. */
const DOWNTIME = 5000;
/** No two attempts are closer than this, in milliseconds (protocol), less a timer's rounding. */
const CLOSEST = 100 - 10;

/** The dials while the server was away, and that they are a backoff: bounded by the doubling ceiling, growing, never alike. */
async function assertBackoff(page, outage, firstWindow) {
  const dials = (await page.dials()).map(({ at }) => at).filter((at) => at >= outage.from && at <= outage.until);
  const stalled = await page.stalled(outage.from, outage.until);
  const gaps = dials.slice(1).map((at, index) => at - dials[index]);
  assert.ok(dials[0] - outage.at <= allowed(firstWindow, stalled), `the first attempt is inside the server's window: ${dials[0] - outage.at}`);
  assert.ok(gaps.length >= 5, `attempts go on: ${dials.length} in ${DOWNTIME} ms`);
  const { base, cap } = OPTIONS.backoff;
  gaps.forEach((gap, index) => {
    // One ceiling of room: whether the attempt in the server's window counts as the first failure is the session's choice.
    const ceiling = Math.max(100, Math.min(cap, base * 2 ** (index + 1)));
    assert.ok(gap <= allowed(ceiling, stalled), `attempt ${index + 2} waits ${gap.toFixed(0)} ms, more than its ceiling ${ceiling}: ${gaps}`);
    assert.ok(gap >= CLOSEST, `attempts ${gap.toFixed(0)} ms apart: ${gaps}`);
  });
  assert.ok(Math.max(...gaps) > 3 * base, `delays grow: ${gaps}`);
  const different = new Set(gaps.map((gap) => Math.round(gap / 10)));
  assert.ok(different.size > gaps.length / 2, `delays differ: ${gaps}`);
}

/** The downtime itself: what the page may ask meanwhile, then the start, and everything is back. */
async function sitOutAndComeBack(stage, page, socket, outage) {
  await socket.when(({ socket: { outage } }) => outage?.attempt >= 2, undefined, "outage.attempt counts");
  await socket.when(({ socket: { outage } }) => Number.isFinite(outage?.retryInMs) && outage.retryInMs >= 0, undefined, "outage.retryInMs is told");
  const spent = (await page.now()) - outage.at;
  await page.tab.waitForTimeout(Math.max(0, DOWNTIME - spent));
  outage.until = await page.now();
  const started = await page.during(() => stage.server.start());
  await socket.within(1500, started, "state", { state: "connected" });
  const { detail } = await socket.until("reconnect");
  assert.ok(detail.downtimeMs >= DOWNTIME * 0.9, `downtimeMs ${detail.downtimeMs}`);
  assert.ok(detail.attempts >= 3, `attempts ${detail.attempts}`);
  const peer = await stage.peer();
  for (const channel of ["a", "b"]) await socket.untilOffset(channel, await peer.publish(channel, { back: true }));
  assert.deepEqual(await socket.states(), ["connecting", "connected", "reconnecting", "connected"]);
}

scenario("6 server downtime, stopped politely: restart, certain, back with every channel", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  for (const channel of ["a", "b"]) await socket.subscribe(channel);
  await socket.ready("a", "b");

  const outage = await page.during(() => stage.server.stop());
  const { detail } = await socket.within(1000, outage, "disconnect");
  assert.deepEqual([detail.cause, detail.kind, detail.confidence, detail.willRetry], ["restart", "server", "certain", true]);
  assert.ok(detail.retryInMs >= 0 && detail.retryInMs <= TIMES.restartWindow, `retryInMs ${detail.retryInMs} in the window`);
  await sitOutAndComeBack(stage, page, socket, outage);
  await assertBackoff(page, outage, TIMES.restartWindow);
  const kinds = (await socket.entries("disconnect", "cause")).map((entry) => entry.detail.kind);
  assert.ok(kinds.every((kind) => kind === "server"), `kinds ${kinds}`);
});

scenario("6 server downtime, killed: lost, made precise to unreachable, back with every channel", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  for (const channel of ["a", "b"]) await socket.subscribe(channel);
  await socket.ready("a", "b");

  const outage = await page.during(() => stage.server.kill());
  const { detail } = await socket.within(1000, outage, "disconnect");
  assert.deepEqual([detail.cause, detail.kind, detail.willRetry], ["lost", "network", true]);
  assert.notEqual(detail.confidence, "certain");
  assert.equal(detail.evidence.code, 1006);
  assert.equal(detail.evidence.online, true);
  assert.ok(detail.retryInMs >= 0 && detail.retryInMs <= TIMES.retryWindow, `retryInMs ${detail.retryInMs} in the window`);
  const precise = await socket.within(1000, outage, "cause", { cause: "unreachable" });
  assert.equal(precise.detail.kind, "server");
  assert.notEqual(precise.detail.evidence.probe, "none");
  assert.equal(precise.cause, "unreachable");
  await sitOutAndComeBack(stage, page, socket, outage);
  await assertBackoff(page, outage, TIMES.retryWindow);
  assert.equal((await socket.entries("cause")).length, 1, "made precise once");
  const health = (await page.spies()).probes.filter(({ url }) => new URL(url).pathname === "/health");
  const dials = (await page.dials()).length;
  assert.ok(health.length >= 1 && health.length < dials, `a probe after a failed dial, once each at most: ${health.length} probes, ${dials} dials`);
});
