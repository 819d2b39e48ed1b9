// The half of the driver that JavaScript does cheaper than Rust: it reads and writes frames, and keeps what never
// enters wasm memory (names, payloads, tokens, epoch strings). It decides nothing. Its functions are imported by
// src/bridge.rs, which says what each does; the tables here and the enums there are in the same order.
// @ts-check

/**
 * The page's side of one client, made by `host()` below.
 * @typedef {object} Host
 * @property {string} url
 * @property {new (url: string, protocol: string) => WebSocket} socket
 * @property {WebSocket | undefined} live  the socket to send on
 * @property {string | false} health
 * @property {string | false} witness
 * @property {string | (() => string | Promise<string>) | undefined} ask  where the token comes from
 * @property {string | undefined} token
 * @property {unknown} info
 * @property {string} client    a secret: stable per page load
 * @property {string} producer  a secret: of this page's publishes
 * @property {{ name: string, from?: unknown, presence?: boolean | undefined }[]} channels  by slot
 * @property {Map<string, number>} slots   by name
 * @property {Map<string, number>} epochs  interned: numbers from 1, the least recently seen first
 * @property {number} last_epoch
 * @property {Map<number, { name: string, text: string }>} outbox  payloads, by request id
 * @property {Map<number, any[]>} held     frames behind a hole, by slot
 * @property {object[]} rejoining          entries of the next hello or subscribe
 * @property {(() => void)[]} watching     ends each listening to the page
 * @property {any} frame                   the frame or entry that details are taken from
 * @property {any} limits                  of the last welcome
 * @property {string | null} session
 * @property {string | null} member
 * @property {string | null} user
 * @property {(what: number, a: number, b: number, c: number, d: number, e: number) => void} told
 * @property {(slot: number, frame: any) => void} delivered
 */

const PROTOCOL = "rejoin.v1.json";

/** Causes by number: the wire's closed list, in kinds. */
export const CAUSES =
  "offline silent lost|unreachable restart overload error|reinit not-ready forced|required expired denied|kicked replaced too-slow too-large protocol|frozen page-cache slept|blocked|closed"
    .split("|")
    .map((group) => group.split(" "));
const CAUSE = CAUSES.flat();

const KINDS = ["message", "ping", "ok", "error", "live", "gap", "join", "leave", "kick", "welcome", "reinit", "bye"];
export const WHYS = ["expired", "slow", "epoch"];

/** @type {((frame: any, host: Host) => any)[]} */
const FIELDS = [
  (frame) => frame.id,
  (frame) => frame.offset,
  (frame) => frame.since,
  (frame) => frame.to,
  (frame) => frame.code,
  (frame) => frame.sum,
  (frame) => frame.ping,
  (frame) => frame.grace,
  (frame) => frame.retry,
  (frame) => frame.window?.[0],
  (frame) => frame.window?.[1],
  (frame) => frame.retry?.window?.[0],
  (frame) => frame.retry?.window?.[1],
  (frame) => WHYS.indexOf(frame.why),
  (frame) => frame.duplicate,
  (frame, host) => intern(host, frame.epoch),
  (frame, host) => intern(host, frame.node),
];

/** Epoch strings kept, far above what the channels of a connection can have. */
const EPOCHS_MAX = 4096;

/** @param {Host} host @param {unknown} epoch */
const intern = (host, epoch) => {
  if (typeof epoch !== "string") return 0;
  const { epochs } = host;
  const known = epochs.get(epoch) ?? ++host.last_epoch;
  epochs.delete(epoch);
  epochs.set(epoch, known);
  if (epochs.size > EPOCHS_MAX) for (const oldest of epochs.keys()) return epochs.delete(oldest), known;
  return known;
};

