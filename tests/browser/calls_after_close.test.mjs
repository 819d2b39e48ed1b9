import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

scenario("after close() every call rejects with `closed`, and retry() does not leave it", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.ready("a");
  await socket.close();
  await socket.until("state", { state: "closed" });
  const seen = await socket.evaluate(async ({ socket, subscriptions }) => {
    const { RejoinError } = await import("/rejoin/index.js");
    const caught = (action) => Promise.resolve().then(action).then(() => null, (error) => ({ ...recorder.described(error), own: error instanceof RejoinError }));
    const result = {
      publish: await caught(() => socket.publish("a", {})),
      subscribe: await caught(() => socket.subscribe("b", () => {}).ready),
      presence: await caught(() => subscriptions.get("a").presence()),
    };
    subscriptions.get("a").unsubscribe();
    socket.retry();
    socket.close();
    return result;
  });
  for (const [call, error] of Object.entries(seen)) {
    assert.equal(error?.code, "closed", `${call}: ${JSON.stringify(error)}`);
    assert.ok(error.own && error.isError, `${call} rejects with the package's error class`);
    assert.equal(error.retryable, false);
  }
  await page.tab.waitForTimeout(1200); // longer than `retry()` may be held back
  assert.deepEqual(await socket.states(), ["connecting", "connected", "closed"]);
  assert.equal((await page.dials()).length, 1);
  assert.equal((await socket.properties()).cause, "closed");
});

scenario("close() settles what was waiting: a queued publish, a subscription on its way", async ({ stage }) => {
  const page = await stage.page();
  stage.proxy.cut();
  const socket = await page.connect();
  await socket.subscribe("a");
  await socket.publish("a", { n: 1 }, { key: "queued" });
  await socket.when((recording) => recording.socket.pending === 1);
  await socket.close();
  assert.equal((await socket.until("rejected", { key: "queued" })).detail.code, "closed");
  assert.equal((await socket.until("not ready", { key: "a" })).detail.error.code, "closed");
  assert.equal((await socket.properties()).pending, 0);
  assert.deepEqual(await socket.states(), ["connecting", "closed"]);
});

scenario("close() before the connection is there leaves nothing behind", async ({ stage }) => {
  const page = await stage.page();
  stage.proxy.stall(); // or a quick machine is connected before the page says close
  const socket = await page.connect();
  await socket.close();
  await socket.until("state", { state: "closed" });
  stage.proxy.restore(); // what was held flows on, and must find nobody
  await page.tab.waitForTimeout(500);
  const dials = await page.dials();
  assert.ok(dials.every(({ openedAt, endedAt }) => openedAt === null || endedAt !== null), "no socket stays open");
  assert.deepEqual(await socket.states(), ["connecting", "closed"]);
});
