// Runs test suites of both languages and counts their tests.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { root } from "./paths.mjs";
import { answers, run } from "./process.mjs";

/** Test files directly in a directory, as paths from the root, in order. */
export function testFilesIn(directory) {
  const folder = path.join(root, directory);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /\.test\.m?js$/.test(name)).sort().map((name) => path.join(directory, name));
}

/** One check that passes or fails as a whole. */
export async function check(command, args, options) {
  const { code } = await run(command, args, options);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** `node --test` over files; `concurrency` files at a time. */
export async function nodeTests(files, { concurrency, timeoutMs }) {
  if (files.length === 0) return { passed: 0, failed: 0 };
  const directory = mkdtempSync(path.join(tmpdir(), "rejoin-count-"));
  const countFile = path.join(directory, "count.json");
  try {
    const { code, timedOut } = await run(process.execPath, [
      "--test", `--test-concurrency=${concurrency}`,
      "--test-reporter=spec", "--test-reporter-destination=stdout",
      `--test-reporter=${new URL("count-reporter.mjs", import.meta.url)}`, `--test-reporter-destination=${countFile}`,
      ...files,
    ], { timeoutMs });
    if (timedOut) console.error(`error: these tests did not end in ${timeoutMs / 60_000} minutes and were stopped`);
    const count = existsSync(countFile) ? JSON.parse(readFileSync(countFile, "utf8") || "{}") : {};
    return atLeastOneFailed(code, { passed: count.passed ?? 0, failed: count.failed ?? 0 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The whole cargo workspace, by nextest where it is installed (it runs test binaries side by side). */
export async function cargoTests() {
  if (!(await answers("cargo", ["nextest", "--version"]))) return cargoTest(["--no-fail-fast"]);
  const { code, output } = await run("cargo", ["nextest", "run", "--workspace", "--no-fail-fast"], { onOutput() {} });
  const summary = plain(output).match(/Summary \[.*/g)?.at(-1) ?? "";
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0);
  const tests = atLeastOneFailed(code, { passed: count("passed"), failed: count("failed") + count("timed out") });
  return sum([tests, await cargoTest(["--doc"])]); // nextest leaves the examples in documentation out
}

async function cargoTest(args) {
  const { code, output } = await run("cargo", ["test", "--workspace", ...args], { onOutput() {} });
  const lines = [...plain(output).matchAll(/^test result: .*? (\d+) passed; (\d+) failed;/gm)];
  return atLeastOneFailed(code, sum(lines.map(([, passed, failed]) => ({ passed: Number(passed), failed: Number(failed) }))));
}

export function sum(counts) {
  return counts.reduce((all, { passed, failed }) => ({ passed: all.passed + passed, failed: all.failed + failed }), { passed: 0, failed: 0 });
}

/** A suite that does not even build counts as one failure. */
function atLeastOneFailed(code, count) {
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** Without the terminal's colours. */
function plain(text) {
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
