// The half of the driver that JavaScript does cheaper than Rust: it reads and writes frames, and keeps what never
// enters wasm memory (names, payloads, tokens, epoch strings). It decides nothing. Its functions are imported by
// src/bridge.rs, which says what each does; the numbers here and there are in the same order.
// @ts-check

/**
 * The page's side of one client, made by `host()` below.
 * @typedef {object} Host
 * @property {string} _url
 * @property {new (url: string, protocol: string) => WebSocket} _socket
 * @property {WebSocket | undefined} _live  the socket to send on
 * @property {string | false} _health
 * @property {string | false} _witness
 * @property {number} _patience  ms for an answer of either
 * @property {string | (() => string | Promise<string>) | undefined} _ask  where the token comes from
 * @property {string | undefined} _token
 * @property {unknown} _info
 * @property {string} _client    a secret: stable per page load
 * @property {string} _producer  a secret: of this page's publishes
 * @property {{ name: string, from?: unknown, presence?: boolean | undefined }[]} _channels  by slot
 * @property {Map<string, number>} _slots   by name
 * @property {Map<string, number>} _epochs  interned: numbers from 1, the least recently seen first
 * @property {number} _last_epoch
 * @property {Map<number, { name: string, text: string }>} _outbox  payloads, by request id
 * @property {Map<number, any[]>} _held     frames behind a hole, by slot
 * @property {object[]} _rejoining          entries of the next hello or subscribe
 * @property {(() => void)[]} _watching     ends each listening to the page
 * @property {any} _frame                   the frame or entry that details are taken from
 * @property {any} _limits                  of the last welcome
 * @property {number[]} _outage             what the core told last of an outage, in the order of `learn` in src/bridge.rs
 * @property {string | null} _session
 * @property {string | null} _member
 * @property {(what: number, key?: number, ...numbers: number[]) => number} _input  the core's, for this client
 * @property {(what: number, a: number, b: number, c: number, d: number, e: number) => void} _told
 * @property {(slot: number, frame: any) => void} _delivered
 */

const PROTOCOL = "rejoin.v1.json";

/** Causes by number: the wire's closed list, in kinds. */
export const CAUSES =
  "offline silent lost|unreachable restart overload error|reinit not-ready forced|required expired denied|kicked replaced too-slow too-large protocol|frozen page-cache slept|blocked|closed"
    .split("|")
    .map((group) => group.split(" "));
export const CAUSE = CAUSES.flat();

export const WHYS = ["expired", "slow", "epoch"];

// What the core is told: src/driver/input.rs says with which numbers. The first ones are frames, by their type here.
const KINDS = ["message", "ping", "ok", "error", "live", "gap", "kick", "welcome", "reinit", "bye"];
const MESSAGE = 0;
const KICK = 6;
const WELCOME = 7;
const JOINED = 10;
const WELCOMED = 11;
const OTHER = 12;
const UNLISTED = 13;
const CLOSED = 15;
const PROBED = 16;
const WITNESSED = 17;
const TOKEN = 18;
const PAGE = 19;
export const START = 21;
const HELD = 22;
export const UNSUBSCRIBE = 23;
export const RETRY = 24;
export const CLOSE = 25;
export const FLUSH = 26;
export const SUBSCRIBE = 27;
export const PUBLISH = 28;
export const REQUEST = 29;
export const OUTAGE = 30;
/** A page event that means nothing. */
const NOTHING = 8;
/** What the page is told besides what the core says: something was refused. */
const ERROR = 7;

/** Its numbers, for each kind of frame. @type {((frame: any, host: Host) => any[])[]} */
const NUMBERS = [
  (frame, host) => [slot(host, frame), frame.offset],
  (frame, host) => [intern(host, frame.epoch), frame.sum, ...(frame.retry?.window ?? [])],
  (frame, host) => [frame.id, frame.offset, frame.duplicate, intern(host, frame.epoch), frame.since],
  (frame) => [frame.id, frame.retry],
  (frame, host) => [slot(host, frame)],
  (frame, host) => [slot(host, frame), intern(host, frame.epoch), frame.offset ?? frame.to, WHYS.indexOf(frame.why)],
  (frame, host) => [slot(host, frame)],
  (frame, host) => [
    intern(host, frame.epoch), intern(host, frame.node), frame.ping, frame.grace, ...(frame.retry?.window ?? []),
  ],
  (frame, host) => [intern(host, frame.epoch), ...(frame.window ?? [])],
  (frame) => [frame.code, ...(frame.window ?? [])],
];

