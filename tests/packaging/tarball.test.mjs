// The package as a user gets it: packed, installed in a project elsewhere, used in each way that it promises.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser, closeBrowser } from "../browser/harness/browser.mjs";
import { Server } from "../browser/harness/server.mjs";
import { Project } from "./project.mjs";

const RESULT_TIMEOUT_MS = 20_000;
/** What `roundTrip` resolves to when everything works. */
const HELLO = { data: { text: "hello" }, sameOffset: true, own: true };
const POLICY = "default-src 'self'; connect-src *; script-src 'self'";

let project;
let server;

before(async () => {
  [project, server] = await Promise.all([Project.create(), new Server().start()]);
});

after(async () => {
  await closeBrowser();
  await server?.close();
  await project?.close();
});

const socketUrl = () => `ws://127.0.0.1:${server.port}/ws`;

/** Opens a page of the project and resolves to the `result` that it makes; an uncaught error of the page rejects. */
async function resultOf(origin, page) {
  const context = await (await browser()).newContext();
  try {
    const tab = await context.newPage();
    const uncaught = new Promise((_, reject) => tab.on("pageerror", reject));
    await tab.goto(`${origin}/${page}?url=${encodeURIComponent(socketUrl())}`);
    const made = tab.waitForFunction(() => globalThis.result, undefined, { timeout: RESULT_TIMEOUT_MS });
    return await (await Promise.race([made, uncaught])).jsonValue();
  } finally {
    await context.close();
  }
}

test("the tarball holds the files of every export, and no source", () => {
  const { exports, main, module, types } = JSON.parse(project.read("node_modules/rejoin/package.json"));
  const paths = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(paths));
  const promised = [...paths(exports), main, module, types].map((name) => name.replace("./", ""));
  assert.deepEqual(promised.filter((name) => !project.packedFiles.includes(name)), []);
  const foreign = project.packedFiles.filter((name) => !/^(dist\/|package\.json$|README|LICENSE)/.test(name) || /\.(ts|rs|map)$/.test(name.replace(/\.d\.ts$/, "")));
  assert.deepEqual(foreign, []);
});

test("a page without a build step connects, subscribes, publishes and receives", async () => {
  const origin = await project.serve(".");
  assert.deepEqual(await resultOf(origin, "plain.html"), HELLO);
});

test("the slim entry fetches its core and does the same", async () => {
  const origin = await project.serve(".");
  assert.deepEqual(await resultOf(origin, "slim.html"), HELLO);
});

test("a strict Content-Security-Policy with 'wasm-unsafe-eval' is enough", async () => {
  const origin = await project.serve(".", { policy: `${POLICY} 'wasm-unsafe-eval'` });
  assert.deepEqual(await resultOf(origin, "plain.html"), HELLO);
});

test("without 'wasm-unsafe-eval' one error says what the policy lacks", async () => {
  const origin = await project.serve(".", { policy: POLICY });
  const { error, explained } = await resultOf(origin, "plain.html");
  assert.equal(error, "wasm_blocked");
  assert.match(explained, /wasm-unsafe-eval/);
});

test("a Vite production build with the banner does the same", async () => {
  await project.bin("vite", ["build", "--logLevel", "error"]);
  const origin = await project.serve("dist");
  assert.deepEqual(await resultOf(origin, ""), { ...HELLO, state: "connected", defined: true });
});

for (const [resolution, module, files] of [
  ["bundler", "esnext", ["strict.ts", "status.ts"]],
  ["node16", "node16", ["required.cts"]],
]) {
  test(`a strict TypeScript project compiles, with moduleResolution ${resolution}`, async () => {
    await project.compile({ moduleResolution: resolution, module, files });
  });
}

test("a strict TypeScript project of modules compiles, with moduleResolution node16", async () => {
  project.write("strict_module.mts", project.read("strict.ts"));
  await project.compile({ moduleResolution: "node16", module: "node16", files: ["strict_module.mts"] });
});

test("wrong use does not compile: option, event, detail, argument, assignment", async () => {
  const error = await project.compile({ files: ["wrong.ts"] }).then(() => assert.fail("it compiled"), (error) => error);
  const lines = [...error.output.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line));
  assert.deepEqual([...new Set(lines)], [3, 4, 5, 6, 7], error.output);
});

test("import and require on a server do nothing, and connect says that there is no WebSocket", async () => {
  const script = (load) => `${load}
    delete globalThis.WebSocket; // Node 22 has one
    const before = Object.keys(globalThis).join();
    let code = null;
    try { const socket = connect("ws://127.0.0.1:1/ws"); socket.on("error", (error) => { code = error.code; }); socket.close(); }
    catch (error) { code = error.code; }
    setImmediate(() => console.log(JSON.stringify({ code, sameGlobals: before === Object.keys(globalThis).join() })));`;
  for (const [kind, load] of [["commonjs", `const { connect } = require("rejoin");`], ["module", `import { connect } from "rejoin"; import "rejoin/status"; import "rejoin/slim";`]]) {
    const { stdout } = await project.run(process.execPath, [`--input-type=${kind}`, "--eval", script(load)]);
    assert.deepEqual(JSON.parse(stdout), { code: "no_websocket", sameGlobals: true }, kind);
  }
});

test("in Node it works with the WebSocket of the package ws, and the process ends after close()", async () => {
  const script = `import { connect } from "rejoin"; import WebSocket from "ws"; import { roundTrip } from "./round_trip.js";
    console.log(JSON.stringify(await roundTrip(connect, process.argv[1], { WebSocket })));`;
  const { stdout } = await project.run(process.execPath, ["--input-type=module", "--eval", script, socketUrl()], { timeout: RESULT_TIMEOUT_MS });
  assert.deepEqual(JSON.parse(stdout), HELLO);
});
