// Builds the demo pages: www/src → www/dist. They import the package `rejoin` by its name, as any page would.
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, "src");
const output = path.join(here, "dist");

/** Needs the built package (`client-wasm/dist`). Replaces what was there. */
export async function build() {
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  await esbuild.build({
    absWorkingDir: here,
    entryPoints: ["src/index.ts", "src/index.css", "src/chat/index.ts", "src/chat/index.css", "src/docs/index.css"],
    outbase: source,
    outdir: output,
    bundle: true,
    splitting: true, // the package is one file for all pages
    chunkNames: "shared/[name]-[hash]",
    format: "esm",
    target: ["chrome123", "firefox121", "safari17.5"],
    minify: true,
    sourcemap: true,
    logLevel: "warning",
  });
  const copied = (from) => !path.extname(from) || /\.(html|svg)$/.test(from);
  await cp(source, output, { recursive: true, filter: copied });
  // The demo's supervisor serves another one, which names its control; with this one the pages work without it.
  await writeFile(path.join(output, "demo.json"), "{}\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
