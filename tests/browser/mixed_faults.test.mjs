import assert from "node:assert/strict";
import { numbered, scenario } from "./harness.mjs";

/** How long faults go on, in milliseconds. */
const DURATION = 30_000;
/** The order of the faults follows from this; a failure prints it. REJOIN_TEST_SEED replays another. */
const SEED = Number(process.env.REJOIN_TEST_SEED ?? Date.now() % 1_000_000);

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Each fault and its end. The server forgets its histories at a kill: then a gap has to say so. */
const FAULTS = {
  reset: { begin: ({ stage }) => stage.proxy.reset() },
  cut: { begin: ({ stage }) => stage.proxy.cut(), end: ({ stage }) => stage.proxy.restore() },
  blackhole: { begin: ({ stage }) => stage.proxy.blackhole(), end: ({ stage }) => stage.proxy.restore() },
  drop: { begin: ({ stage }) => stage.proxy.drop(), end: ({ stage }) => stage.proxy.restore() },
  stall: { begin: ({ stage }) => stage.proxy.stall(), end: ({ stage }) => stage.proxy.restore() },
  delay: { begin: ({ stage }) => stage.proxy.delay(120), end: ({ stage }) => stage.proxy.restore() },
  offline: { begin: ({ page }) => page.setOffline(true), end: ({ page }) => page.setOffline(false) },
  kill: { begin: ({ stage }) => stage.server.kill(), end: ({ stage }) => stage.server.start(), forgets: true },
  stop: { begin: ({ stage }) => stage.server.stop(), end: ({ stage }) => stage.server.start(), forgets: true },
  freeze: { begin: ({ stage }) => stage.server.freeze(), end: ({ stage }) => stage.server.thaw() },
  reinit: { begin: ({ stage }) => stage.server.reinit() },
  replace: { begin: ({ stage }) => stage.server.replace(), forgets: true },
};

scenario(`mixed faults in a random order (seed ${SEED}): nothing lost in silence, nothing twice, and it comes back`, { limit: DURATION * 3 + 30_000 }, async ({ stage }) => {
  const next = random(SEED);
  const page = await stage.pageConnecting({ channels: ["a", "b"], banner: true });
  const socket = page.socket();
  await socket.ready("a", "b");
  const story = [];
  const sent = { page: 0, peer: 0 };
  try {
    const until = Date.now() + DURATION;
    while (Date.now() < until) {
      const name = Object.keys(FAULTS)[Math.floor(next() * Object.keys(FAULTS).length)];
      const length = Math.floor(next() * 1800);
      const fault = FAULTS[name];
      story.push(`${name} ${length}`);
      const peer = await stage.peer();
      await fault.begin({ stage, page });
      if (!fault.forgets && name !== "freeze") {
        const items = numbered(sent.peer + 1, sent.peer + 1 + Math.floor(next() * 20)).map(({ n }) => ({ peer: n }));
        sent.peer += items.length;
        await peer.publishAll("a", items);
      }
      peer.close();
      sent.page += 1;
      await socket.publish("b", { page: sent.page }, { key: `${sent.page}` });
      await page.tab.waitForTimeout(length);
      await fault.end?.({ stage, page });
      await page.tab.waitForTimeout(Math.floor(next() * 600)); // the next fault may come while the client is still on its way
    }
    // Faults stop: everything converges.
    await socket.when((recording) => recording.socket.state === "connected" && recording.socket.pending === 0, undefined, "connected, nothing pending");
    const peer = await stage.peer();
    for (const channel of ["a", "b"]) {
      await peer.publish(channel, { end: channel });
      await socket.until("message", { key: channel, data: { end: channel } });
    }
    assert.equal(await socket.state(), "connected");

    const own = (await socket.messages("b")).map(({ data }) => data.page).filter(Boolean);
    assert.deepEqual(own, [...own].sort((a, b) => a - b), "the page's own publishes in order");
    assert.equal(own.length, new Set(own).size, "and none twice");
    const theirs = (await socket.messages("a")).map(({ data }) => data.peer).filter(Boolean);
    assert.equal(theirs.length, new Set(theirs).size, "the peer's: none twice");
    const gaps = await socket.entries("gap");
    if (gaps.length === 0) assert.equal(theirs.length, sent.peer, "no gap told: nothing missing");
    const settled = await socket.entries("published", "rejected");
    assert.equal(settled.length, sent.page, "each publish settled once");
    for (const { event, detail } of settled) if (event === "rejected") assert.equal(detail.code, "expired");
    const published = settled.filter(({ event }) => event === "published").length;
    if (gaps.length === 0) assert.equal(own.length, published, "what was accepted was delivered");
    await page.banner().until({ shown: false, state: "connected" }, { from: await page.now() });
  } catch (error) {
    error.message = `REJOIN_TEST_SEED=${SEED}: ${story.join(", ")}: ${error.message}`;
    throw error;
  }
});
