// What a person sees while waiting: one line when a step begins, one when it ends.

import { pathToFileURL } from "node:url";

/** An error whose message is meant for a person: printed without a stack. */
export class Failure extends Error {}

const started = performance.now();

export function say(line) {
  console.log(line);
}

/** Runs `work` and prints its name and how long it took. */
export async function step(name, work) {
  say(`· ${name} ...`);
  const begin = performance.now();
  const result = await work();
  say(`✓ ${name} (${seconds(performance.now() - begin)})`);
  return result;
}

export function seconds(milliseconds) {
  return milliseconds < 9950 ? `${(milliseconds / 1000).toFixed(1)} s` : `${Math.round(milliseconds / 1000)} s`;
}

export function secondsSinceStart() {
  return seconds(performance.now() - started);
}

/** The body of a script: prints what failed in a readable form and sets the exit code. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Failure ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Whether the module with this URL is the script that node was asked to run. */
export function isMain(url) {
  return process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;
}
