// A TCP proxy that breaks connections on command: what the demo's buttons and the browser tests put between a page and the server.
//
// It never looks inside what it carries, except at the first bytes of a connection, to count WebSocket handshakes.
// Everything waits in order per direction: bytes, the end of a stream and a reset alike. A link that has lost bytes
// never carries any again, since a stream with a hole is something that TCP does not do.
import net from "node:net";

/** Bytes that one direction of one link holds in this process, while delayed or stalled; the rest waits in the kernel's buffers. */
const HELD_BYTES_MAX = 1 << 20;
/** Links at a time; further connections are reset at once. */
const LINKS_MAX = 4096;
/** The longest delay, in milliseconds, that `delay` takes. */
const DELAY_MAX = 60_000;

const HANDSHAKE = /^GET \/ws[ ?]/;
const HANDSHAKE_BYTES = "GET /ws?".length;

const END = Symbol("end");
const RESET = Symbol("reset");

/**
 * Starts a proxy that listens on `host`:`port` (0 = a free port) and passes each connection on to `target`.
 *
 * Rejects with the system's error when it cannot listen. When the target refuses, the client's socket is reset at once.
 */
export async function startFaultProxy({ target, host = "127.0.0.1", port = 0 }) {
  const line = { arrivals: "pass", held: false, delay: 0 };
  const links = new Set();
  let attempts = 0;
  let handshakes = 0;

  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    attempts += 1;
    if (line.arrivals === "refuse" || links.size >= LINKS_MAX) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const link = new Link(client, target, line, {
      handshake: () => { handshakes += 1; },
      closed: () => links.delete(link),
    });
    links.add(link);
    if (line.arrivals === "swallow") link.swallow();
    else link.dial();
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });

  const resetAll = () => links.forEach((link) => link.reset());
  const arrive = (arrivals, held = false) => {
    line.arrivals = arrivals;
    line.held = held;
    links.forEach((link) => link.pump());
  };

  return {
    port: server.address().port,
    /** TCP connections since the start or `resetCounters()`, refused ones included. */
    get attempts() { return attempts; },
    /** Those of them whose first bytes asked for `GET /ws`; a refused connection is never read. */
    get handshakes() { return handshakes; },
    /** Links that are open now. */
    get live() { return links.size; },

    /** Resets every live connection and refuses new ones (accept, then RST). */
    cut() { arrive("refuse"); resetAll(); },
    /** Resets every live connection once; what is in force for new ones stays. */
    reset() { resetAll(); },
    /** A pulled cable that the system noticed: resets the live ones, and new ones are accepted and never answered. */
    drop() { arrive("swallow"); resetAll(); },
    /** A pulled cable that nobody noticed: swallows both ways and keeps the sockets; new ones are accepted and never answered. */
    blackhole() { arrive("swallow"); links.forEach((link) => link.swallow()); },
    /** Holds everything, new connections included; it flows on after `restore()`. */
    stall() { arrive("pass", true); },
    /** Live connections go on, new ones are refused. */
    refuse() { arrive("refuse"); },
    /** Delays each direction by `ms` milliseconds, 0 to 60,000. */
    delay(ms) {
      if (!(ms >= 0 && ms <= DELAY_MAX)) throw new RangeError(`delay: ${ms} is not between 0 and ${DELAY_MAX} ms`);
      line.delay = ms;
      links.forEach((link) => link.pump());
    },
    /** Ends every fault. Links that have lost bytes are reset, the others flow on. */
    restore() {
      line.delay = 0;
      links.forEach((link) => link.lossy && link.reset());
      arrive("pass");
    },
    resetCounters() { attempts = 0; handshakes = 0; },
    /** Resets every link and stops listening; resolves when the port is free. Calling it again is harmless. */
    close() {
      resetAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** One client connection and, unless it arrived in a black hole, its connection to the target. */
class Link {
  lossy = false;
  #client;
  #target;
  #line;
  #told;
  #upstream = null;
  #directions = [];
  #head = "";

  constructor(client, target, line, told) {
    this.#client = client;
    this.#target = target;
    this.#line = line;
    this.#told = told;
    client.on("data", (bytes) => this.#watchHead(bytes));
    client.on("error", () => {}); // "close" follows and tells it
    client.on("close", () => this.#forgetWhenOver());
  }

  dial() {
    const upstream = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#upstream = upstream;
    let reached = false;
    upstream.once("connect", () => { reached = true; });
    upstream.on("error", () => { if (!reached) this.#refused(); });
    upstream.on("close", () => this.#forgetWhenOver());
    this.#directions = [
      new Direction(this.#client, upstream, this.#line),
      new Direction(upstream, this.#client, this.#line),
    ];
  }

  /** From now on both sides talk to nobody, and neither learns of the other's end. */
  swallow() {
    this.lossy = true;
    this.#directions.forEach((direction) => direction.swallow());
    this.#client.resume();
  }

  pump() {
    this.#directions.forEach((direction) => direction.pump());
  }

  reset() {
    for (const socket of [this.#client, this.#upstream]) reset(socket);
  }

  /** The target did not take the connection. A held line keeps even that to itself. */
  #refused() {
    if (!this.lossy && !this.#line.held) reset(this.#client);
  }

  #watchHead(bytes) {
    if (this.#head.length >= HANDSHAKE_BYTES) return;
    this.#head += bytes.toString("latin1", 0, HANDSHAKE_BYTES - this.#head.length);
    if (this.#head.length === HANDSHAKE_BYTES && HANDSHAKE.test(this.#head)) this.#told.handshake();
  }

  #forgetWhenOver() {
    if (this.#client.destroyed && (this.#upstream?.destroyed ?? true)) {
      this.#directions.forEach((direction) => direction.swallow());
      this.#told.closed();
    }
  }
}

/** What flows from `source` to `sink`, in order, bounded by `HELD_BYTES_MAX`. */
class Direction {
  #source;
  #sink;
  #line;
  #queue = []; // { at, item }: bytes, END or RESET, with the time of arrival
  #bytes = 0;
  #timer = null;
  #swallowing = false;

  constructor(source, sink, line) {
    this.#source = source;
    this.#sink = sink;
    this.#line = line;
    source.on("data", (bytes) => this.#take(bytes));
    source.on("end", () => this.#take(END));
    source.on("close", (failed) => {
      if (failed || !source.readableEnded) this.#take(RESET);
    });
    sink.on("drain", () => this.#resumeSource());
  }

  swallow() {
    this.#swallowing = true;
    this.#queue = [];
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#source.resume();
  }

  pump() {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && !this.#line.held) {
      const wait = this.#queue[0].at + this.#line.delay - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      const { item } = this.#queue.shift();
      this.#bytes -= item.length ?? 0;
      this.#deliver(item);
    }
    this.#resumeSource();
  }

  #take(item) {
    if (this.#swallowing) return;
    this.#queue.push({ at: performance.now(), item });
    this.#bytes += item.length ?? 0;
    if (this.#bytes >= HELD_BYTES_MAX) this.#source.pause();
    // While others wait, a timer or `restore()` pumps; pumping for each arrival would only look at the same head again.
    if (this.#queue.length === 1) this.pump();
  }

  #deliver(item) {
    if (this.#sink.destroyed) return;
    if (item === RESET) reset(this.#sink);
    else if (item === END) this.#sink.end();
    else if (!this.#sink.write(item)) this.#source.pause();
  }

  #resumeSource() {
    if (this.#bytes < HELD_BYTES_MAX && !this.#sink.writableNeedDrain && this.#source.isPaused()) this.#source.resume();
  }
}

function reset(socket) {
  if (!socket || socket.destroyed) return;
  // Before a connection there is nothing to reset; after our own end libuv refuses to, and Node would keep the handle for ever.
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
