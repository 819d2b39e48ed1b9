// The half of the driver that JavaScript does cheaper than Rust: it reads and writes frames, and keeps what never
// enters wasm memory (names, payloads, tokens, epoch strings). It decides nothing. Its functions are imported by
// src/bridge.rs, which says what each does; the numbers here and there are in the same order.
// @ts-check

// What the core is told: src/driver/input.rs says with which numbers. The first ones are frames.
const MESSAGE = 0;
const KICK = 6;
const WELCOME = 7;
const JOINED = 10;
const WELCOMED = 11;
const OTHER = 12;
const UNLISTED = 13;
const OPENED = 14;
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
/** What the page is told besides the last orders: how a request ended, and that something was refused. */
const SETTLED = 6;
const ERROR = 7;

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
 * @property {Channel[]} _channels             by slot
 * @property {Map<string, Channel>} _named     by name
 * @property {Map<string, number>} _epochs  interned: numbers from 1, the least recently seen first
 * @property {number} _last_epoch
 * @property {Map<number, Request>} _requests  what waits for an answer, by id
 * @property {Map<number, any[]>} _held     frames behind a hole, by slot
 * @property {object[]} _rejoining          entries of the next hello or subscribe
 * @property {(() => void)[]} _watching     ends each listening to the page
 * @property {any} _frame                   the frame or entry that details are taken from
 * @property {any} _limits                  of the last welcome
 * @property {number[]} _outage             what the core told last of an outage, in the order of `learn` in src/bridge.rs
 * @property {string | null} _session
 * @property {string | null} _member
 * @property {(what: number, key?: number, at?: number, number?: number) => number} _input  the core's, for this client
 * @property {(what: number, a: number, b: number, c: number, d: number, e: number) => void} _told
 * @property {(slot: number, frame: any) => void} _delivered
 */

/**
 * A channel that the page wants, or has given up and the core not yet forgotten.
 * @typedef {object} Channel
 * @property {string} _name
 * @property {number} _slot  -1 until the core knows it
 * @property {string | undefined} _epoch  of its position
 * @property {unknown} _from  where a first subscription begins
 * @property {boolean} _presence
 * @property {boolean} _wanted
 */

/**
 * A publish, or another request of the page.
 * @typedef {object} Request
 * @property {string} _channel
 * @property {string} _text  the payload of a publish; empty for any other request
 * @property {(value: any) => void} _resolve
 * @property {(error: any) => void} _reject
 */

const PROTOCOL = "rejoin.v1.json";

/** Causes by number: the wire's closed list, in kinds. */
export const CAUSES =
  "offline silent lost|unreachable restart overload error|reinit not-ready forced|required expired denied|kicked replaced too-slow too-large protocol|frozen page-cache slept|blocked|closed"
    .split("|")
    .map((group) => group.split(" "));
export const CAUSE = CAUSES.flat();

export const WHYS = ["expired", "slow", "epoch"];

/** The numbers of each frame that the core is told of; their order is that of its inputs. @type {Record<string, (frame: any, host: Host) => any[]>} */
const READ = {
  message: (frame, host) => [slot(host, frame), frame.offset],
  ping: (frame, host) => [intern(host, frame.epoch), frame.sum, ...(frame.retry?.window ?? [])],
  ok: (frame, host) => [frame.id, frame.offset, intern(host, frame.epoch), frame.since, frame.duplicate],
  error: (frame) => [frame.id, frame.retry],
  live: (frame, host) => [slot(host, frame)],
  gap: (frame, host) => [
    slot(host, frame), frame.offset ?? frame.to, intern(host, frame.epoch), WHYS.indexOf(frame.why),
  ],
  kick: (frame, host) => [slot(host, frame)],
  welcome: (frame, host) => [
    intern(host, frame.epoch), frame.ping, ...(frame.retry?.window ?? [0, 0]), intern(host, frame.node), frame.grace,
  ],
  reinit: (frame, host) => [intern(host, frame.epoch), 0, ...(frame.window ?? [])],
  bye: (frame) => [frame.code, 0, ...(frame.window ?? [])],
};
const KINDS = Object.keys(READ);

/** Epoch strings kept, far above what the channels of a connection can have. */
const EPOCHS_MAX = 4096;

/** The number of an epoch, which becomes the one seen last. @param {Host} host @param {unknown} epoch */
const intern = (host, epoch) => {
  if (typeof epoch !== "string") return 0;
  const number = see(host, epoch);
  if (host._epochs.size > EPOCHS_MAX) {
    for (const { _epoch } of host._named.values()) if (_epoch) see(host, _epoch);
    const [oldest] = host._epochs.keys();
    host._epochs.delete(/** @type {string} */ (oldest));
  }
  return number;
};

