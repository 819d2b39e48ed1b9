import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

async function connected(stage, options) {
  const page = await stage.page();
  const socket = await page.connect({ options });
  await socket.subscribe("a");
  await socket.ready("a");
  return { page, socket };
}

scenario("published while away: queued, delivered once and in order; without a queue it is refused at once", async ({ stage }) => {
  const { page, socket } = await connected(stage);
  const peer = await stage.peer({ channels: ["a"] });
  await page.during(() => stage.proxy.cut());
  await socket.until("disconnect");
  for (const n of [1, 2, 3]) await socket.publish("a", { n }, { key: `queued ${n}` });
  const asked = await page.during(() => socket.publish("a", { n: 4 }, { key: "not queued", options: { queue: false } }));
  const refused = await socket.within(50, asked, "rejected", { key: "not queued" });
  assert.equal(refused.detail.code, "not_connected");
  assert.equal(refused.detail.retryable, true);
  assert.equal((await socket.properties()).pending, 3);

  stage.proxy.restore();
  const offsets = [];
  for (const n of [1, 2, 3]) offsets.push((await socket.until("published", { key: `queued ${n}` })).detail.offset);
  assert.deepEqual(offsets, [1, 2, 3]);
  assert.equal((await socket.properties()).pending, 0);
  await peer.until(() => peer.seen("message", "a").length >= 3, 2000, "the three on the channel");
  assert.deepEqual(peer.seen("message", "a").map(({ data }) => data.n), [1, 2, 3]);
  assert.deepEqual((await socket.untilOffset("a", 3)).map(({ data }) => data.n), [1, 2, 3]);
});

for (const [limit, queue, item] of [["count", { count: 2 }, "small"], ["bytes", { bytes: 2100 }, "x".repeat(1000)]]) {
  scenario(`a full queue (${limit}) refuses the next publish with queue_full and keeps what it has`, async ({ stage }) => {
    const { page, socket } = await connected(stage, { queue });
    await page.during(() => stage.proxy.cut());
    await socket.until("disconnect");
    for (const n of [1, 2, 3]) await socket.publish("a", { n, item }, { key: `${n}` });
    const { detail } = await socket.until("rejected", { key: "3" });
    assert.equal(detail.code, "queue_full");
    stage.proxy.restore();
    for (const n of [1, 2]) assert.equal((await socket.until("published", { key: `${n}` })).detail.offset, n);
    await socket.publish("a", { n: 4 }, { key: "4" });
    assert.equal((await socket.until("published", { key: "4" })).detail.offset, 3, "room again");
  });
}

/** Half of them cut after the server accepted and before the page knows, the others at an instant anywhere around. */
const ROUNDS = 12;
/** Each direction takes this long, in milliseconds: the time between acceptance and answer becomes wide enough to cut in. */
const DELAY = 80;

scenario("in flight when the connection is cut: settled exactly once, published exactly once", async ({ stage }) => {
  const { page, socket } = await connected(stage);
  const peer = await stage.peer({ channels: ["a"] });
  const delivered = (n) => () => peer.seen("message", "a").some(({ data }) => data.n === n);
  for (let n = 1; n <= ROUNDS; n += 1) {
    const acceptedFirst = n % 2 === 1;
    stage.proxy.delay(acceptedFirst ? DELAY : 10);
    const cut = await page.during(async () => {
      await socket.publish("a", { n }, { key: `${n}` });
      if (acceptedFirst) await peer.until(delivered(n), 5000, `${n} accepted`);
      else await page.tab.waitForTimeout(n * 2);
      stage.proxy.reset();
    });
    stage.proxy.delay(0);
    const { detail } = await socket.until("published", { key: `${n}` });
    if (acceptedFirst) assert.equal(detail.duplicate, true, `${n} had been accepted before the cut`);
    await socket.until("reconnect", {}, { from: cut.from });
  }
  await peer.until(() => peer.seen("message", "a").length >= ROUNDS, 5000, "all on the channel");
  assert.deepEqual(peer.seen("message", "a").map(({ data, offset }) => [data.n, offset]), Array.from({ length: ROUNDS }, (_, index) => [index + 1, index + 1]));
  const settled = (await socket.entries("published", "rejected")).map(({ detail }) => detail.key);
  assert.equal(settled.length, new Set(settled).size, "each settled once");
  assert.deepEqual((await socket.untilOffset("a", ROUNDS)).map(({ data }) => data.n), Array.from({ length: ROUNDS }, (_, index) => index + 1));
});

scenario("in flight when the server is killed: the answer is an offset or an error, and no second copy", async ({ stage }) => {
  const { page, socket } = await connected(stage);
  stage.proxy.delay(100);
  await page.during(async () => {
    for (const n of [1, 2, 3]) await socket.publish("a", { n }, { key: `${n}` });
    await stage.server.kill();
  });
  stage.proxy.restore();
  await stage.server.start();
  const peer = await stage.peer({ channels: ["a"] });
  await socket.until("reconnect");
  await socket.when((recording) => recording.log.filter(({ event }) => event === "published" || event === "rejected").length === 3, undefined, "each settled");
  for (const { event, detail } of await socket.entries("published", "rejected")) {
    // A server that forgot everything cannot know a repeat: it says so (`expired`) and never risks a second copy.
    if (event === "rejected") assert.equal(detail.code, "expired", JSON.stringify(detail));
  }
  const offset = await peer.publish("a", { n: 4 });
  await socket.until("message", { key: "a", offset, data: { n: 4 } });
  const seen = (await socket.messages("a")).map(({ data }) => data.n);
  assert.equal(seen.length, new Set(seen).size, `no second copy: ${seen}`);
});
