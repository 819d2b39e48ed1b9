// `<rejoin-status>` by itself: in a real Chromium, against a socket that does what the test says, on a clock that the test moves.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { chromium } from "playwright-core";

const source = fileURLToPath(new URL("status.ts", import.meta.url));
const ORIGIN = "http://banner.test/";
const STRICT = "default-src 'none'; script-src 'unsafe-eval'"; // 'unsafe-eval' is for page.evaluate's sake

let code;
let browser;
let page;
let errors;

/** Runs in the page: a socket with the three things that the banner reads, and hands to move them. */
function scriptedSocket() {
  window.scripted = () => {
    const listeners = new Set();
    const socket = {
      state: "connecting", retries: 0, next: null, now: null,
      get outage() { return this.now && { ...this.now, retryInMs: this.next && Math.max(0, this.next - Date.now()) }; },
      get listeners() { return listeners.size; },
      on(event, listener, { signal } = {}) {
        const entry = [event, listener];
        listeners.add(entry);
        signal?.addEventListener("abort", () => listeners.delete(entry));
      },
      retry() { this.retries += 1; },
      tell() { for (const [event, listener] of [...listeners]) if (event === "state") listener({}); },
      connect() { this.state = "connected"; this.now = this.next = null; this.tell(); },
      lose(cause, kind, { retryInMs = 3000, willRetry = true, state = willRetry ? "reconnecting" : "closed" } = {}) {
        this.now = { cause, kind, confidence: "certain", evidence: {}, since: Date.now(), willRetry, attempt: 0 };
        this.next = retryInMs === null ? null : Date.now() + retryInMs;
        this.state = state;
        this.tell();
      },
    };
    return socket;
  };
}

