// Serves the test page and the built package. A host of its own: it outlives the server under test and answers when that cannot.
import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** The package's built files; REJOIN_CLIENT_DIST names another build. */
const PACKAGE = path.resolve(process.env.REJOIN_CLIENT_DIST ?? path.join(HERE, "../../../client-wasm/dist"));
const PAGE = path.join(HERE, "../page");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".wasm": "application/wasm", ".map": "application/json" };

/** Content-Security-Policies that a page can ask for with `?csp=NAME`. */
const POLICIES = {
  wasm: "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127.0.0.1:* http://127.0.0.1:*",
  "no-wasm": "default-src 'none'; script-src 'self'; connect-src 'self' ws://127.0.0.1:* http://127.0.0.1:*",
};

/**
 * Starts the page host on a free port.
 *
 * `/` is the recorder's page (`?lang=`, `?csp=`), `/rejoin/…` the package, `/page/…` the files beside the recorder.
 */
export async function startPageHost() {
  if (!existsSync(path.join(PACKAGE, "index.js"))) {
    throw new Error("no package to test: build it (npm run build) or name its folder in REJOIN_CLIENT_DIST");
  }
  const html = await readFile(path.join(PAGE, "index.html"), "utf8");
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://page");
    response.setHeader("cache-control", "no-store");
    if (url.pathname === "/") {
      const policy = POLICIES[url.searchParams.get("csp")];
      if (policy) response.setHeader("content-security-policy", policy);
      response.setHeader("content-type", TYPES[".html"]);
      return response.end(html.replace("{lang}", url.searchParams.get("lang") ?? "en"));
    }
    if (url.pathname === "/favicon.ico") return response.writeHead(204).end();
    const file = locate(url.pathname);
    if (!file) return response.writeHead(404).end();
    response.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
    createReadStream(file).on("error", () => response.writeHead(404).end()).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}

function locate(pathname) {
  const roots = { "/rejoin/": PACKAGE, "/page/": PAGE };
  for (const [prefix, root] of Object.entries(roots)) {
    if (!pathname.startsWith(prefix)) continue;
    const file = path.join(root, decodeURIComponent(pathname.slice(prefix.length)));
    return file.startsWith(root + path.sep) && existsSync(file) ? file : null;
  }
  return null;
}
