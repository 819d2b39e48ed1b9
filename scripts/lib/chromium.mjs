// The browser that the tests drive: one that is installed, else one that can be.

import { existsSync } from "node:fs";

import { Failure, say } from "./report.mjs";
import { answers, run, which } from "./process.mjs";
import { tool } from "./paths.mjs";
import { aptInstall, canUseApt } from "./debian.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const APPLICATIONS = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const DOWNLOAD_TIMEOUT_MS = 300_000;

/** The path of a Chromium, or null. `CHROME` decides when it is set. */
export async function findChromium() {
  const chosen = process.env.CHROME;
  if (chosen) {
    if (existsSync(chosen)) return chosen;
    throw new Failure(`CHROME is ${chosen}, and there is no such file`);
  }
  for (const name of NAMES) {
    const file = which(name);
    if (file !== null) return file;
  }
  return APPLICATIONS.find((file) => existsSync(file)) ?? (await downloaded());
}

/** As [`findChromium`], installing one where none is found. */
export async function ensureChromium() {
  const found = await findChromium();
  if (found !== null) return found;

  say("· no Chromium found: Playwright downloads one for the tests ...");
  await run(process.execPath, [tool("playwright-core/cli.js"), "install", "chromium"], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  // The download brings no system libraries; a bare machine lacks some of them.
  const file = await downloaded();
  if (file !== null && (await answers(file))) return file;

  if (await canUseApt()) {
    await aptInstall(["chromium", "fonts-dejavu-core"]);
    const installed = await findChromium();
    if (installed !== null) return installed;
  }
  throw new Failure(
    "the browser tests need Chromium, and none could be installed. Any of these will do:\n" +
      "  npx playwright-core install --with-deps chromium\n" +
      "  apt-get install chromium fonts-dejavu-core        (Debian, as root)\n" +
      "  CHROME=/path/to/chrome npm test                   (one that is already there)",
  );
}

async function downloaded() {
  try {
    const { chromium } = await import("playwright-core");
    const file = chromium.executablePath();
    return existsSync(file) ? file : null;
  } catch {
    return null; // node_modules is not there yet, or this Playwright knows no browser for this system
  }
}
