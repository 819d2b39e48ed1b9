// Browser scenarios: the built package in a real Chromium, a real server process, a real TCP proxy between them.
//
// scenario("what happens", async ({ stage }) => { const page = await stage.page(); … });
//
// A stage is one server, one proxy before it, one page host beside it. When the body is done, every page's invariants are asserted;
// when anything fails, every page's log and the server's are printed.
import { after, test } from "node:test";
import { startFaultProxy } from "../../demo/fault-proxy.mjs";
import { browser, closeBrowser } from "./harness/browser.mjs";
import { watchStalls } from "./harness/deadline.mjs";
import { assertInvariants } from "./harness/invariants.mjs";
import { startPageHost } from "./harness/page_host.mjs";
import { OPTIONS, Page } from "./harness/page.mjs";
import { Peer } from "./harness/peer.mjs";
import { Server } from "./harness/server.mjs";

export { SLACK, allowed } from "./harness/deadline.mjs";
export { OPTIONS } from "./harness/page.mjs";
export { numbered } from "./harness/peer.mjs";
export { TIMES } from "./harness/server.mjs";

/** A scenario that takes longer has hung, in milliseconds. */
const SCENARIO_LIMIT = 60_000;

/** Different errors of a page that are printed; a broken client throws at every timer. */
const ERRORS_SHOWN = 10;

after(closeBrowser);

/**
 * One test on a stage of its own.
 *
 * `options.server` goes to the server (`settings`, `channels`); `options.idle` leaves it stopped, with a port of its own;
 * `options.limit` is in milliseconds.
 */
export function scenario(name, options, body) {
  if (typeof options === "function") return scenario(name, {}, options);
  return test(name, async () => {
    const stage = await Stage.open(options);
    try {
      await withinLimit(body({ stage }), options.limit ?? SCENARIO_LIMIT);
      for (const page of stage.pages) await assertInvariants(page);
    } catch (error) {
      await stage.printLogs();
      throw error;
    } finally {
      await stage.close();
    }
  });
}

/** The test runner's own time limit would leave the stage standing, its server included. */
async function withinLimit(promise, limit) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not over within ${limit} ms`)), limit); });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

class Stage {
  pages = [];
  #extra = [];
  #peers = [];
  #watch = watchStalls();

  static async open({ server = {}, idle = false }) {
    const stage = new Stage();
    stage.server = await new Server(server).start();
    if (idle) await stage.server.kill();
    stage.proxy = await startFaultProxy({ target: { host: "127.0.0.1", port: stage.server.port } });
    stage.host = await startPageHost();
    return stage;
  }

  /** Where pages connect to: through the proxy. */
  get url() { return urlOf(this.proxy); }
  get stalls() { return this.#watch.stalls; }
  browser() { return browser(); }

  /** A page in a context of its own; see `Page.open`. */
  async page(options) {
    const page = await Page.open(this, options);
    this.pages.push(page);
    return page;
  }

  /** A page that connects while it loads, with one recorded socket. */
  pageConnecting({ channels = [], banner = false, options = {}, url = this.url, ...rest } = {}) {
    const sockets = [{ name: "socket", url, options: { ...OPTIONS, ...options }, channels, banner }];
    return this.page({ ...rest, query: { ...rest.query, sockets } });
  }

  /** A raw client, directly at the server; faults of the proxy do not reach it. */
  async peer(options) {
    const peer = await Peer.open(this.server.port, options);
    this.#peers.push(peer);
    return peer;
  }

  /** Another server with a proxy before it: `{server, proxy, url}`. */
  async another(options) {
    const server = await new Server(options).start();
    const proxy = await startFaultProxy({ target: { host: "127.0.0.1", port: server.port } });
    const pair = { server, proxy, url: urlOf(proxy) };
    this.#extra.push(pair);
    return pair;
  }

  async printLogs() {
    for (const [index, page] of this.pages.entries()) {
      const seen = await page.evaluate(() => ({ spies: globalThis.spies, logs: globalThis.recorder?.logs(), now: performance.now() })).catch((error) => ({ gone: String(error) }));
      console.error(`page ${index + 1} (${page.url}), at ${seen.now?.toFixed(0)} ms:`);
      for (const [name, log] of Object.entries(seen.logs ?? {})) printLog(name, log);
      for (const dial of seen.spies?.dials ?? []) {
        console.error(`  dial ${dial.at.toFixed(0)} opened ${dial.openedAt?.toFixed(0)} ended ${dial.endedAt?.toFixed(0)} ${dial.code} ${dial.url}`);
        const frames = [...dial.sent.map((frame) => ({ way: ">", ...frame })), ...dial.received.map((frame) => ({ way: "<", ...frame }))].sort((a, b) => a.at - b.at);
        for (const { way, at, ...frame } of frames.slice(-40)) console.error(`    ${at.toFixed(0)} ${way} ${JSON.stringify(frame)}`);
      }
      for (const probe of seen.spies?.probes ?? []) console.error(`  probe ${probe.at.toFixed(0)} ended ${probe.endedAt?.toFixed(0)} ${probe.status} ${probe.url}`);
      for (const { at, event } of seen.spies?.windows ?? []) console.error(`  window ${at.toFixed(0)} ${event}`);
      const errors = new Set([...page.uncaught, ...page.consoleErrors, seen.gone].filter(Boolean));
      for (const text of [...errors].slice(0, ERRORS_SHOWN)) console.error(`  error: ${text}`);
    }
    for (const { log } of [this.server, ...this.#extra.map(({ server }) => server)]) {
      console.error(`server:\n  ${log.slice(-40).join("\n  ")}`);
    }
  }

  async close() {
    this.#watch.stop();
    this.#peers.forEach((peer) => peer.close());
    await Promise.all(this.pages.map((page) => page.close()));
    await Promise.all([this.proxy, this.server, this.host, ...this.#extra.flatMap(({ proxy, server }) => [proxy, server])].map((part) => part.close()));
  }
}

/** Runs of one listener's messages are shortened: the rest of the log is what explains a failure. */
function printLog(name, log) {
  const shown = log.filter((entry, index) => entry.event !== "message" || log[index - 1]?.event !== "message" || log[index + 1]?.event !== "message");
  for (const { at, event, state, cause, detail } of shown) {
    console.error(`  ${name} ${at.toFixed(0)} [${state}/${cause}] ${event} ${JSON.stringify(detail)}`);
  }
}

const urlOf = (proxy) => `ws://127.0.0.1:${proxy.port}/ws`;
