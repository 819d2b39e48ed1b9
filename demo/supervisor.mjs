// The demo's stage hands: runs the server, breaks it on command, and gives each window a network cable of its own to cut.
//
// The server process owns the demo's port and nothing else; this process owns the commands, so it survives every button.
// The commands can kill a process: they answer to the demo's own pages on this machine, and to nobody else.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

import { startFaultProxy } from "./fault-proxy.mjs";

/** Windows that have a fault proxy at a time; for another one, the longest unused without a connection gives way. */
const WINDOWS_MAX = 64;
/** Milliseconds for the server to say that it listens. */
const START_TIMEOUT = 20_000;
/** Milliseconds for the server to end after SIGTERM, before SIGKILL. */
const STOP_TIMEOUT = 5_000;
/** Milliseconds for the server to answer a command of its API. */
const API_TIMEOUT = 5_000;
/** Characters kept of what the server wrote while it started. */
const STARTUP_LOG_MAX = 8_192;

const LISTENING = /^Rejoin is listening on (http:\/\/\S+)$/m;
const LOOPBACK_HOST = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/;
const DEMO_HEADER = "x-rejoin-demo";

/** The demo cannot start, in one line for a person. `code`: `no_pages`, `no_server`, `port_in_use`, `server_failed` or `start_timeout`. */
export class DemoError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "DemoError";
    this.code = code;
  }
}

/**
 * Starts the server on `host`:`port` (0 = a free port) with the pages of `pagesDir`, and the control beside it.
 *
 * `env` is added to the environment, `log` gets one line for a person when the server ends unasked.
 * Rejects with a `DemoError`; then nothing that it started is left.
 */
