// Where things are. Every script works from any directory.

import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(fileURLToPath(new URL("../..", import.meta.url)));
export const targetDirectory = path.resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
export const packageDirectory = path.join(root, "client-wasm");
export const glueDirectory = path.join(packageDirectory, "pkg");
export const distDirectory = path.join(packageDirectory, "dist");
export const pagesDirectory = path.join(root, "www", "dist");
/** Stamps of finished steps. `npm ci` empties it, which only makes the next build check its steps again. */
export const cacheDirectory = path.join(root, "node_modules", ".cache", "rejoin");

/** The server as cargo built it, by the name of the directory that its profile writes to. */
export function serverBinary(profileDirectory) {
  const name = process.platform === "win32" ? "rejoin-server.exe" : "rejoin-server";
  return path.join(targetDirectory, profileDirectory, name);
}

/** A program of a development dependency: JavaScript, run with node. */
export function tool(file) {
  return path.join(root, "node_modules", file);
}