/** @param {Host} host @param {string} epoch */
const see = (host, epoch) => {
  const number = host._epochs.get(epoch) ?? ++host._last_epoch;
  host._epochs.delete(epoch);
  host._epochs.set(epoch, number);
  return number;
};

/** The slot of the frame's channel; negative when it is not ours. @param {Host} host @param {any} frame */
const slot = (host, frame) => host._named.get(frame.channel)?._slot ?? -1;

/** 128 random bits. */
const secret = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

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
  _named: new Map(),
  _epochs: new Map(),
  _last_epoch: 0,
  _requests: new Map(),
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

/**
 * Begins the first attempt. `numbers` are those that `create` in src/js.rs reads.
 * @param {Host} host @param {import("./client.js").Core} core @param {number[]} numbers
 */
export function start(host, core, numbers) {
  rest = numbers;
  const handle = core.create(
    (host._ask === undefined ? 0 : 1) +
      (host._health ? 2 : 0) +
      (host._witness ? 4 : 0) +
      (globalThis.navigator?.onLine === false ? 0 : 8) +
      (globalThis.document?.hidden ? 0 : 16),
  );
  hosts[handle] = host;
  host._input = core.input.bind(undefined, handle);
  watch(host);
  host._input(START);
}

/** The end. @param {Host} host */
export function close(host) {
  host._input(CLOSE);
  host._input = () => 0;
  delete hosts[hosts.indexOf(host)];
  for (const end of host._watching) end();
}

