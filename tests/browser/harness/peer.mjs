// A raw client written from the wire protocol alone: it talks to the server directly, while the page's path to it is broken.
// It does not come back by itself: after a restart or a reinit, open another one.
import { randomBytes } from "node:crypto";
import WebSocket from "ws";

const SUBPROTOCOL = "rejoin.v1.json";
const OPEN_LIMIT = 5000;
/** Publishes in one frame; the server takes at most 1 MiB in one. */
const BATCH = 250;

/** One raw connection: publishes with acknowledgements, and keeps what it is sent. */
export class Peer {
  #socket;
  #welcome;
  #answers = new Map(); // request id → { resolve, reject }
  #id = 0;
  #seq = 0;
  #waiting = [];
  #ended = null; // the error that every later command is answered with
  /** Every `message`, `join` and `leave` frame that came, oldest first. */
  frames = [];

  /** Resolves when the server has said welcome. `presence`: channels whose joins and leaves this peer is told. */
  static async open(port, { presence = [], channels = [] } = {}) {
    const peer = new Peer();
    await peer.#open(port, [
      ...channels.map((channel) => ({ channel })),
      ...presence.map((channel) => ({ channel, presence: true })),
    ]);
    return peer;
  }

  async #open(port, channels) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, SUBPROTOCOL, { handshakeTimeout: OPEN_LIMIT, perMessageDeflate: false });
    this.#socket = socket;
    await new Promise((resolve, reject) => {
      this.#welcome = { resolve, reject };
      socket.on("open", () => this.#send({
        type: "hello", client: randomBytes(16).toString("hex"), producer: randomBytes(16).toString("hex"), channels,
      }));
      socket.on("message", (text) => [JSON.parse(text)].flat().forEach((frame) => this.#receive(frame)));
      socket.on("error", (error) => this.#fail(error));
      socket.on("close", (code, reason) => this.#fail(new Error(`the peer's connection ended: ${code} ${reason}`)));
    });
  }

  #receive(frame) {
    switch (frame.type) {
      case "welcome": return this.#welcome.resolve();
      case "ping": return this.#send({ type: "pong" });
      case "ok":
      case "error": {
        const answer = this.#answers.get(frame.id);
        this.#answers.delete(frame.id);
        if (frame.type === "ok") answer?.resolve(frame);
        else answer?.reject(new Error(`${frame.code}: ${frame.message}`));
        return undefined;
      }
      default:
        this.frames.push(frame);
        this.#waiting = this.#waiting.filter((look) => !look());
        return undefined;
    }
  }

  /** Resolves with the message's offset. */
  async publish(channel, data) {
    const [offset] = await this.publishAll(channel, [data]);
    return offset;
  }

  /** Publishes in order, many in a frame; resolves with their offsets. */
  async publishAll(channel, items) {
    const offsets = [];
    for (let start = 0; start < items.length; start += BATCH) {
      const commands = items.slice(start, start + BATCH).map((data) => this.#command({ type: "publish", channel, seq: ++this.#seq, data }));
      offsets.push(...(await this.#askAll(commands)).map((ok) => ok.offset));
    }
    return offsets;
  }

  /** Any other command; resolves with its `ok`. */
  ask(command) {
    return this.#askAll([this.#command(command)]).then(([ok]) => ok);
  }

  /** Frames of one type on one channel. */
  seen(type, channel) { return this.frames.filter((frame) => frame.type === type && frame.channel === channel); }

  /** Resolves when `condition()` holds, looked at after each frame; rejects after `limit` milliseconds. */
  until(condition, limit, what) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`peer: not within ${limit} ms: ${what}; seen: ${JSON.stringify(this.frames)}`)), limit);
      const look = () => {
        if (!condition()) return false;
        clearTimeout(late);
        resolve();
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  close() {
    this.#socket.removeAllListeners("close");
    this.#socket.terminate();
  }

  #askAll(commands) {
    if (this.#ended) return Promise.reject(this.#ended);
    const answers = commands.map(({ id }) => new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject })));
    this.#send(commands);
    return Promise.all(answers);
  }

  #command(command) { return { id: ++this.#id, ...command }; }
  #send(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }
  #fail(error) {
    this.#ended = error;
    this.#welcome.reject(error);
    this.#answers.forEach(({ reject }) => reject(error));
    this.#answers.clear();
  }
}

/** The numbers `from … to` as message data, for tests that look for holes and repeats. */
export function numbered(from, to) {
  return Array.from({ length: to - from + 1 }, (_, index) => ({ n: from + index }));
}
