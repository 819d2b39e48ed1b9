// `npm run size`: what a page loads for each entry of the package, measured in the tarball that npm would publish. The last
// line is `total gzip BYTES` of the default entry; more than the budget is a failure.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "./build.mjs";
import { glueDirectory } from "./lib/paths.mjs";
import { endOnSignal, mustRun } from "./lib/process.mjs";
import { main, say } from "./lib/report.mjs";
import { setup } from "./setup.mjs";

/** Bytes of the default entry after `gzip -9`. */
const BUDGET = 16_384;

/** What a page loads, by the entry that it imports. The first is the one with the budget. */
const ENTRIES = {
  "rejoin": ["index.js"],
  "rejoin (require)": ["index.cjs"],
  "rejoin/slim": ["slim.js", "core.wasm"],
  "rejoin/status": ["status.js"],
};

endOnSignal();
await main(async () => {
  await setup();
  await build();
  const directory = mkdtempSync(path.join(tmpdir(), "rejoin-size-"));
  try {
    report(await packedFiles(directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Packs and unpacks; returns the directory of the files as a user has them. */
async function packedFiles(directory) {
  await mustRun("npm", ["pack", "--workspace", "rejoin", "--pack-destination", directory, "--loglevel=error"], { quiet: true });
  await mustRun("tar", ["-xzf", path.join(directory, "rejoin-" + version() + ".tgz"), "-C", directory], { quiet: true });
  return path.join(directory, "package", "dist");
}

function version() {
  return JSON.parse(readFileSync(new URL("../client-wasm/package.json", import.meta.url), "utf8")).version;
}

function report(directory) {
  const row = (...cells) => say(`${cells[0].padEnd(17)} ${cells[1].padEnd(22)} ${cells.slice(2).map((cell) => String(cell).padStart(8)).join(" ")}`);
  row("entry", "files", "raw", "gzip -9", "brotli");
  let total;
  for (const [entry, files] of Object.entries(ENTRIES)) {
    const sizes = files.map((name) => measure(readFileSync(path.join(directory, name))));
    const sum = (of) => sizes.reduce((all, size) => all + size[of], 0);
    row(entry, files.join(" + "), sum("raw"), sum("gzip"), sum("brotli"));
    total ??= sum("gzip");
  }

  const { variant, immediateAbort } = JSON.parse(readFileSync(path.join(glueDirectory, "variant.json"), "utf8"));
  if (total > BUDGET && immediateAbort) {
    process.exitCode = 1;
    say(`error: more than the budget of ${BUDGET} bytes`);
  } else if (!immediateAbort) {
    say(`the budget of ${BUDGET} bytes is not checked: this module was built as "${variant}" (cargo xtask wasm says why)`);
  }
  say(`total gzip ${total}`);
}

function measure(bytes) {
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
}