/** Lets the core want a channel. @param {Host} host @param {Channel} channel */
export function join(host, channel) {
  const slot = host._input(SUBSCRIBE, 0, hash(channel._name));
  channel._slot = slot;
  host._channels[slot] = channel;
  host._input(FLUSH);
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
  on(globalThis, "pagehide", (event) => (event.persisted ? 6 : NOTHING));
  on(globalThis, "pageshow", (event) => (event.persisted ? 7 : NOTHING));
  on(document, "visibilitychange", () => (document.hidden ? 3 : 2));
  on(document, "freeze", () => 4);
  on(document, "resume", () => 5);
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

/** @param {number} client @param {number} id */
export function listener(client, id) {
  const host = /** @type {Host} */ (hosts[client]);
  return (/** @type {any} */ { type, data, code }) => {
    if (type === "message") receive(host, id, data);
    else host._input(type === "open" ? OPENED : CLOSED, id, code);
  };
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

/** @type {any[]} */
let rest = [];

/** A further number of the input under way. @param {number} at */
export const more = (at) => rest[at];

/** An input of many numbers. @param {Host} host @param {number} what @param {number} key @param {any[]} numbers */
function give(host, what, key, [at, number, ...others]) {
  rest = others;
  return host._input(what, key, at, number);
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
  const numbers = /** @type {any} */ (READ[type])(frame, host);
  if (kind === WELCOME) {
    host._session = frame.session;
    host._member = frame.member;
    host._limits = frame.limits ?? {};
  }
  if (give(host, kind, socket, numbers) && kind === WELCOME) {
    for (const { _name, _slot } of host._named.values()) {
      const entry = frame.channels?.[_name];
      if (!entry) continue;
      host._frame = entry;
      if (entry.error) host._input(KICK, socket, _slot);
      else give(host, JOINED, socket, [_slot, entry.offset, intern(host, entry.epoch), entry.since]);
    }
    host._input(WELCOMED, socket);
  }
}

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
  if (verdict === 3) offer(host, HELD, 0, at, frame);
}

/** @param {Host} host @param {object | string} frame */
export function transmit({ _live }, frame) {
  // A socket that is closing throws nothing and sends nothing: its close event follows.
  if (_live?.readyState === 1) _live.send(typeof frame === "string" ? frame : JSON.stringify(frame));
}

// ── What the core orders ───────────────────────────────────────────────────────────────────────────────────────

/** In the order of `Order` in src/bridge.rs. @type {((host: Host, a: number, b: number, c: number, d: number) => void)[]} */
const ORDERS = [
  // FetchToken: the page's own function may throw, return at once, or promise.
  (host) =>
    new Promise((resolve) => resolve(typeof host._ask === "function" ? host._ask() : host._ask)).then(
      (token) => host._input(TOKEN, 0, typeof (host._token = /** @type {any} */ (token)) === "string" && token ? 0 : 1),
      (error) => host._input(TOKEN, 0, error?.code === "required" ? 1 : 2),
    ),
  // Rejoining: an entry of the hello or subscribe that follows.
  (host, slot, epoch, offset) => {
    const { _name, _from, _presence, _epoch } = /** @type {Channel} */ (host._channels[slot]);
    const where = epoch ? { epoch: _epoch, offset } : { from: _from };
    host._rejoining.push({ channel: _name, ...where, presence: _presence || undefined });
  },
  // Filled: the answer to a history is offered.
  (host, slot) => {
    for (const frame of host._frame.messages ?? []) offer(host, HELD, 0, slot, frame);
  },
  // Hello
  (host) => {
    const cut = host._input(OUTAGE);
    const [cause = 0, , ms, attempts, , , , code] = host._outage;
    transmit(host, {
      type: "hello",
      client: host._client,
      producer: host._producer,
      channels: host._rejoining.splice(0),
      token: host._token,
      info: host._info,
      why: cut ? { cause: CAUSE[cause], code, ms, attempts } : undefined,
    });
  },
  // Subscribe, Unsubscribe
  (host, _slot, id) => transmit(host, { type: "subscribe", id, ...host._rejoining.pop() }),
  (host, slot, id) => transmit(host, { type: "unsubscribe", id, channel: host._channels[slot]?._name }),
  // Publish
  (host, id, _, seq, again) => {
    const { _channel, _text } = /** @type {Request} */ (host._requests.get(id));
    const repeat = again < 0 ? "" : `,"again":${again}`;
    transmit(host, `{"type":"publish","id":${id},"channel":"${_channel}","seq":${seq}${repeat},"data":${_text}}`);
  },
  // Settled
  (host, id, outcome, offset, duplicate) => host._told(SETTLED, id, outcome, offset, duplicate, 0),
  // History
  (host, slot, id, after, before) =>
    transmit(host, {
      type: "history",
      id,
      channel: host._channels[slot]?._name,
      after,
      before,
      limit: Math.min(before - after - 1, 1000), // the most that a server gives; the rest is asked for then
    }),
  // Subscriptions, Ping, Pong, Bye
  (host, id) => transmit(host, { type: "subscriptions", id }),
  (host, id) => transmit(host, { type: "ping", id }),
  (host) => transmit(host, { type: "pong" }),
  (host) => transmit(host, { type: "bye" }),
  // Probe
  (host, probe) =>
    ask(host, host._health, "cors", async (response) => {
      if (response.status >= 500) return ["error"];
      const { accepting, why, retry } = await response.json();
      if (accepting !== false) return accepting ? ["accepting"] : [];
      return [why === "origin" || why === "not-ready" ? why : "overload", retry];
    }).then(([found, retry]) => host._input(PROBED, probe, retry, HEALTH.indexOf(found))),
  // Witness: any answer will do, readable or not.
  (host, probe) =>
    ask(host, host._witness, "no-cors", async () => ["accepting"]).then(([found]) =>
      host._input(WITNESSED, probe, +(found === "accepting")),
    ),
  // Release, Discard
  (host, slot) => {
    for (const frame of discard(host, slot)) offer(host, HELD, 0, slot, frame);
  },
  discard,
  // Forget: unless the name has been subscribed anew, in another slot.
  (host, slot) => {
    const name = /** @type {Channel} */ (host._channels[slot])._name;
    if (host._named.get(name)?._slot === slot) host._named.delete(name);
    delete host._channels[slot];
    host._held.delete(slot);
  },
  // Repair: what the server's list lacks; and given up, on the wire, what nobody here knows.
  (host) => {
    const listed = host._frame.channels ?? {};
    for (const { _name, _slot } of host._named.values()) if (!Object.hasOwn(listed, _name)) host._input(UNLISTED, 0, _slot);
    for (const channel of Object.keys(listed)) {
      if (!host._named.has(channel)) transmit(host, { type: "unsubscribe", id: 0, channel });
    }
  },
];

/** @param {number} client @param {number} order @param {number} a @param {number} b @param {number} c @param {number} d @param {number} e */
export function perform(client, order, a, b, c, d, e) {
  const host = /** @type {Host} */ (hosts[client]);
  const perform = ORDERS[order];
  if (perform) return perform(host, a, b, c, d);
  const told = order - ORDERS.length;
  if (told === 4 || (told === 5 && b === 1)) {
    // A gap, or subscribed: the epoch of the new position is in the frame that told of it.
    const channel = /** @type {Channel} */ (host._channels[a]);
    channel._epoch = host._frame.epoch ?? channel._epoch;
  }
  host._told(told, a, b, c, d, e);
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

/** What a probe finds, by number; what is not here is unknown. */
const HEALTH = ["", "accepting", "error", "failed", "timeout", "origin", "overload", "not-ready"];

/**
 * Asks a URL. Resolves to what was found, of `HEALTH`, and the ms to wait when it says so.
 * @param {Host} host @param {string | false} url @param {RequestMode} mode @param {(response: Response) => Promise<any[]>} read
 */
function ask(host, url, mode, read) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), host._patience);
  return fetch(/** @type {string} */ (url), { cache: "no-store", credentials: "omit", mode, signal: stop.signal })
    .then((response) => read(response).catch(() => []))
    .catch(() => [stop.signal.aborted ? "timeout" : "failed"])
    .finally(() => clearTimeout(timer));
}
