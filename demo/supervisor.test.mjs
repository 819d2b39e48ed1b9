import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { DemoError, startDemo } from "./supervisor.mjs";

// Stands in for rejoin-server: the same command line, the same first line, the same ways to end.
const STAND_IN = `#!${process.execPath}
const http = require("node:http");
const fs = require("node:fs");
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const [host, port] = option("--listen").split(":");
if (process.env.STAND_IN === "fails") { console.error("rejoin.toml:7: connection.ping: that is no duration"); process.exit(2); }
const posts = [];
const server = http.createServer((request, response) => {
  if (request.url === "/crash") process.exit(3);
  if (request.url === "/demo.json") return response.end(fs.readFileSync(option("--pages") + "/demo.json"));
  if (request.method === "POST") posts.push(request.url);
  if (request.url === "/posts") return response.end(JSON.stringify(posts));
  response.end(JSON.stringify({ pid: process.pid, url: request.url, env: process.env.STAND_IN ?? null }));
});
server.on("error", (error) => { console.error(\`cannot listen on \${host}:\${port}: address already in use\`); process.exit(1); });
server.listen(Number(port), host, () => console.log("Rejoin is listening on http://" + host + ":" + server.address().port));
process.on("SIGTERM", () => process.exit(0));
`;

let home;
let serverBin;
let pagesDir;

before(async () => {
  home = await mkdtemp(path.join(tmpdir(), "rejoin-demo-test-"));
  serverBin = path.join(home, "stand-in.cjs");
  await writeFile(serverBin, STAND_IN);
  await chmod(serverBin, 0o755);
  pagesDir = path.join(home, "pages");
  await mkdir(pagesDir);
  await writeFile(path.join(pagesDir, "index.html"), "<!doctype html>");
  await writeFile(path.join(pagesDir, "demo.json"), "{}\n");
});

after(() => rm(home, { recursive: true }));

async function demo(t, options = {}) {
  const messages = [];
  const running = await startDemo({ port: 0, serverBin, pagesDir, log: (line) => messages.push(line), ...options });
  t.after(() => running.close());
  return { ...running, messages };
}

/** A command as the panel gives it; `headers` replace the panel's, undefined leaves one out. */
async function command({ url, controlUrl }, route, { method = "POST", ...headers } = {}) {
  const all = { host: new URL(controlUrl).host, origin: url, "x-rejoin-demo": "1", ...headers };
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    http.request(`${controlUrl}${route}`, { method, headers: sent }, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      resolve({ status: response.statusCode, headers: response.headers, body: text && JSON.parse(text) });
    }).on("error", reject).end();
  });
}

const alive = (pid) => {
  try { return process.kill(pid, 0); } catch { return false; }
};
const get = async (url) => (await fetch(url, { headers: { connection: "close" } })).json();

async function until(condition) {
  const deadline = performance.now() + 5000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `not within 5 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("starts the server with the demo's pages, which name the control", async (t) => {
  const running = await demo(t, { env: { STAND_IN: "told" } });
  assert.deepEqual(await get(`${running.url}/demo.json`), { control: running.controlUrl });
  assert.equal((await get(`${running.url}/`)).env, "told");
  assert.equal(await readFile(path.join(pagesDir, "demo.json"), "utf8"), "{}\n", "the built pages stay as they are");
});

test("kill, start, stop and start keep the port and tell the state", async (t) => {
  const running = await demo(t);
  const { pid } = await get(`${running.url}/`);

  assert.deepEqual((await command(running, "/server/kill")).body, { server: { state: "killed", pid: null } });
  assert.ok(!alive(pid));
  await assert.rejects(get(`${running.url}/`));

  const started = await command(running, "/server/start");
  assert.equal(started.body.server.state, "running");
  assert.equal((await get(`${running.url}/`)).pid, started.body.server.pid);
  assert.equal((await command(running, "/server/start")).body.server.pid, started.body.server.pid, "a second start does nothing");

  assert.equal((await command(running, "/server/stop")).body.server.state, "stopped");
  assert.ok(!alive(started.body.server.pid));
  assert.equal((await command(running, "/server/start")).body.server.state, "running");
  assert.deepEqual(running.messages, [], "what was asked for is no news");
});

test("commands given at once are carried out in turn", async (t) => {
  const running = await demo(t);
  const states = await Promise.all(["kill", "start", "stop", "start"].map((name) => command(running, `/server/${name}`)));
  assert.deepEqual(states.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal(states.at(-1).body.server.state, "running");
});

test("each window has a cable of its own", async (t) => {
  const running = await demo(t);
  const [mine, other] = await Promise.all([command(running, "/windows"), command(running, "/windows")]);
  const address = ({ body }) => `http://127.0.0.1:${body.window.port}/`;
  assert.ok((await get(address(mine))).pid);

  const cut = await command(running, `/windows/${mine.body.window.id}/cut`);
  assert.equal(cut.body.window.cut, true);
  assert.ok((await get(address(other))).pid, "the other window goes on");
  const socket = net.connect(mine.body.window.port, "127.0.0.1");
  let heard = 0;
  socket.on("data", () => { heard += 1; }).on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");

  assert.equal((await command(running, `/windows/${mine.body.window.id}/restore`)).body.window.cut, false);
  await closed;
  assert.equal(heard, 0);
  assert.ok((await get(address(mine))).pid);
  assert.equal((await command(running, `/windows/${mine.body.window.id}`)).body.window.port, mine.body.window.port);
});