export async function startDemo({ port = 8575, host = "127.0.0.1", serverBin, pagesDir, env = {}, log = console.error }) {
  if (!(await stat(path.join(pagesDir, "index.html")).catch(() => null))) {
    throw new DemoError("no_pages", `The demo pages are not built: there is no index.html in ${pagesDir}`);
  }
  const pages = await mkdtemp(path.join(tmpdir(), "rejoin-demo-"));
  const server = new Server({ serverBin, host, port, pages, env, log });
  const windows = new Windows(server);
  const control = http.createServer((request, response) => answer(request, response, { server, windows }));
  const killServer = () => server.killNow();
  process.once("exit", killServer);

  const close = async () => {
    process.off("exit", killServer);
    control.closeAllConnections();
    await Promise.all([
      new Promise((resolve) => control.close(resolve)),
      windows.close(),
      server.end(),
    ]);
    await rm(pages, { recursive: true, force: true });
  };
  try {
    await new Promise((resolve, reject) => control.once("error", reject).listen(0, "127.0.0.1", resolve));
    const controlUrl = `http://127.0.0.1:${control.address().port}`;
    await cp(pagesDir, pages, { recursive: true });
    await writeFile(path.join(pages, "demo.json"), `${JSON.stringify({ control: controlUrl })}\n`);
    await server.start();
    return { url: server.url, controlUrl, close: once(close) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How long a re-initialisation of the demo takes, and when to ask again, ms. */
const REINIT = { ms: 5_000, retry: 1_000 };
/** The hook that makes the application not ready; and a window short enough to watch. All else is the server's defaults. */
const DEMO_FLAGS = ["--test-hooks", "--connection-reinit-window", "0s,2s"];

/** The server's process. Commands run one after the other; each is harmless when there is nothing to do. */
class Server {
  /** `running`, `stopped` (SIGTERM), `killed` (SIGKILL) or `crashed` (by itself). */
  state = "stopped";
  url = null;
  #options;
  #child = null;
  #exited = null;
  #expected = null;
  #turn = Promise.resolve();
  #ended = false;

  constructor(options) {
    this.#options = options;
  }

  get pid() { return this.#child?.pid ?? null; }
  /** The address at which this machine reaches the server. */
  get target() {
    const { hostname, port } = new URL(this.url);
    return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
  }

  start() { return this.#inTurn(() => this.#start()); }
  stop() { return this.#inTurn(() => this.#signal("SIGTERM", "stopped")); }
  kill() { return this.#inTurn(() => this.#signal("SIGKILL", "killed")); }
  /** As a real one: every page is told, and whoever comes back early hears that the application is not ready yet. */
  reinit() {
    return this.#inTurn(async () => {
      await this.#api("/api/test/not-ready", REINIT);
      await this.#api("/api/reinit");
    });
  }
  /** The last command: whatever waits behind it does nothing. */
  end() {
    this.#ended = true;
    this.#child?.kill("SIGTERM"); // one that is still starting is not waited for
    return this.#inTurn(() => this.#signal("SIGTERM", "stopped"));
  }
  /** For the exit of this process, where nothing can be awaited. */
  killNow() { this.#child?.kill("SIGKILL"); }

  #inTurn(command) {
    const result = this.#turn.then(command);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #start() {
    if (this.#child || this.#ended) return;
    const { serverBin, host, port, pages, env } = this.#options;
    const listen = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
    // A process group of its own: Ctrl-C in the terminal reaches this process alone, which then stops the server in good order.
    const child = spawn(serverBin, ["--listen", listen, "--pages", pages, ...DEMO_FLAGS], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#child = child;
    this.#expected = null;
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => resolve({ error }));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    const exited = this.#exited;
    const url = await listening(child, exited).catch(async (error) => {
      child.kill("SIGKILL");
      await exited;
      this.#child = null;
      throw error;
    });
    // A wildcard address is where it listens, not where a browser goes.
    this.url ??= url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
    this.#options.port = this.target.port; // the same one after a restart, also when it was 0
    this.state = "running";
    exited.then((end) => this.#handleExit(child, end));
  }

  #handleExit(child, { code, signal }) {
    if (child !== this.#child) return;
    this.#child = null;
    this.state = this.#expected ?? "crashed";
    if (this.state === "crashed") {
      this.#options.log(`rejoin-server ended by itself (${signal ?? `exit code ${code}`}); the demo's panel can start it again.`);
    }
  }

  async #signal(signal, state) {
    if (!this.#child) return;
    const child = this.#child;
    this.#expected = state;
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
    await this.#exited;
    clearTimeout(timer);
  }

  async #api(route, body) {
    if (!this.#child) throw new Refusal(409, "The server is not running.");
    const response = await fetch(new URL(route, this.url), {
      method: "POST",
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
      signal: AbortSignal.timeout(API_TIMEOUT),
    })
      .catch((error) => { throw new Refusal(502, `The server did not answer: ${error.cause?.code ?? error.name}.`); });
    const text = await response.text();
    if (!response.ok) throw new Refusal(502, `The server answered ${response.status}: ${text.slice(0, 200)}`);
  }
}

/** Resolves to the address that the server tells once it accepts. */
async function listening(child, exited) {
  let told = "";
  let written = "";
  let started = false;
  let timer;
  child.stderr.setEncoding("utf8").on("data", (text) => {
    if (started) process.stderr.write(text);
    else written = (written + text).slice(-STARTUP_LOG_MAX);
  });
  const line = new Promise((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      if (started) return;
      told = (told + text).slice(-STARTUP_LOG_MAX);
      const match = LISTENING.exec(told);
      if (match) resolve(match[1]);
    });
  });
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DemoError("start_timeout", `rejoin-server did not start within ${START_TIMEOUT / 1000} s`)), START_TIMEOUT);
  });
  try {
    const first = await Promise.race([line, exited.then((end) => ({ end })), tooLate]);
    if (typeof first !== "string") throw startError(first.end, written);
    started = true;
    process.stderr.write(written);
    return first;
  } finally {
    clearTimeout(timer);
  }
}

function startError({ error, code, signal }, written) {
  if (error) return new DemoError("no_server", `rejoin-server cannot be started: ${error.message}`);
  const lines = written.split("\n").map((line) => line.trim()).filter(Boolean);
  const last = lines.at(-1) ?? `rejoin-server ended at once (${signal ?? `exit code ${code}`})`;
  return new DemoError(/in use/i.test(last) ? "port_in_use" : "server_failed", last);
}

/** The windows' fault proxies, bounded by `WINDOWS_MAX`. */
class Windows {
  #server;
  #byId = new Map(); // in the order of last use
  #closed = false;

  constructor(server) {
    this.#server = server;
  }

  async open() {
    const proxy = await startFaultProxy({ target: this.#server.target });
    if (this.#closed || !this.#makeRoom()) {
      await proxy.close();
      throw new Refusal(503, `${WINDOWS_MAX} windows are connected; close one of them.`);
    }
    const window = { id: randomUUID(), proxy, cut: false };
    this.#byId.set(window.id, window);
    return window;
  }

  /** The window of that id, which thereby counts as used. */
  use(id) {
    const window = this.#byId.get(id);
    if (!window) throw new Refusal(404, "This window is not known here any more; reload it.");
    this.#byId.delete(id);
    this.#byId.set(id, window);
    return window;
  }

  close() {
    this.#closed = true;
    return Promise.all([...this.#byId.values()].map(({ proxy }) => proxy.close()));
  }

  #makeRoom() {
    if (this.#byId.size < WINDOWS_MAX) return true;
    for (const [id, { proxy }] of this.#byId) {
      if (proxy.live > 0) continue;
      this.#byId.delete(id);
      proxy.close();
      return true;
    }
    return false;
  }
}

/** Why a command was not done: an HTTP status and one sentence for the panel. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(request, response, demo) {
  const { origin } = request.headers;
  const send = (status, body) => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", vary: "origin" });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  request.resume(); // no command has a body
  try {
    if (!LOOPBACK_HOST.test(request.headers.host ?? "")) throw new Refusal(403, "Not reached by a loopback address.");
    if (!demoOrigins(demo.server.url).includes(origin)) throw new Refusal(403, "Not a page of this demo.");
    response.setHeader("access-control-allow-origin", origin);
    if (request.method === "OPTIONS") {
      response.setHeader("access-control-allow-methods", "POST");
      response.setHeader("access-control-allow-headers", DEMO_HEADER);
      response.setHeader("access-control-max-age", "600");
      send(204);
      return;
    }
    if (request.method !== "POST") throw new Refusal(405, "POST only.");
    // A form of another site can send a POST, but no header of its own without asking first.
    if (!request.headers[DEMO_HEADER]) throw new Refusal(403, `The header ${DEMO_HEADER} is missing.`);
    send(200, await perform(request.url, demo));
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof DemoError)) console.error(error);
    send(error.status ?? 500, { error: error.message });
  }
}

/** The pages' own origins: under each name that this machine has for itself, since a person may type any of them. */
function demoOrigins(url) {
  if (!url) return [];
  const { origin, port } = new URL(url);
  return [origin, `http://127.0.0.1:${port}`, `http://localhost:${port}`, `http://[::1]:${port}`];
}

async function perform(url, { server, windows }) {
  const [area, ...rest] = url.slice(1).split("/");
  let window = null;
  if (area === "windows" && rest.length === 0) {
    window = await windows.open();
  } else if (area === "windows" && rest.length <= 2) {
    window = windows.use(rest[0]);
    if (rest[1] === "cut") { window.proxy.drop(); window.cut = true; }
    else if (rest[1] === "restore") { window.proxy.restore(); window.cut = false; }
    else if (rest[1] !== undefined) throw new Refusal(404, "No such command.");
  } else if (area === "server" && rest.length === 1 && ["start", "stop", "kill", "reinit"].includes(rest[0])) {
    await server[rest[0]]();
  } else {
    throw new Refusal(404, "No such command.");
  }
  return {
    server: { state: server.state, pid: server.pid },
    ...(window && { window: { id: window.id, port: window.proxy.port, cut: window.cut } }),
  };
}

function once(run) {
  let result;
  return () => (result ??= run());
}
