// One Chromium for all tests of a file; each page gets a context of its own.
import { existsSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

let launched = null;

/** The browser of this process, started by the first who asks. */
export function browser() {
  launched ??= chromium.launch({ executablePath: executable(), headless: true, args: FLAGS });
  return launched;
}

export async function closeBrowser() {
  await (await launched)?.close();
  launched = null;
}

/** CHROME, else /usr/bin/chromium, else what PATH offers. */
function executable() {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = [process.env.CHROME, "/usr/bin/chromium", ...NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)))];
  const found = candidates.find((file) => file && existsSync(file));
  if (!found) throw new Error("no Chromium found: install it or name its executable in CHROME");
  return found;
}
