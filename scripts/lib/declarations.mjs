// The package's TypeScript declarations, for import and for require, without a reference to anything that is not in `dist`.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { packageDirectory, tool } from "./paths.mjs";
import { mustRun } from "./process.mjs";
import { Failure } from "./report.mjs";

/** Type-checks the TypeScript and writes to `target` `NAME.d.ts` of every entry and of what they refer to; for the first also `NAME.d.cts`. */
export async function writeDeclarations(target, entries) {
  const directory = mkdtempSync(path.join(tmpdir(), "rejoin-types-"));
  try {
    await mustRun(process.execPath, [
      tool("typescript/bin/tsc"), "--project", packageDirectory, "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--stripInternal", "--outDir", directory,
    ], { quiet: true });
    const write = (names, declaration, script) => {
      for (const [name, text] of reachable(directory, names)) {
        writeFileSync(path.join(target, name + declaration), text.replaceAll(SPECIFIER, `$1$2$3${script}$4`));
      }
    };
    write(entries, ".d.ts", ".js");
    write(entries.slice(0, 1), ".d.cts", ".cjs");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `from "./x.js"` and `import("./x.ts")`. */
const SPECIFIER = /(from |import\(|import )(["'])(\.[^"']*)\.[jt]s(["'])/g;

function reachable(directory, entries) {
  const texts = new Map();
  const waiting = [...entries];
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (texts.has(name)) continue;
    const text = readFileSync(path.join(directory, `${name}.d.ts`), "utf8");
    texts.set(name, text);
    for (const [, , , specifier] of text.matchAll(SPECIFIER)) {
      if (!/^\.\/[\w-]+$/.test(specifier)) {
        throw new Failure(`the declarations of ${name} refer to ${specifier}, which is not in the package`);
      }
      waiting.push(specifier.slice(2));
    }
  }
  return texts;
}
