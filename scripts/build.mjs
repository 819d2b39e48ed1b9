// `npm run build`: the package `rejoin` (client-wasm/dist) and the pages that use it (www/dist). Steps whose inputs have not
// changed are skipped.

import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";

import { writeDeclarations } from "./lib/declarations.mjs";
import { cacheDirectory, distDirectory, glueDirectory, packageDirectory, root, tool } from "./lib/paths.mjs";
import { endOnSignal, mustRun } from "./lib/process.mjs";
import { Failure, isMain, main, say, secondsSinceStart } from "./lib/report.mjs";
import { stepUnlessFresh } from "./lib/stamp.mjs";
import { inlineWasm } from "./lib/wasm-text.mjs";
import { setup } from "./setup.mjs";

/** What each browser of the last years runs: the glue needs reference types, which came with or after them. */
const JAVASCRIPT = "es2022";
/** Entries for import; the first can be required as well. */
const ENTRIES = ["index", "slim", "status"];

/** Exactly what browsers have had for years: `--all-features` writes sections that they refuse. */
const WASM_OPT = [
  // The first two make straight code of it, which the rest then finds more in. Below address 1024 lies the end of the stack.
  "--flatten", "--rereloop", "-Oz", "--converge", "--low-memory-unused",
  "--mvp-features", "--enable-mutable-globals", "--enable-sign-ext", "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory", "--enable-bulk-memory-opt", "--enable-multivalue", "--enable-reference-types",
  "--strip-debug", "--strip-producers", "--strip-target-features",
];

export async function build() {
  const settings = readFileSync(path.join(root, "package-lock.json"), "utf8");

  await stepUnlessFresh("wasm module", {
    inputs: [
      "Cargo.toml", "Cargo.lock", "session", "client-wasm/Cargo.toml", "client-wasm/src", "client-wasm/js/bridge.js",
      "xtask/Cargo.lock", "xtask/src",
    ],
    outputs: ["client-wasm/pkg"],
    settings: process.env.RUSTC,
  }, () => mustRun("cargo", ["xtask", "wasm"]));

  await stepUnlessFresh("package", {
    inputs: ["client-wasm/pkg", "client-wasm/js", "client-wasm/tsconfig.json", "client-wasm/package.json", "README.md", "scripts"],
    outputs: ["client-wasm/dist"],
    settings,
  }, buildPackage);

  if (existsSync(path.join(root, "www", "build.mjs"))) {
    await stepUnlessFresh("pages", {
      inputs: ["client-wasm/dist", "www"],
      outputs: ["www/dist"],
      settings,
    }, () => mustRun(process.execPath, [path.join(root, "www", "build.mjs")]));
  }
}

async function buildPackage() {
  // Beside the old one until it is whole: a build that fails takes nothing away.
  const next = path.join(cacheDirectory, "dist");
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  await buildInto(next);
  rmSync(distDirectory, { recursive: true, force: true });
  renameSync(next, distDirectory);
}

async function buildInto(directory) {
  const wasm = path.join(directory, "core.wasm");
  await mustRun(process.execPath, [tool("binaryen/bin/wasm-opt"), ...WASM_OPT, path.join(glueDirectory, "core_bg.wasm"), "-o", wasm]);
  new WebAssembly.Module(readFileSync(wasm)); // throws when an engine of today refuses it

  await bundle(directory, "index.js", { format: "esm", platform: "neutral", plugins: [inlineWasm(wasm)] });
  // `platform: node` is what marks the names that Node's import of a CommonJS file finds.
  await bundle(directory, "index.cjs", { format: "cjs", platform: "node", plugins: [inlineWasm(wasm)] });
  await bundle(directory, "slim.js", { format: "esm", platform: "neutral" });
  const status = await bundle(directory, "status.js", { format: "esm", platform: "neutral" });
  const foreign = Object.keys(status.metafile.inputs).filter((name) => name.includes("/pkg/"));
  if (foreign.length > 0) throw new Failure(`rejoin/status must stand beside rejoin, and it contains ${foreign.join(", ")}`);

  await writeDeclarations(directory, ENTRIES);
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(path.join(root, name), path.join(directory, name));
  copyFileSync(path.join(root, "README.md"), path.join(packageDirectory, "README.md")); // what npm shows
}

async function bundle(directory, name, options) {
  const { build: esbuild } = await import("esbuild");
  return esbuild({
    absWorkingDir: root,
    entryPoints: [path.join(packageDirectory, "js", name.replace(/\.c?js$/, ".ts"))],
    outfile: path.join(directory, name),
    bundle: true,
    minify: true,
    target: JAVASCRIPT,
    legalComments: "none",
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } }, // a field that is only declared costs nothing
    mangleProps: /^_[a-z]/,
    reserveProps: /^_wbg_/,
    metafile: true,
    logLevel: "warning",
    ...options,
    plugins: [oneBridge, ...(options.plugins ?? [])],
  });
}

/** wasm-bindgen copies each JavaScript file that Rust imports; with the original, it would be bundled twice, with two states. */
const oneBridge = {
  name: "one-bridge",
  setup(build) {
    build.onResolve({ filter: /\/snippets\/[^/]+\/js\// }, ({ path: name }) => ({
      path: path.join(packageDirectory, "js", path.basename(name)),
    }));
  },
};

if (isMain(import.meta.url)) {
  endOnSignal();
  await main(async () => {
    await setup();
    await build();
    say(`built in ${secondsSinceStart()}`);
  });
}