/** @type {((host: Host, a: number, b: number, c: number, d: number) => object | string)[]} */
const FRAMES = [
  (host, cause, code, ms, attempts) => ({
    type: "hello",
    client: host.client,
    producer: host.producer,
    channels: host.rejoining.splice(0),
    token: host.token,
    info: host.info,
    why: cause ? { cause: CAUSE[cause - 1], code, ms, attempts } : undefined,
  }),
  (host, _slot, id) => ({ type: "subscribe", id, ...host.rejoining.pop() }),
  (host, slot, id) => ({ type: "unsubscribe", id, channel: host.channels[slot]?.name }),
  (host, _, id, seq, again) => {
    const publish = /** @type {{ name: string, text: string }} */ (host.outbox.get(id));
    return `{"type":"publish","id":${id},"channel":"${publish.name}","seq":${seq}${
      again ? `,"again":${again - 1}` : ""
    },"data":${publish.text}}`;
  },
  (host, slot, id, after, before) => ({
    type: "history",
    id,
    channel: host.channels[slot]?.name,
    after,
    before,
    limit: Math.min(before - after - 1, 1000), // the most that a server gives; the rest is asked for then
  }),
  (_host, _, id) => ({ type: "subscriptions", id }),
  (_host, _, id) => ({ type: "ping", id }),
  () => ({ type: "pong" }),
  () => ({ type: "bye" }),
];

/** 128 random bits. */
const secret = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * A host with what every client begins with.
 * @param {Partial<Host> & Pick<Host, "url" | "socket" | "told" | "delivered">} given
 * @returns {Host}
 */
export const host = (given) => ({
  health: false,
  witness: false,
  ask: undefined,
  token: undefined,
  info: undefined,
  client: secret(),
  producer: secret(),
  channels: [],
  slots: new Map(),
  epochs: new Map(),
  last_epoch: 0,
  outbox: new Map(),
  held: new Map(),
  rejoining: [],
  watching: [],
  live: undefined,
  frame: undefined,
  limits: {},
  session: null,
  member: null,
  user: null,
  ...given,
});

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

export const seed = () => Math.random() * 2 ** 53;

/** @param {Function} wake @param {number} op @param {number} id */
export const bind = (wake, op, id) => wake.bind(undefined, op, id);

/** @param {Host} host */
export function construct(host) {
  try {
    return (host.live = new host.socket(host.url, PROTOCOL));
  } catch (error) {
    host.frame = { code: "bad_url", message: String(error), retry: true };
    host.told(8, 0, 0, 0, 0, 0);
    return undefined;
  }
}

/** The first four happen to the window, the others to the document. */
const PAGE_EVENTS = ["online", "offline", "pagehide", "pageshow", "visibilitychange", "freeze", "resume"];

/** @param {Host} host @param {Function} wake @param {number} first */
export const watch = (host, wake, first) =>
  PAGE_EVENTS.forEach((name, at) => {
    const target = at < 4 ? globalThis : globalThis.document;
    const listener = wake.bind(undefined, first + at, 0);
    // Not every place where this runs has a document, or events at all.
    target?.addEventListener?.(name, listener);
    host.watching.push(() => target?.removeEventListener?.(name, listener));
  });

/** @param {Host} host */
export const unwatch = (host) => host.watching.splice(0).forEach((end) => end());

export const is_online = () => globalThis.navigator?.onLine !== false;

export const is_visible = () => !globalThis.document?.hidden;

/** @param {MessageEvent} event @returns {any[]} */
export function frames(event) {
  try {
    const parsed = JSON.parse(event.data);
    return Array.isArray(parsed) ? parsed : [parsed];
  } catch {
    return []; // nothing that a server of this protocol sends
  }
}

/** @param {Host} host @param {any} frame */
export const kind = (host, frame) => KINDS.indexOf((host.frame = frame)?.type);

/** @param {Host} host @param {any} frame @param {number} field */
export const number = (host, frame, field) => Number(/** @type {any} */ (FIELDS[field])(frame, host) ?? NaN);

/** @param {Host} host @param {any} frame */
export const slot = (host, frame) => host.slots.get(frame.channel) ?? -1;

/** @param {Host} host @param {any} frame @param {number} slot */
export const entry = (host, frame, slot) => (host.frame = frame.channels?.[host.channels[slot]?.name ?? ""]);

/** @param {any} entry */
export const refused = (entry) => !!entry.error;

/** @param {any} frame @returns {any[]} */
export const messages = (frame) => frame.messages ?? [];

