import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { afterEach, test } from "node:test";

import { startFaultProxy } from "./fault-proxy.mjs";

const LOOPBACK = "127.0.0.1";
const closers = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server that echoes and keeps what it received. */
async function startEcho({ onConnection = (socket) => socket.pipe(socket) } = {}) {
  const sockets = new Set();
  const seen = { text: "", connections: 0, sockets };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    seen.connections += 1;
    sockets.add(socket);
    socket.on("data", (bytes) => { seen.text += bytes; });
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  closers.push(() => {
    sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => server.close(resolve));
  });
  return Object.assign(seen, { port: server.address().port });
}

async function startProxy(target) {
  const proxy = await startFaultProxy({ target: { host: LOOPBACK, port: target } });
  closers.push(() => proxy.close());
  return proxy;
}

/** A client that keeps what it heard; `closed` resolves to the error's code, or null for an orderly end. */
async function dial(port) {
  const socket = net.connect({ host: LOOPBACK, port });
  const client = { socket, text: "", error: null };
  socket.on("data", (bytes) => { client.text += bytes; });
  socket.on("error", (error) => { client.error = error.code; });
  client.closed = new Promise((resolve) => socket.on("close", () => resolve(client.error)));
  closers.push(() => socket.destroy());
  await Promise.race([new Promise((resolve) => socket.on("connect", resolve)), client.closed]);
  return client;
}

async function until(condition) {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within 5 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets a few round trips on an untouched path pass, so that "nothing came" means something. */
async function roundTrips(port, count = 20) {
  const client = await dial(port);
  for (let sent = 1; sent <= count; sent += 1) {
    client.socket.write(".");
    await until(() => client.text.length === sent);
  }
  client.socket.destroy();
}

const numbers = (count) => Array.from({ length: count }, (_, n) => `${n};`).join("");

test("passes bytes and ends in both directions, and counts", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  client.socket.write("GET /ws HTTP/1.1\r\n");
  const other = await dial(proxy.port);
  other.socket.write("GET /health HTTP/1.1\r\n");
  await until(() => client.text.endsWith("\n") && other.text.endsWith("\n"));
  assert.deepEqual([proxy.attempts, proxy.handshakes, proxy.live], [2, 1, 2]);

  client.socket.end();
  assert.equal(await client.closed, null);
  other.socket.destroy();
  await until(() => proxy.live === 0 && echo.sockets.size === 0);
  proxy.resetCounters();
  assert.deepEqual([proxy.attempts, proxy.handshakes], [0, 0]);
});

test("counts a handshake that comes byte by byte, once", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  for (const [sent, byte] of [..."GET /ws?a=1 HTTP/1.1\r\n"].entries()) {
    client.socket.write(byte);
    await until(() => client.text.length === sent + 1);
  }
  assert.equal(proxy.handshakes, 1);
});

test("carries more than every buffer holds, unharmed", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  const sent = numbers(1_500_000); // about 11 MB
  client.socket.write(sent);
  await until(() => client.text.length === sent.length);
  assert.ok(client.text === sent);
});

test("a client that is reset resets the target's socket, and the other way round", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const first = await dial(proxy.port);
  first.socket.write("x");
  await until(() => first.text === "x");
  first.socket.resetAndDestroy();
  await until(() => echo.sockets.size === 0 && proxy.live === 0);

  const second = await dial(proxy.port);
  await until(() => echo.sockets.size === 1);
  [...echo.sockets][0].resetAndDestroy();
  assert.equal(await second.closed, "ECONNRESET");
});

test("a target that refuses resets the client at once", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  await closers.shift()(); // the echo server stops
  const client = await dial(proxy.port);
  assert.equal(await client.closed, "ECONNRESET");
  await until(() => proxy.live === 0);
});

test("cut resets the live and refuses the new until restore", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const before = await dial(proxy.port);
  await until(() => echo.connections === 1);
  proxy.cut();
  assert.equal(await before.closed, "ECONNRESET");
  const during = await dial(proxy.port);
  assert.equal(await during.closed, "ECONNRESET");
  assert.equal(echo.connections, 1);

  proxy.restore();
  const after = await dial(proxy.port);
  after.socket.write("hello");
  await until(() => after.text === "hello");
  assert.equal(proxy.attempts, 3);
});

test("reset resets the live once and lets new ones pass", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const before = await dial(proxy.port);
  await until(() => echo.connections === 1);
  proxy.reset();
  assert.equal(await before.closed, "ECONNRESET");
  const after = await dial(proxy.port);
  after.socket.write("hello");
  await until(() => after.text === "hello");
});

