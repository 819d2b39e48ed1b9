// Proves the examples of README.md. Each fence of js, ts, html, sh or toml says behind its language how:
//
//   ```js run            runs as a module in Chromium; `import ... from "rejoin"` is the packed tarball, and the address of any socket
//                        (`wss://example.org/ws`, `ws://127.0.0.1:8575/ws`) is that of a real server
//   ```html run          the same for a whole page or a part of one; `rejoin` is found under ./node_modules/rejoin
//   ```ts check          compiles in a strict project
//   ```toml check        the server starts with it as its configuration
//   ```sh run            ends with exit code 0 in an empty project; http://127.0.0.1:8575 is that of a real server
//   ```sh list           each line is a command of this project that exists: an npm script, a cargo task, flags of rejoin-server
//   ```... illustration  is only shown
//
// A comment before the fence gives what the text leaves out: `<!-- setup: JavaScript (or shell lines) that run before it -->`, and
// `<!-- expect: ... -->`: for a page a JavaScript expression that becomes true within 10 s, for `sh run` a text that it prints.
// Without one, an example must run without an uncaught error. `cargo xtask tidy` refuses a fence that says none of these.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { browser, closeBrowser } from "../browser/harness/browser.mjs";
import { Server } from "../browser/harness/server.mjs";
import { Project } from "../packaging/project.mjs";
import { examplesOf } from "./fences.mjs";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const EXPECT_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 10_000;
const IMPORT_MAP = JSON.stringify({ imports: {
  "rejoin": "./node_modules/rejoin/dist/index.js",
  "rejoin/slim": "./node_modules/rejoin/dist/slim.js",
  "rejoin/status": "./node_modules/rejoin/dist/status.js",
} });

const execute = promisify(execFile);
let project;
let server;

before(async () => {
  [project, server] = await Promise.all([Project.create({ dependencies: {} }), new Server().start()]);
});

after(async () => {
  await closeBrowser();
  await server?.close();
  await project?.close();
});

const PROOFS = {
  "js run": (example) => runPage({ ...example, code: `<script type="module">\n${example.code}</script>` }),
  "html run": runPage,
  "ts check": compile,
  "toml check": configure,
  "sh run": runShell,
  "sh list": listShell,
};

for (const example of examplesOf(readFileSync(path.join(REPOSITORY, "README.md"), "utf8"))) {
  const how = example.marks.map((mark) => `${example.language} ${mark}`).find((name) => name in PROOFS);
  if (how !== undefined) test(`README.md:${example.line} (${how})`, () => PROOFS[how](example));
}

/** The example with the real server's addresses. */
function addressed(text) {
  const host = `127.0.0.1:${server.port}`;
  return text.replaceAll(/wss?:\/\/[\w.:-]+\/ws\b/g, `ws://${host}/ws`).replaceAll(/(127\.0\.0\.1|localhost):8575/g, host);
}

async function runPage({ line, code, setup = "", expect = "true" }) {
  const name = `example-${line}.html`;
  project.write(name, `<!doctype html>\n<meta charset="utf-8">\n<script type="importmap">${IMPORT_MAP}</script>
<script>${addressed(setup)}</script>\n${addressed(code)}
<script type="module">window.ran = true;</script>\n`);
  const context = await (await browser()).newContext();
  try {
    const tab = await context.newPage();
    const uncaught = [];
    tab.on("pageerror", (error) => uncaught.push(error.message));
    await tab.goto(`${await project.serve(".")}/${name}`);
    // Module scripts run in order, the last of ours when those before it have ended.
    await tab.waitForFunction(`window.ran && (${expect})`, undefined, { timeout: EXPECT_TIMEOUT_MS })
      .catch((error) => { uncaught.push(`not true within ${EXPECT_TIMEOUT_MS} ms: ${expect} (${error.message})`); });
    assert.deepEqual(uncaught, []);
  } finally {
    await context.close();
  }
}

async function compile({ line, code, setup = "" }) {
  const name = `example-${line}.ts`;
  project.write(name, `${setup}\n${code}\nexport {};\n`);
  await project.compile({ files: [name] });
}

/** The server itself reads the example; only where it listens is ours. */
async function configure({ line, code, setup = "" }) {
  const name = `example-${line}.toml`;
  project.write(name, `${setup}\n${code}`);
  const child = spawn(process.env.REJOIN_SERVER_BIN, ["--config", path.join(project.directory, name), "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: withoutSettings(),
  });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text) => { output += text; });
  const listening = new Promise((resolve) => child.stdout.setEncoding("utf8").on("data", (text) => /is listening on/.test(text) && resolve(true)));
  const late = AbortSignal.timeout(START_TIMEOUT_MS);
  const ended = once(child, "exit", { signal: late }).then(() => false, () => false);
  try {
    assert.ok(await Promise.race([listening, ended]), `the server refused it:\n${output}`);
  } finally {
    child.kill("SIGKILL");
  }
}

function withoutSettings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("REJOIN_")));
}

async function runShell({ code, setup = "", expect = "" }) {
  const { stdout } = await project.run("sh", ["-euc", addressed(`${setup}\n${code}`)], { timeout: EXPECT_TIMEOUT_MS });
  assert.ok(stdout.includes(expect), `expected "${expect}" in:\n${stdout}`);
}

async function listShell({ code }) {
  for (const line of code.split("\n").map((line) => line.replace(/\s+#.*$/, "").trim()).filter((line) => line && !line.startsWith("#"))) {
    await assertExists(line.replace(/^([A-Z_]+=\S+\s+)+/, ""));
  }
}

const PLAIN = /^(cd \S+|git clone \S+|npm (install|i) rejoin|cargo (build|run|test|add|install|clippy|fmt|doc)\b.*)$/;

async function assertExists(command) {
  const [program, task, argument] = command.split(/\s+/);
  if (program === "npm" && ["start", "test", "run"].includes(task)) {
    const { scripts } = JSON.parse(readFileSync(path.join(REPOSITORY, "package.json"), "utf8"));
    const script = task === "run" ? argument : task;
    return assert.ok(script in scripts, `package.json has no script ${script}`);
  }
  if (program === "cargo" && task === "xtask") {
    const { stdout } = await execute("cargo", ["xtask", "help"], { cwd: REPOSITORY });
    return assert.match(stdout, new RegExp(`^  ${argument}\\b`, "m"), `cargo xtask has no task ${argument}`);
  }
  if (program === "rejoin-server") {
    const { stdout } = await execute(process.env.REJOIN_SERVER_BIN, ["--help"], { env: withoutSettings() });
    const unknown = [...command.matchAll(/--[\w-]+/g)].map(([flag]) => flag).filter((flag) => !stdout.includes(flag));
    return assert.deepEqual(unknown, [], `unknown flags in: ${command}`);
  }
  assert.match(command, PLAIN, `cannot tell whether this command exists; mark the example as an illustration: ${command}`);
}