/** @param {Host} host @param {any} frame */
export function welcome(host, frame) {
  host.session = frame.session;
  host.member = frame.member;
  host.user = frame.user;
  host.limits = frame.limits ?? {};
}

/** @param {Host} host @param {object | string} frame */
export function transmit({ live }, frame) {
  // A socket that is closing throws nothing and sends nothing: its close event follows.
  if (live?.readyState === 1) live.send(typeof frame === "string" ? frame : JSON.stringify(frame));
}

/** @param {Host} host @param {any} frame */
export function give_up(host, frame) {
  for (const channel of Object.keys(frame.channels ?? {})) {
    if (!host.slots.has(channel)) transmit(host, { type: "unsubscribe", id: 0, channel });
  }
}

/** @param {Host} host @param {number} slot @param {number} epoch @param {number} offset */
export function rejoining(host, slot, epoch, offset) {
  const { name, from, presence } = /** @type {Host["channels"][0]} */ (host.channels[slot]);
  const known = [...host.epochs].find(([, number]) => number === epoch);
  const where = known ? { epoch: known[0], offset } : { from };
  host.rejoining.push({ channel: name, ...where, presence });
}

/** @param {Host} host @param {number} what @param {number} a @param {number} b @param {number} c @param {number} d */
export const send = (host, what, a, b, c, d) =>
  transmit(host, /** @type {any} */ (FRAMES[what])(host, a, b, c, d));

/** @param {Host} host @param {number} slot @param {any} frame */
export const deliver = (host, slot, frame) => host.delivered(slot, frame);

/** @param {Host} host @param {number} slot @param {any} frame */
export function hold(host, slot, frame) {
  const held = host.held.get(slot);
  if (held) held.push(frame);
  else host.held.set(slot, [frame]);
}

/** @param {Host} host @param {number} slot @returns {any[]} */
export function release(host, slot) {
  const held = host.held.get(slot) ?? [];
  host.held.delete(slot);
  return held;
}

/** Numbers for `health` in driver/mod.rs. @param {Response} response @returns {Promise<number>} */
async function read(response) {
  if (response.status >= 500) return 2;
  const health = await response.json();
  if (health.accepting) return 1;
  if (health.why === "origin") return 5;
  return health.accepting === false ? (health.why === "not-ready" ? 1e9 : 10) + (health.retry | 0) : 0;
}

/** @param {Host} host @param {boolean} witness @param {number} ms @param {Function} wake */
export function probe(host, witness, ms, wake) {
  const url = witness ? host.witness : host.health;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  // Of a witness any answer will do, readable or not.
  fetch(/** @type {string} */ (url), {
    cache: "no-store",
    credentials: "omit",
    mode: witness ? "no-cors" : "cors",
    signal: stop.signal,
  })
    .then((response) => (witness ? 1 : read(response).catch(() => 0)))
    .catch(() => (witness ? 0 : stop.signal.aborted ? 4 : 3))
    .then((answer) => {
      clearTimeout(timer);
      wake(undefined, answer);
    });
}

/** @param {Host} host @param {Function} wake */
export function token(host, wake) {
  const { ask } = host;
  // The page's own function may throw, return at once, or promise.
  new Promise((resolve) => resolve(typeof ask === "function" ? ask() : ask)).then(
    (token) => wake(undefined, typeof (host.token = token) === "string" && token ? 0 : 1),
    (error) => wake(undefined, error?.code === "required" ? 1 : 2),
  );
}

/** @param {Host} host @param {number} what @param {number} a @param {number} b @param {number} c @param {number} d @param {number} e */
export function tell(host, what, a, b, c, d, e) {
  if (what === 7) {
    // Forget: unless the name has been subscribed anew, in another slot.
    const name = host.channels[a]?.name;
    if (name !== undefined && host.slots.get(name) === a) host.slots.delete(name);
    delete host.channels[a];
    host.held.delete(a);
  } else if (what === 6) {
    host.told(what, a, b, c, d, e);
    host.outbox.delete(a);
  } else {
    host.told(what, a, b, c, d, e);
  }
}
