// Brings a fresh clone to where everything builds: npm packages, Rust, a compiler for wasm; with `--browser` also Chromium
// for the tests. When all is there it only looks, which takes well under a second.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

import { ensureChromium } from "./lib/chromium.mjs";
import { root } from "./lib/paths.mjs";
import { endOnSignal, mustRun } from "./lib/process.mjs";
import { Failure, isMain, main, step } from "./lib/report.mjs";
import { ensureCargo, ensureWasmCompiler } from "./lib/rust.mjs";

const NODE_MINIMUM = 20;

/** Resolves to `{ chromium }`: the path of the browser, or null when it was not asked for. */
export async function setup({ browser = false } = {}) {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < NODE_MINIMUM) {
    throw new Failure(`node is ${process.versions.node}, and Rejoin needs ${NODE_MINIMUM} or later: https://nodejs.org`);
  }
  await ensureCargo();
  if (!npmPackagesAreThere()) {
    await step("npm packages", () => mustRun("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]));
  }
  await ensureWasmCompiler();
  return { chromium: browser ? await ensureChromium() : null };
}

/** Whether what npm recorded as installed is what the lock file asks for. */
function npmPackagesAreThere() {
  const installed = readLock("node_modules/.package-lock.json");
  const wanted = readLock("package-lock.json");
  if (wanted === null) throw new Failure("package-lock.json is missing or not JSON");
  return installed !== null && Object.entries(wanted.packages).every(([name, { version, optional, link }]) => {
    const isLibrary = name.startsWith("node_modules/");
    if (!isLibrary || optional) return true;
    return link ? existsSync(path.join(root, name)) : installed.packages[name]?.version === version;
  });
}

function readLock(name) {
  try {
    return JSON.parse(readFileSync(path.join(root, name), "utf8"));
  } catch {
    return null;
  }
}

if (isMain(import.meta.url)) {
  endOnSignal();
  await main(() => setup({ browser: process.argv.includes("--browser") }));
}