/** Epoch strings kept, far above what the channels of a connection can have. */
const EPOCHS_MAX = 4096;

/** @param {Host} host @param {unknown} epoch */
const intern = (host, epoch) => {
  if (typeof epoch !== "string") return 0;
  const epochs = host._epochs;
  const known = epochs.get(epoch) ?? ++host._last_epoch;
  epochs.delete(epoch);
  epochs.set(epoch, known);
  if (epochs.size > EPOCHS_MAX) for (const oldest of epochs.keys()) return epochs.delete(oldest), known;
  return known;
};

/** The slot of the frame's channel; negative when it is not ours. @param {Host} host @param {any} frame */
const slot = (host, frame) => host._slots.get(frame.channel) ?? -1;

/** 128 random bits. */
const secret = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Clients by handle. @type {Host[]} */
const hosts = [];

/**
 * A host with what every client begins with.
 * @param {Pick<Host, "_url" | "_socket" | "_health" | "_witness" | "_patience" | "_ask" | "_info" | "_told" | "_delivered">} given
 * @returns {Host}
 */
export const host = (given) => ({
  ...given,
  _token: undefined,
  _client: secret(),
  _producer: secret(),
  _channels: [],
  _slots: new Map(),
  _epochs: new Map(),
  _last_epoch: 0,
  _outbox: new Map(),
  _held: new Map(),
  _rejoining: [],
  _watching: [],
  _live: undefined,
  _frame: undefined,
  _limits: {},
  _outage: [],
  _session: null,
  _member: null,
  _input: () => 0,
});

/** What a host tells of the browser, in the bits of `flags` in src/js.rs. @param {Host} host */
export const flags = (host) =>
  (host._ask === undefined ? 0 : 1) +
  (host._health ? 2 : 0) +
  (host._witness ? 4 : 0) +
  (globalThis.navigator?.onLine === false ? 0 : 8) +
  (globalThis.document?.hidden ? 0 : 16);

/**
 * Begins the first attempt of a client that the core has made.
 * @param {Host} host @param {number} handle @param {Host["_input"]} input
 */
export function start(host, handle, input) {
  hosts[handle] = host;
  host._input = input;
  watch(host);
  input(START);
}

/** The end. @param {Host} host */
export function close(host) {
  host._input(CLOSE);
  host._input = () => 0;
  delete hosts[hosts.indexOf(host)];
  for (const end of host._watching) end();
}

/** FNV-1a, 32 bits, of a channel's name (ASCII by its grammar). @param {string} name */
export const hash = (name) => {
  let sum = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) sum = Math.imul(sum ^ name.charCodeAt(at), 0x01000193);
  return sum >>> 0;
};

let slept = 0;
let monotonic = -1;
let wall = 0;

/** performance.now(), and the time besides that it stood still in a suspended machine. */
export function clock() {
  const ticks = performance.now();
  const date = Date.now();
  if (monotonic >= 0) {
    const jump = date - wall - (ticks - monotonic);
    if (jump > 5000) slept += jump;
  }
  monotonic = ticks;
  wall = date;
  return ticks + slept;
}

/** @param {Host} host */
function watch(host) {
  const { document } = globalThis;
  /** @param {EventTarget | undefined} target @param {string} name @param {(event: any) => number} read */
  const on = (target, name, read) => {
    const listener = (/** @type {any} */ event) => void host._input(PAGE, 0, read(event));
    // Not every place where this runs has a document, or events at all.
    target?.addEventListener?.(name, listener);
    host._watching.push(() => target?.removeEventListener?.(name, listener));
  };
  on(globalThis, "online", () => 0);
  on(globalThis, "offline", () => 1);
  // A page that is not kept has ended: nothing to tell.
  on(globalThis, "pagehide", (event) => (event.persisted ? 2 : NOTHING));
  on(globalThis, "pageshow", (event) => (event.persisted ? 3 : NOTHING));
  on(document, "visibilitychange", () => (document.hidden ? 4 : 5));
  on(document, "freeze", () => 6);
  on(document, "resume", () => 7);
}

// ── Sockets and what they bring ────────────────────────────────────────────────────────────────────────────────

