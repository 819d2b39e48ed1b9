// A user's project: a directory elsewhere, with the packed tarball installed from npm's point of view, and a plain file server for it.

import { execFile } from "node:child_process";
import { cpSync, createReadStream, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
/** What a project of a user brings, at versions that were tried. npm's own cache makes the second run quick. */
const DEPENDENCIES = { vite: "8.3.8", ws: "8.23.0" };
const INSTALL_TIMEOUT_MS = 240_000;
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

const execute = promisify(execFile);

export class Project {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), "rejoin-user-")));
  #servers = [];

  /** A project with the tarball of this repository, its dependencies, and the files of `consumer/`. */
  static async create({ dependencies = DEPENDENCIES } = {}) {
    const project = new Project();
    try {
      await project.#install(dependencies);
    } catch (error) {
      await project.close();
      throw error;
    }
    return project;
  }

  async #install(dependencies) {
    const packed = await execute("npm", [
      "pack", "--workspace", "rejoin", "--pack-destination", this.directory, "--json", "--loglevel=error",
    ], { cwd: REPOSITORY });
    const [{ filename, files }] = JSON.parse(packed.stdout);
    this.packedFiles = files.map((file) => file.path);
    cpSync(fileURLToPath(new URL("consumer", import.meta.url)), this.directory, { recursive: true });
    this.write("package.json", JSON.stringify({ private: true, type: "module", dependencies: { rejoin: `file:./${filename}`, ...dependencies } }));
    await this.run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], { timeout: INSTALL_TIMEOUT_MS });
  }

  /** Runs a program in the project. Rejects when it fails, with what it wrote. */
  run(command, args, options = {}) {
    return execute(command, args, { cwd: this.directory, ...options }).catch((error) => {
      throw Object.assign(new Error(`${command} ${args.join(" ")}\n${error.stdout}${error.stderr}`), { output: `${error.stdout}${error.stderr}` });
    });
  }

  /** Runs a program of an installed package. */
  bin(name, args, options) {
    return this.run(path.join(this.directory, "node_modules", ".bin", name), args, options);
  }

  /** Type-checks files as the strictest of projects does. Rejects with what the compiler says. */
  compile({ files, moduleResolution = "bundler", module = "esnext" }) {
    this.write("tsconfig.json", JSON.stringify({
      compilerOptions: {
        strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true,
        target: "es2022", lib: ["es2022", "dom", "dom.iterable"], types: [], module, moduleResolution,
      },
      files,
    }));
    return this.run(process.execPath, [path.join(REPOSITORY, "node_modules", "typescript", "bin", "tsc"), "--project", "."]);
  }

  write(name, text) {
    writeFileSync(path.join(this.directory, name), text);
  }

  read(name) {
    return readFileSync(path.join(this.directory, name), "utf8");
  }

  /** Serves a directory of the project on a free port, with a Content-Security-Policy if one is given. Resolves to its origin. */
  async serve(directory, { policy } = {}) {
    const top = path.join(this.directory, directory);
    const server = http.createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://page");
      const file = path.join(top, decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
      if (!file.startsWith(top) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
      if (policy) response.setHeader("content-security-policy", policy);
      response.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
      createReadStream(file).pipe(response);
    });
    await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    this.#servers.push(server);
    return `http://127.0.0.1:${server.address().port}`;
  }

  async close() {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
