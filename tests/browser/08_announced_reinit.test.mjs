import assert from "node:assert/strict";
import { TIMES, allowed, scenario } from "./harness.mjs";

/** Rejoins of two pages: enough delays to tell a uniform draw from a fixed wait. */
const ROUNDS = 3;
/** All delays within this many milliseconds of each other would be a herd; by chance it happens once in ten thousand runs. */
const HERD = 30;

const ANNOUNCEMENTS = {
  "by the HTTP API": (server) => server.reinit(),
  "by SIGUSR1": async (server) => server.signalReinit(),
};

for (const [way, announce] of Object.entries(ANNOUNCEMENTS)) {
  scenario(`8 announced reinit ${way}: both pages say so and rejoin inside the window, each at its own instant`, async ({ stage }) => {
    const pages = [await stage.page(), await stage.page()];
    const sockets = [];
    for (const page of pages) {
      const socket = await page.connect();
      for (const channel of ["a", "b"]) await socket.subscribe(channel);
      await socket.ready("a", "b");
      sockets.push(socket);
    }
    const delays = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const froms = await Promise.all(pages.map((page) => page.now()));
      await announce(stage.server);
      for (const [index, socket] of sockets.entries()) {
        const page = pages[index];
        const from = froms[index];
        const { detail } = await socket.until("disconnect", {}, { from });
        assert.deepEqual([detail.cause, detail.kind, detail.confidence, detail.willRetry], ["reinit", "application", "certain", true]);
        const reconnect = await socket.until("reconnect", {}, { from });
        assert.equal(reconnect.detail.cause, "reinit");
        const dials = await page.dials();
        const notice = dials.flatMap(({ received }) => received).find(({ type, at }) => type === "reinit" && at >= from);
        const dial = dials.find(({ at }) => at >= from);
        const delay = dial.at - notice.at;
        assert.ok(delay <= allowed(TIMES.reinitWindow, await page.stalled(notice.at, dial.at)), `rejoins ${delay} ms after the notice, window ${TIMES.reinitWindow}`);
        assert.equal(dials.length, round + 1, "one dial per reinit");
        delays.push(delay);
      }
      const peer = await stage.peer();
      const offsets = [await peer.publish("a", { round }), await peer.publish("b", { round })];
      for (const socket of sockets) {
        await socket.untilOffset("a", offsets[0]);
        await socket.untilOffset("b", offsets[1]);
      }
    }
    assert.ok(Math.max(...delays) - Math.min(...delays) > HERD, `instants differ: ${delays}`);
    for (const socket of sockets) {
      for (const channel of ["a", "b"]) {
        assert.deepEqual((await socket.messages(channel)).map(({ data }) => data), [{ round: 1 }, { round: 2 }, { round: 3 }], "the notice never reaches a listener");
      }
      const kinds = new Set((await socket.entries("disconnect", "cause")).map((entry) => entry.detail.kind));
      assert.deepEqual([...kinds], ["application"], "no page shows a server or network cause");
      assert.deepEqual(await socket.entries("gap"), [], "an announced reinit keeps the histories");
    }
  });
}
