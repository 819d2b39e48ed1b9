// A page in a fresh browser context, seen from the test: its recorder, its spies, its sockets.
import assert from "node:assert/strict";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { PATIENCE, allowed, stalledWithin } from "./deadline.mjs";

const SPIES = path.join(path.dirname(fileURLToPath(import.meta.url)), "../page/spies.js");

/** The options every scenario connects with, unless it says otherwise: the page's half of the test profile. */
export const OPTIONS = { backoff: { base: 100, cap: 1000 }, connectTimeout: 750 };

/** Chromium itself writes these to the console when the network fails; a page cannot prevent it. */
const NETWORK_NOISE = /^(WebSocket connection to 'ws:\/\/\S+' failed|Failed to load resource: net::ERR_|Failed to load resource: the server responded with a status of 503)/;

export class Page {
  #stage;
  #context;
  consoleErrors = [];
  uncaught = [];
  /** Patterns of uncaught errors that the scenario itself causes. */
  expectedErrors = [];
  #break = null;
  /** Rejects at the first uncaught error that was not expected: nothing is worth waiting for after it. */
  broken = new Promise((_, reject) => { this.#break = reject; });

  /** Opens a page of the page host. `query`: `{lang, csp, sockets}`; `before`: runs in the page before every script. */
  static async open(stage, { query = {}, before } = {}) {
    const page = new Page();
    page.broken.catch(() => {}); // it may come while nobody waits; the invariants tell it then
    page.#stage = stage;
    page.#context = await (await stage.browser()).newContext();
    page.tab = await page.#context.newPage();
    page.tab.on("console", (message) => {
      if (message.type() === "error" && !NETWORK_NOISE.test(message.text())) page.consoleErrors.push(message.text());
    });
    page.tab.on("pageerror", (error) => page.#complain(String(error.stack ?? error)));
    await page.#context.addInitScript({ path: SPIES });
    if (before) await page.#context.addInitScript(before);
    page.url = `${stage.host.origin}/?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]))}`;
    await page.tab.goto(page.url);
    await page.#ready();
    return page;
  }

  /** Loads the page anew; the logs start anew with it. */
  async reload() {
    await this.tab.reload();
    await this.#ready();
  }

  async #ready() {
    await this.tab.waitForFunction(() => globalThis.recorder?.loadedAt > 0, undefined, { timeout: PATIENCE });
  }

  #complain(text) {
    this.uncaught.push(text);
    if (!this.expectedErrors.some((pattern) => pattern.test(text))) this.#break(new Error(`uncaught in the page: ${text}`));
  }

  evaluate(body, argument) { return this.tab.evaluate(body, argument); }

  /** A socket through the stage's proxy (or to `url`), recorded as `name`. */
  async connect({ name = "socket", url = this.#stage.url, options = {} } = {}) {
    await this.evaluate(([name, url, options]) => recorder.connect(name, url, options), [name, url, { ...OPTIONS, ...options }]);
    return this.socket(name);
  }

  /** The socket `name`, which the page's address or `connect` made. */
  socket(name = "socket") { return new Socket(this, name); }

  /** Playwright's emulation: the events fire, new sockets and fetches fail, open sockets stall. */
  setOffline(offline) { return this.#context.setOffline(offline); }

  /** Only `navigator.onLine` and its events say offline; open sockets go on, and no new one can be made. */
  async setFalselyOffline(offline) {
    this.devtools ??= await this.#context.newCDPSession(this.tab);
    await this.devtools.send("Network.overrideNetworkState", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  }

  now() { return this.evaluate(() => performance.now()); }

  /**
   * Does `action` and resolves with when that was, by this page's clock: `from`, before it (events are looked for from here), and
   * `at`, when the fault was acknowledged (deadlines run from here).
   */
  async during(action) {
    const from = await this.now();
    await action();
    return { from, at: await this.now() };
  }

  spies() { return this.evaluate(() => globalThis.spies); }

  /** The dials to the sockets' host, oldest first: `{at, url, openedAt, endedAt, code, sent, received}`. */
  async dials() { return (await this.spies()).dials; }

  /** The milliseconds of a time span in which this page or the test's own process was not served. */
  async stalled(from, to) {
    const { origin, stalls } = await this.evaluate(() => ({ origin: performance.timeOrigin, stalls: spies.stalls }));
    return stalledWithin(stalls, from, to) + stalledWithin(this.#stage.stalls, origin + from, origin + to);
  }

  /** Asserts that `at` is at most `limit` milliseconds after the fault, plus the stated tolerance. */
  async assertWithin(at, fault, limit, what) {
    const took = at - fault.at;
    const most = allowed(limit, await this.stalled(fault.from, at));
    assert.ok(took <= most, `${what}: took ${took.toFixed(0)} ms, promised within ${limit} ms (${most.toFixed(0)} ms allowed)`);
  }

  banner(name = "socket") { return new Banner(this, name); }

  close() { return this.#context.close(); }
}

/** One recorded socket of a page. */
export class Socket {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  /** `body` runs in the page with the recording (`.socket` is the client's own) and `argument`. */
  evaluate(body, argument) {
    // An expression, not `eval` in the page: that would be forbidden under the policies that some pages are served with.
    return this.page.evaluate(`(${body})(recorder.get(${JSON.stringify(this.name)}), ${JSON.stringify(argument)})`);
  }

  subscribe(channel, options = {}) { return this.evaluate((recording, [channel, options]) => recording.subscribe(channel, options), [channel, options]); }
  unsubscribe(key) { return this.evaluate((recording, key) => recording.unsubscribe(key), key); }
  publish(channel, data, options = {}) { return this.evaluate((recording, [channel, data, options]) => recording.publish(channel, data, options), [channel, data, options]); }
  retry() { return this.evaluate((recording) => recording.socket.retry()); }
  close() { return this.evaluate((recording) => recording.socket.close()); }
  state() { return this.evaluate((recording) => recording.socket.state); }
  /** The public properties, as the page sees them now. */
  properties() {
    return this.evaluate(({ socket }) => {
      const { state, cause, member, session, pending, outage } = socket;
      return recorder.plain({ state, cause, member, session, pending, outage });
    });
  }
  log() { return this.evaluate((recording) => recording.log); }

  /** The log's entries of these events, oldest first. */
  async entries(...events) { return (await this.log()).filter((entry) => events.includes(entry.event)); }

  /** The states in order, the first one included: `["connecting", "connected"]`. */
  async states() { return (await this.entries("created", "state")).map((entry) => (entry.event === "created" ? entry.state : entry.detail.state)); }

  /** The first entry of `event` whose detail has the fields of `match`, at or after `from` (page clock); waits for it. */
  async until(event, match = {}, { from = 0, patience = PATIENCE } = {}) {
    const what = `${event} ${JSON.stringify(match)}`;
    const seen = this.evaluate((recording, wanted) => recording.until(wanted), { event, match, from });
    return this.#patiently(seen, patience, what);
  }

  /** `until`, and at most `limit` milliseconds after the fault. */
  async within(limit, fault, event, match = {}) {
    const entry = await this.until(event, match, { from: fault.from, patience: limit + PATIENCE });
    await this.page.assertWithin(entry.at, fault, limit, `${event} ${JSON.stringify(match)}`);
    return entry;
  }

  /** Resolves when `condition(recording, argument)` holds in the page, looked at every few milliseconds. */
  async when(condition, argument, what = condition.toString()) {
    const seen = this.evaluate(`(recording, argument) => new Promise((resolve, reject) => {
      const look = () => {
        try {
          const value = (${condition})(recording, argument);
          if (value) resolve(value);
          else setTimeout(look, 5);
        } catch (error) {
          reject(error);
        }
      };
      look();
    })`, argument);
    return this.#patiently(seen, PATIENCE, what);
  }

  /** The state is `connected` and every channel's `ready` has resolved. */
  async ready(...channels) {
    await this.when((recording) => recording.socket.state === "connected", undefined, "connected");
    for (const key of channels) await this.until("ready", { key });
  }

  /** Messages of one listener, oldest first: `{at, sentAt, channel, offset, data, from}`; `at` by the page's clock, `sentAt` by the server's. */
  async messages(key) {
    return (await this.entries("message")).filter(({ detail }) => detail.key === key)
      .map(({ at, detail }) => ({ ...detail, sentAt: detail.at, at }));
  }

  /** Resolves with the listener's messages once the one of this offset has come. */
  async untilOffset(key, offset) {
    await this.until("message", { key, offset });
    return this.messages(key);
  }

  async #patiently(promise, patience, what) {
    let timer;
    promise.catch(() => {}); // when patience ends first, the page may be closed under it
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${this.name}: not seen within ${patience} ms: ${what}`)), patience); });
    try {
      return await Promise.race([promise, late, this.page.broken]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What a person sees of the `<rejoin-status>` of one socket. */
export class Banner {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  /** Every change since it was added: `{at, shown, role, state, kind, cause, text, buttons}`. */
  log() { return this.page.evaluate((name) => recorder.bannerOf(name).log, this.name); }

  async last() { return (await this.log()).at(-1); }

  /** The first look at or after `from` with these fields (text and buttons aside); waits for it. */
  async until(match, { from = 0 } = {}) {
    const found = await this.page.tab.waitForFunction(([name, match, from]) => {
      const { log } = recorder.bannerOf(name);
      const fits = (look) => Object.entries(match).every(([field, value]) => look[field] === value);
      // The look that holds at `from` counts too: nothing is written down while nothing changes.
      const first = Math.max(0, log.findLastIndex((look) => look.at <= from));
      return log.slice(first).find(fits);
    }, [this.name, match, from], { timeout: PATIENCE }).catch(async (error) => {
      throw new Error(`banner never ${JSON.stringify(match)}: ${error.message}\n${JSON.stringify(await this.log(), null, 1)}`);
    });
    return found.jsonValue();
  }
}