before(async () => {
  const built = await build({ entryPoints: [source], bundle: true, format: "iife", write: false, logLevel: "silent" });
  code = built.outputFiles[0].text;
  browser = await chromium.launch({
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
});
after(() => browser?.close());

beforeEach(async () => {
  await page?.context().close();
  page = await browser.newPage();
  errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  await page.route(ORIGIN, (route) => route.fulfill({
    contentType: "text/html",
    headers: { "content-security-policy": STRICT },
    body: "<!doctype html><html lang=en><title>t</title><body><rejoin-status></rejoin-status><input id=before>",
  }));
  await page.clock.install();
  await page.goto(ORIGIN);
  await page.clock.pauseAt(new Date(Date.now() + 3_600_000));
  await page.evaluate(scriptedSocket);
  await page.evaluate(code);
  await page.evaluate(() => {
    window.banner = document.querySelector("rejoin-status");
    window.socket = scripted();
    banner.socket = socket;
    socket.connect();
  });
});

const run = (script) => page.evaluate(script);
const wait = (ms) => page.clock.runFor(ms);
/** What a reader sees, or null. */
const shown = () => page.evaluate(() => {
  const box = banner.shadowRoot.querySelector("[part=banner]");
  if (banner.getBoundingClientRect().height === 0) return null;
  const part = (name) => box.querySelector(`[part=${name}]`);
  return {
    text: part("text").firstElementChild.textContent,
    countdown: part("countdown").textContent,
    button: part("button").hidden ? null : part("button").textContent,
  };
});
const data = () => run(() => ({ ...banner.dataset, role: banner.role ?? banner.getAttribute("role"), live: banner.ariaLive }));

test("shows an outage after 500 ms, counts down, and hides two seconds after recovery", async () => {
  assert.deepEqual(await data(), { state: "connected", role: "status", live: "polite" });
  await run(() => socket.lose("unreachable", "server"));
  assert.deepEqual(await data(), { state: "reconnecting", kind: "server", cause: "unreachable", role: "status", live: "polite" });
  await wait(499);
  assert.equal(await shown(), null);
  await wait(1);
  assert.deepEqual(await shown(), { text: "Our server cannot be reached.", countdown: "Trying again in 3 s", button: "Try now" });
  await wait(1700);
  assert.equal((await shown()).countdown, "Trying again in 1 s");
  await run(() => { socket.next = null; });
  await wait(200);
  assert.equal((await shown()).countdown, "Trying again…");

  await run(() => socket.connect());
  assert.deepEqual(await shown(), { text: "Back online", countdown: "", button: null });
  await wait(1999);
  assert.ok(await shown());
  await wait(1);
  assert.equal(await shown(), null);
  assert.deepEqual(await data(), { state: "connected", role: "status", live: "polite" });
  assert.deepEqual(errors, [], "nothing that a strict policy blocks");
});

test("a blip shows nothing, not even that it is over", async () => {
  await run(() => socket.lose("lost", "network"));
  await wait(450);
  await run(() => socket.connect());
  for (let step = 0; step < 12; step += 1) {
    await wait(250);
    assert.equal(await shown(), null);
  }
});

test("an outage that was not shown while it lasted is not shown while the channels catch up", async () => {
  await run(() => socket.lose("not-ready", "application", { state: "connecting" }));
  await wait(1500);
  assert.equal(await shown(), null);
  await run(() => { socket.state = "connected"; socket.tell(); });
  assert.equal(await shown(), null);
  await wait(600);
  await run(() => socket.connect());
  assert.equal(await shown(), null, "so there is nothing that it is back from");
});

test("the delay runs from the first drop, whatever is learned meanwhile, and is the page's to set", async () => {
  await run(() => socket.lose("lost", "network"));
  await wait(400);
  await run(() => { socket.now = { ...socket.now, cause: "unreachable", kind: "server", since: Date.now() }; socket.tell(); });
  await wait(100);
  assert.equal((await shown()).text, "Our server cannot be reached.");
  await run(() => { socket.connect(); });
  await wait(2000);
  await run(() => { banner.setAttribute("delay", "2000"); socket.lose("silent", "network"); });
  await wait(1999);
  assert.equal(await shown(), null);
  await wait(1);
  assert.ok(await shown());
});

test("a drop during \"Back online\" is told at once: the banner is up, and must not say what is no longer so", async () => {
  await run(() => socket.lose("silent", "network"));
  await wait(500);
  await run(() => socket.connect());
  await wait(1000);
  await run(() => socket.lose("restart", "server"));
  assert.equal((await shown()).text, "Our server is restarting.");
});

test("each kind has its words, a page's own kinds none", async () => {
  const say = async (cause, kind, options) => {
    await page.evaluate(([cause, kind, options]) => socket.lose(cause, kind, options), [cause, kind, options]);
    await wait(500);
    const seen = await shown();
    await run(() => socket.connect());
    await wait(2000);
    return seen && `${seen.text}|${seen.countdown}|${seen.button}`;
  };
  const final = { willRetry: false, retryInMs: null };
  assert.equal(await say("silent", "network"), "Your connection was interrupted.|Trying again in 3 s|Try now");
  assert.equal(await say("offline", "network", { retryInMs: null }), "You are offline.|We go on when you are online again.|Try now");
  assert.equal(await say("overload", "server"), "Our server cannot be reached.|Trying again in 3 s|Try now");
  assert.equal(await say("reinit", "application"), "We are updating. One moment, please.|Trying again in 3 s|Try now");
  assert.equal(await say("expired", "credentials", final), "Please sign in again.||Try now");
  assert.equal(await say("kicked", "policy", final), "We had to end this connection. Please reload the page.||Try now");
  assert.equal(await say("blocked", "blocked"), "Your network blocks live connections. Please try another network.|Trying again in 3 s|Try now");
  assert.equal(await say("frozen", "page"), null);
  assert.equal(await say("closed", "closed", final), null);
  assert.equal(await say("not-ready", "application", { state: "connecting" }), null);
});

test("speaks the page's language, or the page's own words", async () => {
  await run(() => socket.lose("unreachable", "server"));
  await wait(500);
  const seen = {};
  for (const language of ["es", "de-AT", "fr", "PT-br", "ja"]) {
    await page.evaluate((language) => { document.documentElement.lang = language; banner.texts = {}; }, language);
    seen[language] = (await shown()).text;
  }
  assert.deepEqual(seen, {
    es: "No se puede acceder a nuestro servidor.",
    "de-AT": "Unser Server ist nicht erreichbar.",
    fr: "Notre serveur est injoignable.",
    "PT-br": "O nosso servidor está inacessível.",
    ja: "Our server cannot be reached.",
  });
  await run(() => { banner.texts = { server: "The kitchen is closed.", retryIn: "{s} to go", retry: "Knock" }; });
  assert.deepEqual(await shown(), { text: "The kitchen is closed.", countdown: "3 to go", button: "Knock" });
});

test("the button tries at once, and gives the focus back when it goes", async () => {
  await page.focus("#before");
  await run(() => socket.lose("silent", "network"));
  await wait(500);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  assert.equal(await run(() => socket.retries), 1);
  await run(() => socket.connect());
  assert.equal(await run(() => document.activeElement.id), "before");
});

test("a renderer gets the same, once a second, and the default draws nothing", async () => {
  await run(() => {
    window.seen = [];
    banner.renderer = (info) => seen.push(info && [info.state, info.kind, info.cause, info.willRetry, Math.ceil(info.retryInMs / 1000)].join(" "));
    socket.lose("silent", "network");
  });
  await wait(500);
  await wait(2000);
  assert.equal(await shown(), null);
  await run(() => socket.connect());
  await wait(2000);
  assert.deepEqual(await run(() => seen), [
    "reconnecting network silent true 3", "reconnecting network silent true 2", "reconnecting network silent true 1",
    "connected network silent true 0", null,
  ]);
});

test("a listener that prevents the default draws instead; one that only listens does not", async () => {
  await run(() => {
    window.seen = [];
    banner.addEventListener("status", (event) => seen.push(event.detail?.cause ?? null), { once: true });
    socket.lose("silent", "network");
  });
  await wait(500);
  assert.deepEqual(await run(() => seen), ["silent"]);
  assert.ok(await shown());
  await run(() => banner.addEventListener("status", (event) => event.preventDefault()));
  await wait(1000);
  assert.equal(await shown(), null);
});

test("a page that is left or reloaded flashes nothing", async () => {
  await run(() => {
    dispatchEvent(new PageTransitionEvent("pagehide"));
    socket.lose("lost", "network");
  });
  await wait(3000);
  assert.equal(await shown(), null);
  await run(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  assert.ok(await shown(), "back from the cache and still away");
});

test("another socket, none, and leaving the document let go of the first", async () => {
  await run(() => { socket.lose("silent", "network"); });
  await wait(500);
  await run(() => { window.other = scripted(); other.connect(); banner.socket = other; });
  assert.equal(await shown(), null);
  assert.equal(await run(() => socket.listeners), 0);
  await run(() => { banner.socket = null; });
  assert.equal(await run(() => other.listeners), 0);
  assert.equal(await run(() => banner.dataset.state), undefined);

  await run(() => { banner.socket = socket; banner.remove(); });
  assert.equal(await run(() => socket.listeners), 0);
  await wait(3000);
  await run(() => document.body.append(banner));
  assert.ok(await shown(), "back in the document it shows what is so");
  assert.ok(await run(() => socket.listeners) > 0);
});

test("what a page sets before the element is defined counts, and defining it twice is harmless", async () => {
  await page.reload();
  await page.evaluate(scriptedSocket);
  await run(() => {
    window.banner = document.querySelector("rejoin-status");
    window.socket = scripted();
    banner.socket = socket;
    banner.texts = { network: "Early words." };
    banner.delay = 100;
  });
  await page.evaluate(code);
  await page.evaluate(code);
  await run(() => socket.lose("silent", "network"));
  await wait(100);
  assert.equal((await shown()).text, "Early words.");
  assert.deepEqual(errors, []);
});

test("a final end that began long ago, by a clock set back, is shown after the delay all the same", async () => {
  await run(() => {
    socket.lose("denied", "credentials", { willRetry: false, retryInMs: null });
    Object.defineProperty(socket.now, "since", { get: () => Date.now() + 86_400_000, enumerable: true });
    socket.tell();
  });
  await wait(500);
  assert.equal((await shown()).text, "You have no access. Please sign in with another account.");
});

test("on a server the import does nothing", async () => {
  const built = await build({ entryPoints: [source], bundle: true, format: "esm", write: false, logLevel: "silent" });
  const entry = await import(`data:text/javascript,${encodeURIComponent(built.outputFiles[0].text)}`);
  assert.equal(typeof entry.RejoinStatus, "function");
});
