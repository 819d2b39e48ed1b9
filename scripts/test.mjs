// `npm test`: set-up, build, every test. `npm test -- unit browser` runs some parts, in the order of the list below.

import { build } from "./build.mjs";
import { root, serverBinary, tool } from "./lib/paths.mjs";
import { endOnSignal, mustRun } from "./lib/process.mjs";
import { Failure, main, say, step } from "./lib/report.mjs";
import { cargoTests, check, nodeTests, sum, testFilesIn } from "./lib/tests.mjs";
import { setup } from "./setup.mjs";

/** A part that takes longer has hung, in ms. */
const PART_TIMEOUT_MS = 20 * 60_000;

/** Each part: what it needs besides the package, and how it runs. */
const PARTS = {
  lint: {
    run: async () => sum([
      await check("cargo", ["xtask", "ci"]),
      await check(process.execPath, [tool("typescript/bin/tsc"), "--project", "client-wasm"]),
    ]),
  },
  unit: {
    server: true,
    run: async () => sum([
      await cargoTests(),
      await check("cargo", ["test", "--quiet", "--manifest-path", "xtask/Cargo.toml"]),
      await nodeTests(["scripts/lib", "client-wasm/js", "demo", "www"].flatMap(testFilesIn), { concurrency: 2, timeoutMs: PART_TIMEOUT_MS }),
    ]),
  },
  browser: {
    server: true,
    browser: true,
    // One file at a time: the scenarios measure times, and two Chromiums on two cores disturb each other.
    run: () => nodeTests(testFilesIn("tests/browser"), { concurrency: 1, timeoutMs: PART_TIMEOUT_MS }),
  },
  packaging: {
    server: true,
    browser: true,
    run: () => nodeTests(["tests/packaging", "tests/readme"].flatMap(testFilesIn), { concurrency: 1, timeoutMs: PART_TIMEOUT_MS }),
  },
};

endOnSignal();
process.chdir(root);
await main(async () => {
  const names = chosenParts(process.argv.slice(2));
  const parts = names.map((name) => PARTS[name]);
  const rows = [];
  const timed = async (name, work) => {
    const begin = performance.now();
    const count = await work();
    rows.push({ name, minutes: (performance.now() - begin) / 60_000, count });
  };

  await timed("set-up", async () => {
    const { chromium } = await setup({ browser: parts.some((part) => part.browser) });
    if (chromium !== null) process.env.CHROME = chromium;
  });
  await timed("build", async () => {
    await build();
    if (parts.some((part) => part.server)) await buildForTests();
  });
  for (const [index, part] of parts.entries()) {
    say(`\n── ${names[index]} ──`);
    await timed(names[index], part.run);
  }
  report(rows);
});

function chosenParts(wanted) {
  const known = Object.keys(PARTS);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Failure(`no part ${unknown.join(", ")}; there are ${known.join(", ")}`);
  return wanted.length === 0 ? known : known.filter((name) => wanted.includes(name));
}

/** The server and the tests in one go: apart, cargo would build what they share twice, with other features. */
async function buildForTests() {
  await step("server and tests", () => mustRun("cargo", ["build", "--workspace", "--bins", "--tests"]));
  process.env.REJOIN_SERVER_BIN = serverBinary("debug");
}

function report(rows) {
  const total = sum(rows.flatMap(({ count }) => count ?? []));
  say(`\n${"part".padEnd(10)} ${"minutes".padStart(8)} ${"passed".padStart(8)} ${"failed".padStart(8)}`);
  for (const { name, minutes, count } of rows) {
    say(`${name.padEnd(10)} ${minutes.toFixed(1).padStart(8)} ${String(count?.passed ?? "").padStart(8)} ${String(count?.failed ?? "").padStart(8)}`);
  }
  say(`${"total".padEnd(10)} ${rows.reduce((all, row) => all + row.minutes, 0).toFixed(1).padStart(8)}`);
  say(`\n${total.passed} passed, ${total.failed} failed`);
  if (total.failed > 0) process.exitCode = 1;
}