/** @param {number} client @param {number} id */
export function construct(client, id) {
  const host = /** @type {Host} */ (hosts[client]);
  try {
    return (host._live = new host._socket(host._url, PROTOCOL));
  } catch (error) {
    host._frame = { code: "bad_url", message: String(error), retry: true };
    host._told(ERROR, 0, 0, 0, 0, 0);
    queueMicrotask(() => host._input(CLOSED, id, 1006));
    return { close() {} };
  }
}

/** @param {number} client @param {number} input @param {number} id */
export function listener(client, input, id) {
  const host = /** @type {Host} */ (hosts[client]);
  return input === MESSAGE
    ? (/** @type {MessageEvent} */ event) => receive(host, id, event.data)
    : (/** @type {CloseEvent} */ event) => void host._input(input, id, event.code);
}

/** @param {Host} host @param {number} socket @param {string} text */
function receive(host, socket, text) {
  let frames;
  try {
    frames = JSON.parse(text);
  } catch {
    // nothing that a server of this protocol sends, and yet a sign of life
  }
  for (const frame of Array.isArray(frames) ? frames : [frames]) handle(host, socket, frame);
}

/** @param {Host} host @param {number} socket @param {any} frame */
function handle(host, socket, frame) {
  const type = frame?.type;
  host._frame = frame;
  if (type === "message") return offer(host, MESSAGE, socket, slot(host, frame), frame);
  const kind = KINDS.indexOf(type);
  if (kind < 0 || (type === "error" && frame.id == null)) {
    if (!host._input(OTHER, socket)) return;
    if (kind > 0) host._told(ERROR, 0, 0, 0, 0, 0);
    else if (type === "join" || type === "leave") host._delivered(slot(host, frame), frame);
    return;
  }
  const numbers = /** @type {any} */ (NUMBERS[kind])(frame, host);
  if (kind === WELCOME) {
    host._session = frame.session;
    host._member = frame.member;
    host._limits = frame.limits ?? {};
  }
  if (host._input(kind, socket, ...numbers) && kind === WELCOME) {
    for (const at of host._slots.values()) {
      const entry = listed(host, frame, at);
      if (!entry) continue;
      host._frame = entry;
      if (entry.error) host._input(KICK, socket, at);
      else host._input(JOINED, socket, at, intern(host, entry.epoch), entry.since, entry.offset);
    }
    host._input(WELCOMED, socket);
  }
}

/** What a frame with `channels` says of a slot's channel. @param {Host} host @param {any} frame @param {number} at */
const listed = (host, frame, at) => frame.channels?.[host._channels[at]?.name ?? ""];

/**
 * Offers a publication; the core gives the verdict, and has told before what goes with it.
 * @param {Host} host @param {number} input @param {number} socket @param {number} at @param {any} frame
 */
function offer(host, input, socket, at, frame) {
  const verdict = host._input(input, socket, at, frame.offset);
  if (verdict === 1) host._delivered(at, frame);
  if (verdict === 2) {
    const held = host._held.get(at);
    if (held) held.push(frame);
    else host._held.set(at, [frame]);
  }
}

/** @param {Host} host @param {object | string} frame */
export function transmit({ _live }, frame) {
  // A socket that is closing throws nothing and sends nothing: its close event follows.
  if (_live?.readyState === 1) _live.send(typeof frame === "string" ? frame : JSON.stringify(frame));
}

// ── What the core orders ───────────────────────────────────────────────────────────────────────────────────────

/** Orders of src/bridge.rs up to `Bye`: frames to send. @type {((host: Host, a: number, b: number, c: number, d: number) => object | string)[]} */
const FRAMES = [
  (host, cause, code, ms, attempts) => ({
    type: "hello",
    client: host._client,
    producer: host._producer,
    channels: host._rejoining.splice(0),
    token: host._token,
    info: host._info,
    why: cause ? { cause: CAUSE[cause - 1], code, ms, attempts } : undefined,
  }),
  (host, _slot, id) => ({ type: "subscribe", id, ...host._rejoining.pop() }),
  (host, slot, id) => ({ type: "unsubscribe", id, channel: host._channels[slot]?.name }),
  (host, _, id, seq, again) => {
    const publish = /** @type {{ name: string, text: string }} */ (host._outbox.get(id));
    return `{"type":"publish","id":${id},"channel":"${publish.name}","seq":${seq}${
      again < 0 ? "" : `,"again":${again}`
    },"data":${publish.text}}`;
  },
  (host, slot, id, after, before) => ({
    type: "history",
    id,
    channel: host._channels[slot]?.name,
    after,
    before,
    limit: Math.min(before - after - 1, 1000), // the most that a server gives; the rest is asked for then
  }),
  (_host, _, id) => ({ type: "subscriptions", id }),
  (_host, _, id) => ({ type: "ping", id }),
  () => ({ type: "pong" }),
  () => ({ type: "bye" }),
];