test("a reset that meets an end under way frees both sockets", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  await until(() => echo.connections === 1);
  proxy.stall();
  client.socket.end("held");
  await roundTrips(echo.port);
  proxy.restore(); // writes the bytes and the end towards the target,
  proxy.reset(); //   which are not through yet
  await client.closed;
  await until(() => echo.sockets.size === 0 && proxy.live === 0);
  // Node loses the handle of a socket that it fails to reset, and the process stays busy for ever.
  await until(() => !process.getActiveResourcesInfo().includes("TCPSocketWrap"));
});

test("drop resets the live and swallows the new until restore", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const before = await dial(proxy.port);
  await until(() => echo.connections === 1);
  proxy.drop();
  assert.equal(await before.closed, "ECONNRESET");

  const during = await dial(proxy.port);
  during.socket.write("GET /ws HTTP/1.1\r\n");
  await until(() => proxy.handshakes === 1);
  await roundTrips(echo.port);
  assert.equal(during.text, "");
  assert.equal(during.socket.destroyed, false);

  proxy.restore();
  assert.equal(await during.closed, "ECONNRESET");
  assert.ok(!echo.text.includes("GET"), "a swallowed byte never arrives");
});

test("blackhole swallows both ways, hides ends, and destroys at restore", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  client.socket.write("before");
  await until(() => client.text === "before");
  const gone = await dial(proxy.port);
  await until(() => echo.sockets.size === 2);

  proxy.blackhole();
  client.socket.write("lost");
  const serverSides = [...echo.sockets];
  serverSides[0].write("lost too");
  gone.socket.end("and its end");
  await roundTrips(echo.port);
  assert.equal(client.text, "before");
  assert.ok(!echo.text.includes("lost") && !echo.text.includes("end"));
  assert.equal(client.socket.destroyed, false);
  assert.ok(serverSides.every((socket) => !socket.readableEnded && !socket.destroyed), "the target does not learn that a client left");

  proxy.restore();
  assert.equal(await client.closed, "ECONNRESET");
  await until(() => proxy.live === 0 && echo.sockets.size === 0);
});

test("stall holds everything and lets it flow on in order, new connections included", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const live = await dial(proxy.port);
  live.socket.write("a");
  await until(() => live.text === "a");

  proxy.stall();
  const sent = numbers(400_000); // more than one direction holds
  live.socket.write(sent);
  const fresh = await dial(proxy.port);
  fresh.socket.write("GET /ws HTTP/1.1\r\n");
  await until(() => proxy.handshakes === 1);
  await roundTrips(echo.port);
  assert.equal(live.text, "a");
  assert.equal(fresh.text, "");

  proxy.restore();
  await until(() => live.text.length === sent.length + 1 && fresh.text.length > 0);
  assert.ok(live.text === `a${sent}`);
});

test("refuse leaves the live alone", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const live = await dial(proxy.port);
  await until(() => echo.connections === 1);
  proxy.refuse();
  const during = await dial(proxy.port);
  assert.equal(await during.closed, "ECONNRESET");
  live.socket.write("still here");
  await until(() => live.text === "still here");
});

test("delay applies to each direction and keeps the order", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  proxy.delay(60);
  const start = performance.now();
  client.socket.write("slow;");
  await until(() => client.text === "slow;");
  assert.ok(performance.now() - start >= 118, "60 ms there and 60 ms back");

  client.socket.write("first;");
  await until(() => echo.text.endsWith("first;")); // half way, so the answer still waits
  proxy.delay(0);
  client.socket.end("second;");
  assert.equal(await client.closed, null);
  assert.equal(client.text, "slow;first;second;");
  assert.throws(() => proxy.delay(-1), RangeError);
  assert.throws(() => proxy.delay("soon"), RangeError);
});

test("close resets what is open, frees the port and may be repeated", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  const client = await dial(proxy.port);
  await until(() => echo.connections === 1);
  await proxy.close();
  await proxy.close();
  assert.equal(await client.closed, "ECONNRESET");
  const again = await startFaultProxy({ target: { host: LOOPBACK, port: echo.port }, port: proxy.port });
  await again.close();
});

test("a port in use rejects with the system's error", async () => {
  const echo = await startEcho();
  await assert.rejects(startFaultProxy({ target: { host: LOOPBACK, port: 1 }, port: echo.port }), { code: "EADDRINUSE" });
});

test("a thousand connections leave nothing behind", async () => {
  const echo = await startEcho();
  const proxy = await startProxy(echo.port);
  for (let round = 0; round < 10; round += 1) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => dial(proxy.port)));
    await until(() => proxy.attempts === (round + 1) * 100);
    if (round % 2 === 0) clients.forEach(({ socket }) => socket.destroy());
    else proxy.reset();
    await until(() => proxy.live === 0);
  }
  await until(() => echo.sockets.size === 0);
});
