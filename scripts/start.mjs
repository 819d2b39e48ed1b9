// `npm start`: everything from a fresh clone to the demo in a browser. `PORT` (8575) and `HOST` (127.0.0.1) say where.

import { createServer } from "node:net";

import { build } from "./build.mjs";
import { pagesDirectory, serverBinary } from "./lib/paths.mjs";
import { endOnSignal, mustRun } from "./lib/process.mjs";
import { Failure, main, say, secondsSinceStart, step } from "./lib/report.mjs";
import { setup } from "./setup.mjs";

let demo = null;
endOnSignal(async () => demo?.close(), 0);

await main(async () => {
  const host = process.env.HOST || "127.0.0.1";
  const port = readPort(process.env.PORT || "8575");
  await assertPortIsFree(host, port); // before minutes of building, not after

  await setup();
  await build();
  await step("server", () => mustRun("cargo", ["build", "--release", "--package", "rejoin-server"]));

  demo = await startDemo({ host, port, serverBin: serverBinary("release"), pagesDir: pagesDirectory });
  say(`\n  Rejoin is ready: ${demo.url}\n\n  Open the chat in two windows. Ctrl-C ends everything. (${secondsSinceStart()})\n`);
});

async function startDemo(options) {
  const { startDemo: start } = await import("../demo/supervisor.mjs");
  try {
    return await start(options);
  } catch (error) {
    throw error.name === "DemoError" ? new Failure(error.message) : error;
  }
}

function readPort(text) {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new Failure(`PORT is "${text}"; it is a number from 0 (any free port) to 65535`);
  return port;
}

/** Listens for a moment where the server will. */
async function assertPortIsFree(host, port) {
  const probe = createServer();
  try {
    await new Promise((resolve, reject) => probe.once("error", reject).listen({ host, port }, resolve));
  } catch (error) {
    if (error.code === "EADDRINUSE") {
      throw new Failure(`port ${port} on ${host} is in use, perhaps by another Rejoin; choose another one: PORT=${port + 1} npm start`);
    }
    throw new Failure(`cannot listen on ${host}:${port}: ${error.message}`);
  }
  await new Promise((resolve) => probe.close(resolve));
}
