// What src/typed.rs asks for beyond bridge.js: the small half of client.ts, for a page whose own code is Rust.
// @ts-check

import { PUBLISH, FLUSH, UNSUBSCRIBE, close as end, host, join, start } from "./bridge.js";

/**
 * @typedef {import("./bridge.js").Channel & { _listeners: Set<Listener> }} Channel
 * @typedef {{ _channel: Channel, _hear: Hear }} Listener
 * @typedef {(data: unknown, offset: number, from: string | undefined, at: number | undefined) => string | undefined} Hear
 *   what is wrong with the payload, if anything
 * @typedef {import("./bridge.js").Host & { _state: number, _stated: ((state: number) => void) | undefined }} Client
 */

const CLOSED = 3;

/**
 * @param {any} options  `Options` of src/typed.rs
 * @param {{ create: (flags: number) => number, input: (handle: number, what: number, ...numbers: any[]) => number }} core
 * @param {(state: number) => void} stated
 * @returns {Client}
 */
export function connect(options, core, stated) {
  const target = new URL(options.url, globalThis.location?.href);
  target.protocol = target.protocol.replace("http", "ws");
  const health = new URL("/health", target.href.replace(/^ws/, "http")).href;
  const client = Object.assign(
    host({
      _url: target.href,
      _socket: globalThis.WebSocket,
      _ask: options.token ?? undefined,
      _info: undefined,
      _health: options.health ?? health,
      _witness: options.witness ?? false,
      _patience: options.probe_timeout,
      _told(what, a, b, c, d) {
        if (what === 0) {
          client._state = a;
          // Not within the core: the page's handler may well call it.
          queueMicrotask(() => client._stated?.(a));
        } else if (what === 6) {
          settle(client, a, b, c, d);
        }
      },
      _delivered(slot, frame) {
        if (frame.type !== "message") return;
        const { _listeners } = /** @type {Channel} */ (client._channels[slot]);
        for (const listener of [..._listeners]) {
          if (!_listeners.has(listener)) continue; // dropped by the one before
          const wrong = listener._hear(frame.data, frame.offset, frame.from, frame.at);
          if (wrong) console.error(`rejoin: a message on ${frame.channel} is not what is expected there: ${wrong}`);
        }
      },
    }),
    { _state: 0, _stated: stated },
  );
  const { base, cap, connect_timeout, probe_timeout, queue_count, queue_bytes } = options;
  start(client, core, [Math.random() * 2 ** 53, base, cap, connect_timeout, probe_timeout, queue_count, queue_bytes]);
  return client;
}

/** @param {Client} client @param {number} id @param {number} outcome @param {number} offset @param {number} duplicate */
function settle(client, id, outcome, offset, duplicate) {
  const request = client._requests.get(id);
  client._requests.delete(id);
  if (outcome === 0) request?._resolve([offset, !!duplicate]);
  else if (outcome === 1) request?._reject(client._frame);
  else request?._reject(problem("closed", "the client is closed"));
}

/** @param {string} code @param {string} message */
const problem = (code, message, retry = false) => ({ code, message, retry });

/** @param {Client} client */
export const state = (client) => client._state;

/** @param {Client} client @param {string} name @returns {Channel} */
function want(client, name) {
  const channel = { _name: name, _slot: -1, _epoch: undefined, _from: undefined, _presence: false, _wanted: true, _listeners: new Set() };
  client._named.set(name, channel);
  join(client, channel);
  return channel;
}

/** @param {Client} client @param {string} name @param {Hear} hear @returns {Listener} */
export function subscribe(client, name, hear) {
  const known = /** @type {Channel | undefined} */ (client._named.get(name));
  const channel = known?._wanted ? known : want(client, name);
  const listener = { _channel: channel, _hear: hear };
  channel._listeners.add(listener);
  return listener;
}

/** @param {Client} client @param {Listener} listener */
export function unsubscribe(client, listener) {
  const channel = listener._channel;
  channel._listeners.delete(listener);
  if (channel._listeners.size || !channel._wanted) return;
  channel._wanted = false;
  client._input(UNSUBSCRIBE, 0, channel._slot);
}

/** @param {Client} client @param {string} channel @param {unknown} data @returns {Promise<[offset: number, duplicate: boolean]>} */
export const publish = (client, channel, data) =>
  new Promise((resolve, reject) => {
    const text = JSON.stringify(data) ?? "null";
    const id = client._input(PUBLISH, new TextEncoder().encode(text).length, 1);
    if (id === -2) reject(problem("queue_full", "too much waits to be published", true));
    else if (id < 1) reject(problem("closed", "the client is closed"));
    else {
      client._requests.set(id, { _channel: channel, _text: text, _resolve: resolve, _reject: reject });
      client._input(FLUSH);
    }
  });

/** @param {Client} client */
export function close(client) {
  if (client._state !== CLOSED) end(client);
}

/** Nothing is told any more: the functions are about to go. @param {Client} client */
export function drop(client) {
  client._stated = undefined;
  close(client);
}
