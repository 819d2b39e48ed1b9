// The real server, as a process of its own: started, killed, frozen and started again on the same port.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");

/** The test profile of the acceptance list: everything that takes a production server half a minute takes this one half a second. */
const PROFILE = {
  "connection-ping": "500ms",
  "connection-grace": "750ms",
  "connection-retry-window": "0ms,500ms",
  "connection-restart-window": "0ms,300ms",
  "connection-reinit-window": "0ms,300ms",
};
const CHANNELS = `
[[channel]]
pattern = "*"
history = 1000
presence = true
presence_grace = "5s"
`;

/** What the profile promises, in milliseconds, for the scenarios to calculate with. */
export const TIMES = { ping: 500, silence: 1250, retryWindow: 500, restartWindow: 300, reinitWindow: 300, presenceGrace: 5000 };

const LISTENING = /listening on http:\/\/[^\s:]+:(\d+)/;
const START_LIMIT = 10_000;
const LOG_LINES_MAX = 400;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1)); // by default no "exit" is told

/** The server binary: REJOIN_SERVER_BIN, else the newer of target/release and target/debug. */
function binary() {
  if (process.env.REJOIN_SERVER_BIN) return process.env.REJOIN_SERVER_BIN;
  const target = process.env.CARGO_TARGET_DIR ?? path.join(REPOSITORY, "target");
  const built = ["release", "debug"]
    .map((profile) => path.join(target, profile, "rejoin-server"))
    .filter((file) => existsSync(file))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (built.length === 0) throw new Error("no server to test: build it (cargo build -p rejoin-server) or name it in REJOIN_SERVER_BIN");
  return built[0];
}

/** One server and its port, which stays the same over all its processes. */
export class Server {
  #folder = mkdtempSync(path.join(tmpdir(), "rejoin-browser-"));
  #child = null;
  #flags;
  #config;
  log = [];
  port = 0;

  /** `settings`: flags over those of the profile, without their dashes; `channels`: TOML. */
  constructor({ settings = {}, channels = CHANNELS } = {}) {
    this.#flags = Object.entries({ ...PROFILE, ...settings }).flatMap(([name, value]) => [`--${name}`, value]);
    this.#config = path.join(this.#folder, "rejoin.toml");
    writeFileSync(this.#config, channels);
  }

  /** Starts a process and resolves when it accepts connections. */
  async start() {
    const child = spawn(binary(), [
      "--config", this.#config, "--listen", `127.0.0.1:${this.port}`, "--test-hooks", ...this.#flags,
    ], { stdio: ["ignore", "pipe", "pipe"], env: withoutOwnSettings(process.env) });
    running.add(child);
    child.once("exit", () => running.delete(child));
    this.#child = child;
    const listening = new Promise((resolve, reject) => {
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        this.#keep(text);
        output += text;
        const [, port] = LISTENING.exec(output) ?? [];
        if (port) resolve(Number(port));
      });
      child.stderr.setEncoding("utf8").on("data", (text) => this.#keep(text));
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`the server ended (${signal ?? code}) before it listened:\n${this.log.join("\n")}`)));
    });
    const late = AbortSignal.timeout(START_LIMIT);
    this.port = await Promise.race([listening, once(late, "abort").then(() => {
      throw new Error(`the server does not listen after ${START_LIMIT} ms:\n${this.log.join("\n")}`);
    })]);
    return this;
  }

  /** `kill -9`; resolves when the process is gone. */
  kill() { return this.#end("SIGKILL"); }
  /** A polite stop; resolves when the process is gone. */
  stop() { return this.#end("SIGTERM"); }
  /** The process stands still: the kernel goes on accepting, nobody answers. */
  freeze() { this.#child.kill("SIGSTOP"); }
  thaw() { this.#child.kill("SIGCONT"); }
  /** SIGUSR1: an announced reinit, as `POST /api/reinit`. */
  signalReinit() { this.#child.kill("SIGUSR1"); }

  reinit() { return this.#post("/api/reinit"); }
  /** The application state is replaced unannounced. */
  replace() { return this.#post("/api/test/replace"); }
  /** For `ms` milliseconds every hello is answered `not-ready`, with `retry` milliseconds to come back after. */
  notReady(ms, retry) { return this.#post("/api/test/not-ready", { ms, retry }); }
  /** One subscription is lost in silence. */
  drop(session, channel) { return this.#post("/api/test/drop", { session, channel }); }

  async close() {
    if (this.#child?.exitCode === null && this.#child?.signalCode === null) await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal) {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async #post(where, body) {
    const answer = await fetch(`http://127.0.0.1:${this.port}${where}`, {
      method: "POST",
      headers: body && { "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${where}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  #keep(text) {
    this.log.push(...text.split("\n").filter(Boolean));
    this.log.splice(0, this.log.length - LOG_LINES_MAX);
  }
}

/** A developer's own REJOIN_… settings are for their server, not for this one. */
function withoutOwnSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("REJOIN_")));
}
