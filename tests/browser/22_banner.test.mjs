import assert from "node:assert/strict";
import { allowed, scenario } from "./harness.mjs";

/** Outages under this are not shown; recovery stays on show for this long; milliseconds. */
const DELAY = 500;
const BACK = 2000;
/** A drop is mended inside this window: shorter than the banner's delay, whatever the draw. */
const QUICK = { settings: { "connection-retry-window": "0ms,50ms", "connection-reinit-window": "0ms,50ms" } };

async function pageWithBanner(stage, options = {}) {
  const page = await stage.pageConnecting({ channels: ["a"], banner: true, ...options });
  const socket = page.socket();
  await socket.ready("a");
  return { page, socket, banner: page.banner() };
}

scenario("22 banner: role, data, text, countdown, a button that tries at once; hides two seconds after recovery", async ({ stage }) => {
  // Attempts so far apart that none comes by itself between the server's start and the button.
  const options = { backoff: { base: 60_000, cap: 60_000 } };
  const { page, socket, banner } = await pageWithBanner(stage, { options });
  const { shown, role, state, kind, cause } = await banner.last();
  assert.deepEqual({ shown, role, state, kind, cause }, { shown: false, role: "status", state: "connected", kind: null, cause: null });

  const outage = await page.during(() => stage.server.kill());
  const first = await banner.until({ shown: true }, { from: outage.from });
  const [{ at: told }] = await socket.entries("disconnect");
  assert.ok(first.at - told >= DELAY - 20, `shown ${first.at - told} ms after the drop, not before ${DELAY}`);
  await page.assertWithin(first.at, { from: told, at: told }, DELAY, "the banner of an outage that lasts");
  const down = await banner.until({ shown: true, state: "reconnecting", kind: "server", cause: "unreachable" });
  assert.match(down.text, /server/i);
  assert.deepEqual(down.buttons, ["Try now"]);

  const counting = () => recorder.bannerOf("socket").log.filter(({ shown, text }) => shown && /\d+ s\b/.test(text)).length;
  await page.tab.waitForFunction(`(${counting})() >= 2`); // it counts down

  await stage.server.start();
  const pressed = await page.during(() => page.tab.getByRole("button", { name: "Try now" }).click());
  await socket.within(1000, pressed, "state", { state: "connected" });
  const dial = (await page.dials()).find(({ at }) => at >= pressed.from);
  await page.assertWithin(dial.at, pressed, 100, "the attempt that the button makes");
  const back = await banner.until({ shown: true, state: "connected" }, { from: pressed.from });
  assert.match(back.text, /online/i);
  assert.deepEqual(back.buttons, [], "nothing left to retry");
  const gone = await banner.until({ shown: false }, { from: back.at });
  assert.ok(gone.at - back.at >= BACK - 50, `stays ${gone.at - back.at} ms`);
  assert.ok(gone.at - back.at <= allowed(BACK, await page.stalled(back.at, gone.at)), `hides ${gone.at - back.at} ms after recovery`);
  assert.deepEqual([gone.state, gone.kind, gone.cause], ["connected", null, null]);
});

const NETWORK = { fault: (stage) => stage.proxy.blackhole(), kind: "network", cause: "silent" };
const SERVER = { fault: (stage) => stage.server.stop(), kind: "server", cause: "restart" };
const APPLICATION = { fault: async (stage) => { await stage.server.notReady(20_000, 200); await stage.server.reinit(); }, kind: "application" };
const TEXTS = [
  ["en", NETWORK, /connection/i],
  ["en", SERVER, /server/i],
  ["en", APPLICATION, /updating/i],
  ["de", NETWORK, /Verbindung/],
  ["es-MX", SERVER, /servidor/i],
  ["tlh", NETWORK, /connection/i], // an unknown language falls back to English
];
for (const [lang, { fault, kind, cause }, text] of TEXTS) {
  scenario(`22 banner: its text says ${kind} in ${lang}`, async ({ stage }) => {
    const { page, banner } = await pageWithBanner(stage, { query: { lang } });
    const outage = await page.during(() => fault(stage));
    const look = await banner.until({ shown: true, kind }, { from: outage.from });
    assert.match(look.text, text);
    if (cause) assert.equal(look.cause, cause);
  });
}

scenario("22 banner: a blip of less than half a second shows nothing", { server: QUICK }, async ({ stage }) => {
  const { page, socket, banner } = await pageWithBanner(stage);
  for (let blip = 1; blip <= 3; blip += 1) {
    const reset = await page.during(() => stage.proxy.reset());
    const { detail } = await socket.until("reconnect", {}, { from: reset.from });
    assert.ok(detail.downtimeMs < DELAY, `a blip of ${detail.downtimeMs} ms: the machine stood still, or the client was slow`);
  }
  const reinit = await page.during(() => stage.server.reinit());
  await socket.until("reconnect", { cause: "reinit" }, { from: reinit.from });
  await page.tab.waitForTimeout(DELAY * 2); // a late banner would show by now
  const log = await banner.log();
  assert.deepEqual(log.filter(({ shown }) => shown), []);
  assert.ok(log.some(({ state }) => state === "reconnecting"), "its data did say so");
});

scenario("22 banner: a renderer of the page's own gets the same data, and the default draws nothing", async ({ stage }) => {
  const page = await stage.page();
  const socket = await page.connect();
  await page.evaluate(() => recorder.banner("socket", (element) => {
    globalThis.rendered = [];
    element.renderer = (info) => rendered.push(recorder.plain(info));
  }));
  await socket.subscribe("a");
  await socket.ready("a");
  const outage = await page.during(() => stage.server.kill());
  await page.tab.waitForFunction(() => rendered.some((info) => info?.cause === "unreachable"));
  const told = await socket.until("cause", { cause: "unreachable" }, { from: outage.from });
  const info = await page.evaluate(() => rendered.find((info) => info?.cause === "unreachable"));
  for (const field of ["cause", "kind", "confidence"]) assert.equal(info[field], told.detail[field]);
  assert.deepEqual(info.evidence, told.detail.evidence);
  assert.equal(info.willRetry, true);
  await stage.server.start();
  await page.tab.waitForFunction(() => rendered.some((info) => info?.state === "connected"));
  await page.tab.waitForFunction(() => rendered.at(-1) === null);
  assert.deepEqual((await page.banner().log()).filter(({ shown }) => shown), []);
});

scenario("22 banner: a reload flashes nothing", async ({ stage }) => {
  const { page, socket, banner } = await pageWithBanner(stage);
  for (let load = 1; load <= 3; load += 1) {
    await page.evaluate(() => addEventListener("pagehide", () => sessionStorage.setItem("left", JSON.stringify(recorder.bannerOf("socket").log))));
    await page.reload();
    const left = await page.evaluate(() => JSON.parse(sessionStorage.getItem("left")));
    assert.ok(left.length > 0);
    assert.deepEqual(left.filter(({ shown }) => shown), [], "while the page was left");
    await socket.ready("a");
    assert.deepEqual((await banner.log()).filter(({ shown }) => shown), [], "while the page came");
  }
});
