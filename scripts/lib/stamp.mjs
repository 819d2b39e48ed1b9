// Skips a step whose inputs and outputs are what they were when it last succeeded. Contents decide, not times:
// a checkout or a copy changes the times of files that have not changed.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

import { cacheDirectory, root } from "./paths.mjs";
import { say, step } from "./report.mjs";

/** Directories that a step below them makes; name one itself to have it read. */
const GENERATED = ["node_modules", "target", "dist", "pkg"];

/**
 * Runs `work` unless it is fresh. `inputs` and `outputs` are paths from the root, files or directories (read whole);
 * `settings` is text that also decides, such as the version of a tool. Resolves to whether it ran.
 */
export async function stepUnlessFresh(name, { inputs, outputs, settings = "" }, work) {
  const file = path.join(cacheDirectory, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}.stamp`);
  const before = digest(inputs, settings);
  if (read(file) === `${before} ${digest(outputs)}`) {
    say(`✓ ${name} (fresh)`);
    return false;
  }
  rmSync(file, { force: true });
  await step(name, work);
  mkdirSync(cacheDirectory, { recursive: true });
  writeFileSync(file, `${before} ${digest(outputs)}`);
  return true;
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function digest(paths, settings = "") {
  const hash = createHash("sha256").update(settings);
  for (const name of paths) {
    for (const file of filesUnder(path.join(root, name))) {
      hash.update(`\0${path.relative(root, file)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest("hex");
}

/** Every file under a path, in a fixed order; none when there is nothing. */
function filesUnder(name) {
  const stat = statSync(name, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isFile()) return [name];
  return readdirSync(name)
    .filter((entry) => !GENERATED.includes(entry))
    .sort()
    .flatMap((entry) => filesUnder(path.join(name, entry)));
}