/** The orders that follow. @type {((host: Host, a: number, b: number, c: number) => void)[]} */
const ACTIONS = [
  // FetchToken: the page's own function may throw, return at once, or promise.
  (host) =>
    new Promise((resolve) => resolve(typeof host._ask === "function" ? host._ask() : host._ask)).then(
      (token) => host._input(TOKEN, 0, typeof (host._token = /** @type {any} */ (token)) === "string" && token ? 0 : 1),
      (error) => host._input(TOKEN, 0, error?.code === "required" ? 1 : 2),
    ),
  // Probe
  (host, probe) =>
    ask(host, host._health, "cors", async (response) => {
      if (response.status >= 500) return 2;
      const health = await response.json();
      if (health.accepting) return 1;
      if (health.why === "origin") return 5;
      return health.accepting === false ? (health.why === "not-ready" ? 1e9 : 10) + (health.retry | 0) : 0;
    }).then((answer) => host._input(PROBED, probe, answer)),
  // Witness: any answer will do, readable or not.
  (host, probe) =>
    ask(host, host._witness, "no-cors", async () => 1).then((answer) => host._input(WITNESSED, probe, +(answer < 2))),
  // Release
  (host, slot) => {
    for (const frame of discard(host, slot)) offer(host, HELD, 0, slot, frame);
  },
  discard,
  // Forget: unless the name has been subscribed anew, in another slot.
  (host, slot) => {
    const name = host._channels[slot]?.name ?? "";
    if (host._slots.get(name) === slot) host._slots.delete(name);
    delete host._channels[slot];
    host._held.delete(slot);
  },
  // Rejoining
  (host, slot, epoch, offset) => {
    const { name, from, presence } = /** @type {Host["_channels"][0]} */ (host._channels[slot]);
    const known = [...host._epochs].find(([, number]) => number === epoch);
    const where = known ? { epoch: known[0], offset } : { from };
    host._rejoining.push({ channel: name, ...where, presence });
  },
  // Filled
  (host, slot) => {
    for (const frame of host._frame.messages ?? []) offer(host, HELD, 0, slot, frame);
  },
  // Repair: what the server's list lacks; and given up, on the wire, what nobody here knows.
  (host) => {
    const frame = host._frame;
    for (const slot of host._slots.values()) if (!listed(host, frame, slot)) host._input(UNLISTED, 0, slot);
    for (const channel of Object.keys(frame.channels ?? {})) {
      if (!host._slots.has(channel)) transmit(host, { type: "unsubscribe", id: 0, channel });
    }
  },
];

/** @param {number} client @param {number} order @param {number} a @param {number} b @param {number} c @param {number} d @param {number} e */
export function perform(client, order, a, b, c, d, e) {
  const host = /** @type {Host} */ (hosts[client]);
  const frame = FRAMES[order];
  const action = ACTIONS[order - FRAMES.length];
  if (frame) transmit(host, frame(host, a, b, c, d));
  else if (action) action(host, a, b, c);
  else host._told(order - FRAMES.length - ACTIONS.length, a, b, c, d, e);
}

/** @param {number} client @param {number[]} outage */
export function learn(client, ...outage) {
  /** @type {Host} */ (hosts[client])._outage = outage;
}

/** Takes out what was held behind a hole. @param {Host} host @param {number} slot @returns {any[]} */
function discard(host, slot) {
  const held = host._held.get(slot) ?? [];
  host._held.delete(slot);
  return held;
}

/**
 * Numbers for `health` in src/driver/input.rs.
 * @param {Host} host @param {string | false} url @param {RequestMode} mode @param {(response: Response) => Promise<number>} read
 */
function ask(host, url, mode, read) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), host._patience);
  return fetch(/** @type {string} */ (url), { cache: "no-store", credentials: "omit", mode, signal: stop.signal })
    .then((response) => read(response).catch(() => 0))
    .catch(() => (stop.signal.aborted ? 4 : 3))
    .finally(() => clearTimeout(timer));
}