test("the oldest window without a connection gives way, a connected one stays", async (t) => {
  const running = await demo(t);
  const first = (await command(running, "/windows")).body.window;
  const second = (await command(running, "/windows")).body.window;
  const socket = net.connect(first.port, "127.0.0.1").on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.on("connect", resolve));
  await Promise.all(Array.from({ length: 63 }, () => command(running, "/windows")));
  assert.equal((await command(running, `/windows/${first.id}`)).status, 200);
  assert.equal((await command(running, `/windows/${second.id}`)).status, 404);
});

test("reinit makes the application not ready and tells every page, and says so when there is no server", async (t) => {
  const running = await demo(t);
  assert.equal((await command(running, "/server/reinit")).status, 200);
  assert.deepEqual(await get(`${running.url}/posts`), ["/api/test/not-ready", "/api/reinit"]);
  await command(running, "/server/kill");
  const refused = await command(running, "/server/reinit");
  assert.equal(refused.status, 409);
  assert.equal(refused.body.error, "The server is not running.");
});

test("a server that ends by itself is told and can be started again", async (t) => {
  const running = await demo(t);
  await get(`${running.url}/crash`).catch(() => {});
  await until(() => running.messages.length === 1);
  assert.match(running.messages[0], /ended by itself \(exit code 3\)/);
  const window = await command(running, "/windows");
  assert.equal(window.body.server.state, "crashed");
  assert.equal((await command(running, "/server/start")).body.server.state, "running");
});

test("only the demo's own pages on this machine command", async (t) => {
  const running = await demo(t);
  const { port } = new URL(running.url);
  const refusals = {
    "another site": { origin: "https://example.org" },
    "another port of this machine": { origin: `http://127.0.0.1:${Number(port) + 1}` },
    "no origin": { origin: undefined },
    "a sandboxed page": { origin: "null" },
    "a name that was rebound to this machine": { host: `evil.example:${port}` },
    "a form, which has no header of its own": { "x-rejoin-demo": undefined },
  };
  for (const [who, headers] of Object.entries(refusals)) {
    assert.equal((await command(running, "/server/kill", headers)).status, 403, who);
  }
  assert.equal((await command(running, "/server/kill", { method: "GET" })).status, 405);
  for (const route of ["/", "/server", "/server/end", "/server/constructor", "/windows/x/y/z", "/nothing"]) {
    assert.equal((await command(running, route)).status, 404, route);
  }
  assert.ok((await get(`${running.url}/`)).pid, "nothing of this reached the server");

  const preflight = await command(running, "/server/kill", { method: "OPTIONS", "x-rejoin-demo": undefined });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-origin"], running.url);
  const foreign = await command(running, "/server/kill", { method: "OPTIONS", origin: "https://example.org" });
  assert.equal(foreign.headers["access-control-allow-origin"], undefined);
  assert.equal((await command(running, "/windows", { origin: `http://localhost:${port}` })).status, 200);
});

test("close ends the server, frees the ports and removes the pages", async (t) => {
  const running = await demo(t);
  const { pid } = await get(`${running.url}/`);
  await command(running, "/windows");
  const copies = async () => (await readdir(tmpdir())).filter((name) => /^rejoin-demo-[^t]/.test(name)).length;
  const before = await copies();
  await Promise.all([running.close(), running.close()]);
  assert.ok(!alive(pid));
  assert.equal(await copies(), before - 1);
  await assert.rejects(fetch(running.controlUrl));
});

test("what keeps the demo from starting is one line, and leaves nothing behind", async (t) => {
  const blocker = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => blocker.on("listening", resolve));
  t.after(() => blocker.close());
  const failures = [
    ["port_in_use", /^cannot listen on .* in use$/, { port: blocker.address().port }],
    ["server_failed", /^rejoin\.toml:7: connection\.ping/, { env: { STAND_IN: "fails" } }],
    ["no_server", /^rejoin-server cannot be started/, { serverBin: path.join(home, "absent") }],
    ["no_pages", /^The demo pages are not built/, { pagesDir: home }],
  ];
  for (const [code, message, options] of failures) {
    await assert.rejects(demo(t, options), (error) => {
      assert.ok(error instanceof DemoError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});
