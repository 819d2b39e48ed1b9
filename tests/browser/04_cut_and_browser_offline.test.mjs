import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

/** How long the browser stays offline, in milliseconds: long enough for a client that dials on a timer to give itself away. */
const OFFLINE = 2500;

const ORDERS = {
  "the cut first": async (stage, page) => { stage.proxy.cut(); await page.setOffline(true); },
  "the browser first": async (stage, page) => { await page.setOffline(true); stage.proxy.cut(); },
};

for (const [order, fault] of Object.entries(ORDERS)) {
  scenario(`4 cut and browser offline (${order}): offline, no attempt while it lasts, back at once`, async ({ stage }) => {
    const page = await stage.page();
    const socket = await page.connect();
    await socket.subscribe("a");
    await socket.ready("a");
    const peer = await stage.peer();

    const loss = await page.during(() => fault(stage, page));
    await page.tab.waitForTimeout(300); // the scenario's own deadline; then what is said must be true
    await socket.when((recording) => recording.socket.cause === "offline");
    const told = (await socket.entries("disconnect", "cause")).find((entry) => entry.detail.cause === "offline");
    await page.assertWithin(told.at, loss, 300, "cause offline");
    assert.equal(told.detail.kind, "network");
    assert.equal(told.detail.evidence.online, false);
    assert.equal(await socket.state(), "reconnecting");

    stage.proxy.resetCounters();
    const quiet = await page.now();
    await page.tab.waitForTimeout(OFFLINE);
    assert.equal(stage.proxy.attempts, 0, "connections at the proxy while offline");
    assert.deepEqual((await page.dials()).filter(({ at }) => at >= quiet), [], "dials while offline");
    await peer.publish("a", { n: 1 });

    stage.proxy.restore();
    await page.during(() => page.setOffline(false));
    const online = (await page.spies()).windows.findLast(({ event }) => event === "online");
    const healed = { from: online.at, at: online.at };
    await socket.within(1000, healed, "state", { state: "connected" });
    const dial = (await page.dials()).find(({ at }) => at >= online.at);
    await page.assertWithin(dial.at, healed, 200, "the first attempt after `online`");
    await socket.untilOffset("a", 1);
    const reconnect = await socket.until("reconnect");
    assert.equal(reconnect.detail.recovered, 1);
    assert.ok(reconnect.detail.downtimeMs >= OFFLINE);
  });
}
