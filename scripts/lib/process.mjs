// Runs other programs. Each has a process group of its own, so that one signal ends it with everything it started.

import { spawn } from "node:child_process";
import path from "node:path";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";

import { root } from "./paths.mjs";
import { Failure } from "./report.mjs";

const live = new Set();
const ownGroup = process.platform !== "win32";

/** How long a program may take to end after a polite signal. */
const END_TIMEOUT_MS = 5_000;
const PARENT_CHECK_MS = 500;

/**
 * Runs a program to its end. By default its output is shown.
 *
 * `onOutput` takes the output (text of both streams, while it comes) instead of only showing it; `quiet` hides it.
 * `timeoutMs` ends the program and makes `timedOut` true.
 * Resolves to `{ code, output, timedOut }`; rejects only when it cannot be started.
 */
export function run(command, args, { cwd = root, env = {}, quiet = false, onOutput, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    const piped = quiet || onOutput !== undefined;
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: ownGroup,
      stdio: piped ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    });
    live.add(child);
    let output = "";
    let timedOut = false;
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => { timedOut = true; end(child); }, timeoutMs);
    for (const [stream, shown] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
      stream?.setEncoding("utf8").on("data", (text) => {
        output += text;
        if (!quiet) shown.write(text);
        onOutput?.(text);
      });
    }
    child.on("error", (error) => {
      live.delete(child);
      clearTimeout(timer);
      reject(error.code === "ENOENT" ? new Failure(`${command} is not installed`) : error);
    });
    child.on("close", (code, signal) => {
      live.delete(child);
      clearTimeout(timer);
      resolve({ code: code ?? 128 + (constants.signals[signal] ?? 0), output, timedOut });
    });
  });
}

/** As [`run`], but a program that fails is a failure of the script. */
export async function mustRun(command, args, options = {}) {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const shown = options.quiet ? `\n${result.output.trimEnd()}` : "";
    throw new Failure(`${[path.basename(command), ...args].join(" ")} failed (exit code ${result.code})${shown}`);
  }
  return result;
}

/** Whether a program by this name answers `--version`. */
export async function answers(command, args = ["--version"]) {
  try {
    return (await run(command, args, { quiet: true, timeoutMs: 20_000 })).code === 0;
  } catch {
    return false;
  }
}

/** The absolute path of a program on PATH, or null. */
export function which(name) {
  const endings = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  for (const directory of (process.env.PATH ?? "").split(path.delimiter)) {
    for (const ending of endings) {
      const file = path.join(directory, name + ending);
      if (existsSync(file) && statSync(file).isFile()) return file;
    }
  }
  return null;
}

/** Ends what this process started, politely first. Resolves when nothing is left. */
export async function endAll() {
  await Promise.all([...live].map(end));
}

function end(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => signal(child, "SIGKILL"), END_TIMEOUT_MS);
    child.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    signal(child, "SIGTERM");
  });
}

function signal(child, name) {
  try {
    if (ownGroup) process.kill(-child.pid, name);
    else child.kill(name);
  } catch {
    // It has already gone.
  }
}

/** On Ctrl-C or a polite kill: `cleanup`, then the programs still running, then exit. A second Ctrl-C does not wait. */
export function endOnSignal(cleanup = async () => {}, exitCode = 130) {
  let ending = false;
  const handler = async () => {
    if (ending) {
      for (const child of live) signal(child, "SIGKILL");
      process.exit(exitCode);
    }
    ending = true;
    await cleanup().catch((error) => console.error(error));
    await endAll();
    process.exit(exitCode);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, handler);
  if (process.env.npm_lifecycle_event) whenParentEnds(handler);
}

/** npm and its shell pass no signal on when they are ended alone; nothing that they started must outlive them. */
function whenParentEnds(handler) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    handler();
  }, PARENT_CHECK_MS).unref();
}
