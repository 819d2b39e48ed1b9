// The Rust side of the set-up: a cargo that is new enough, and a way to compile for the browser.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

import { aptInstall, canUseApt } from "./debian.mjs";
import { cacheDirectory, root } from "./paths.mjs";
import { run, which } from "./process.mjs";
import { Failure, say } from "./report.mjs";

const INSTALL_RUST =
  "install Rust from https://rustup.rs:\n" +
  "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
const DEBIAN_PACKAGES = ["rustc-web", "rust-web-src", "rust-web-llvm", "lld-22"];
const RUSTUP_TIMEOUT_MS = 180_000;
/** After rustup could not add what a build wants, how long until the next try: a start must not wait for it each time. */
const RETRY_AFTER_MS = 24 * 3_600_000;

/** Checks cargo. A rustup that is installed but not on PATH, as in a shell opened before, is taken into it. */
export async function ensureCargo() {
  const home = path.join(process.env.CARGO_HOME ?? path.join(homedir(), ".cargo"), "bin");
  if (which("cargo") === null && existsSync(home)) process.env.PATH += path.delimiter + home;
  if (which("cargo") === null) throw new Failure(`cargo is not installed; ${INSTALL_RUST}`);

  const minimum = /rust-version = "([\d.]+)"/.exec(readFileSync(path.join(root, "Cargo.toml"), "utf8"))[1];
  const { code, output } = await run("rustc", ["--version"], { quiet: true });
  const version = /rustc (\d+\.\d+)/.exec(output)?.[1];
  if (code !== 0 || version === undefined) throw new Failure(`rustc does not run: ${output.trim()}`);
  if (isOlder(version, minimum)) {
    throw new Failure(`rustc is ${version}, and Rejoin needs ${minimum} or later: rustup update stable, or ${INSTALL_RUST}`);
  }
}

/** Makes sure that `cargo xtask wasm` finds a compiler, best one whose standard library comes from source. */
export async function ensureWasmCompiler() {
  let plan = await wasmPlan();
  if (plan.library === "source") return;

  if (which("rustup") !== null && mayTryRustup()) {
    say("· adding the wasm target and the source of the standard library to rustup ...");
    const added = [
      await run("rustup", ["target", "add", "wasm32-unknown-unknown"], { timeoutMs: RUSTUP_TIMEOUT_MS }),
      await run("rustup", ["component", "add", "rust-src"], { timeoutMs: RUSTUP_TIMEOUT_MS }),
    ];
    if (added.some(({ code }) => code !== 0)) rememberRustupFailed();
    plan = await wasmPlan();
    if (plan.library === "source") return;
  }
  if (await canUseApt()) {
    try {
      await aptInstall(DEBIAN_PACKAGES);
    } catch (error) {
      if (plan.library === "none") throw error;
    }
    plan = await wasmPlan();
  }
  if (plan.library === "none") throw new Failure(plan.text);
}

/** What xtask would build with: `library` is `source`, `prebuilt` or `none`. */
async function wasmPlan() {
  const { code, output } = await run("cargo", ["xtask", "wasm", "--plan"], { quiet: true });
  const library = /^(source|prebuilt): /m.exec(output)?.[1];
  if (library !== undefined) return { library, text: output };
  // 2 is xtask's own "no compiler"; anything else is a failure of cargo or of the build of xtask.
  if (code !== 2) throw new Failure(`cargo xtask wasm --plan failed:\n${output.trimEnd()}`);
  return { library: "none", text: output.trimEnd().replace(/^error: /, "") };
}

const failedFile = path.join(cacheDirectory, "rustup-failed");

function mayTryRustup() {
  const stat = statSync(failedFile, { throwIfNoEntry: false });
  return stat === undefined || Date.now() - stat.mtimeMs > RETRY_AFTER_MS;
}

function rememberRustupFailed() {
  mkdirSync(cacheDirectory, { recursive: true });
  writeFileSync(failedFile, "");
}

function isOlder(version, minimum) {
  const [major, minor] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = minimum.split(".").map(Number);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}
