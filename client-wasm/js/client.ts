/** The page's API. It checks what the page gives, and turns numbers into events; what happens is decided by the core. */

import {
  CAUSE, CAUSES, FLUSH, OUTAGE, PUBLISH, REQUEST, RETRY, UNSUBSCRIBE, WHYS,
  close, host as newHost, join, start, transmit,
} from "./bridge.js";
import type { Host } from "./bridge.js";
import { Listeners } from "./listeners.js";
import type { On } from "./listeners.js";

export type State = "connecting" | "connected" | "reconnecting" | "closed";
export type SubscriptionState = "subscribing" | "subscribed" | "denied" | "unsubscribed";
/** What a banner says. */
export type Kind =
  "network" | "server" | "application" | "credentials" | "policy" | "page" | "blocked" | "closed";
/** Why a connection ended: one closed list, explained in PROTOCOL.md § Causes. */
export type Cause =
  | "offline" | "silent" | "lost"
  | "unreachable" | "restart" | "overload" | "error"
  | "reinit" | "not-ready" | "forced"
  | "required" | "expired" | "denied"
  | "kicked" | "replaced" | "too-slow" | "too-large" | "protocol"
  | "frozen" | "page-cache" | "slept"
  | "blocked"
  | "closed";
export type Confidence = "guess" | "likely" | "certain";

/** The facts behind a cause. */
export interface Evidence {
  /** How the last socket ended; `left`: by the client, because the server said so. */
  socket: "closed" | "silent" | "failed" | "timeout" | "left" | "token";
  /** Close code, 0 when there was none. */
  code: number;
  /** What the browser said of the network then. */
  online: boolean;
  /** The probe of the server's health: `refused` failed at once, `error` was a 5xx. */
  probe: "none" | "refused" | "timeout" | "error" | "ok";
  /** Whether the witness answered; null when it was not asked. */
  witness: boolean | null;
}

export interface Reason {
  cause: Cause;
  kind: Kind;
  confidence: Confidence;
  evidence: Evidence;
}

export interface Disconnect extends Reason {
  /** False: the end is final, and `retry()` leaves it. */
  willRetry: boolean;
  /** Ms until the next attempt; null when none follows. */
  retryInMs: number | null;
  /** Attempts of this outage so far: 0, or 1 when the first connection failed. */
  attempt: number;
}

/** The outage under way. */
export interface Outage extends Disconnect {
  /** When it began, as `Date.now()`. */
  since: number;
}

/** A publication. Published through a Rejoin server it is JSON of any shape. */
export interface Message<T = unknown> {
  channel: string;
  data: T;
  /** Dense within one incarnation of the channel's history. */
  offset: number;
  /** The publisher, as in `socket.member`; undefined when the server published it. */
  from: string | undefined;
  /** Server clock, ms since 1970. */
  at: number | undefined;
}

export interface Member {
  member: string;
  user: string | null;
  info: unknown;
}

export interface SocketEvents {
  /** Once per outage, a first connection that fails included. */
  disconnect: Disconnect;
  /** Its pair: every channel has caught up. `recovered` publications were replayed. */
  reconnect: { cause: Cause; downtimeMs: number; attempts: number; recovered: number; gaps: number };
  /** A transition, never a repetition. */
  state: { state: State; previous: State; cause: Cause | null };
  /** A disconnect's cause made more precise. */
  cause: Reason;
  /** Publications missed: first and last offset; `to` is null when nobody can know. */
  gap: { channel: string; from: number; to: number | null; why: "expired" | "slow" | "epoch" };
  /** Something was refused. */
  error: { code: string; message: string; retryable: boolean; channel: string | undefined };
}

export interface SubscriptionEvents {
  state: { state: SubscriptionState };
  join: Member;
  leave: Member;
  /** Who is there, after each (re)join of a subscription with `presence`; above 500 members the count alone. */
  presence: Presence;
}

export interface Presence {
  count: number;
  members: Member[] | null;
  version: number;
}

export interface Options {
  /** Where the token comes from: asked once, and again when it expired or was refused. Throw `{code: "required"}` or give "" when
   * the user must sign in; any other failure is retried. */
  token?: string | (() => string | Promise<string>);
  /** What presence shows, at most 1 KiB of JSON. Never credentials. */
  info?: object;
  /** Full jitter over `min(cap, base · 2^failures)`, ms. Default 1000 and 30000. */
  backoff?: { base?: number; cap?: number };
  /** Ms from dial to welcome. Default 10000. */
  connectTimeout?: number;
  /** Ms for a probe. Default 2000. */
  probeTimeout?: number;
  /** URL of the health probe, false for none. Default `/health` at the socket's host. */
  health?: string | false;
  /** A URL elsewhere that tells "my uplink" from "their server", false for none. Default: the page's origin, where that is another host. */
  witness?: string | false;
  /** Where publishes wait. */
  outbox?: "page";
  /** Limits of what waits. Default 1000 publishes and 1048576 bytes. */
  queue?: { count?: number; bytes?: number };
  /** A WebSocket constructor, where there is no global one. */
  WebSocket?: unknown;
}

export interface SubscribeOptions {
  /** Where a first subscription begins: `now` (default), with the last publication, or n back. */
  from?: "now" | "last" | { rewind: number };
  /** Be told of joins and leaves. */
  presence?: boolean;
}

/** Why a call failed. `code` is a short stable string (PROTOCOL.md § Error codes). */
export class RejoinError extends Error {
  override name = "RejoinError";
  constructor(
    readonly code: string,
    message: string,
    readonly retryable = false,
    readonly channel?: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

const STATES: State[] = ["connecting", "connected", "reconnecting", "closed"];
const STATUSES: SubscriptionState[] = ["subscribing", "subscribed", "denied", "unsubscribed"];
const KINDS: Kind[] = ["network", "server", "application", "credentials", "policy", "page", "blocked", "closed"];
const CONFIDENCES: Confidence[] = ["guess", "likely", "certain"];
const ENDS: Evidence["socket"][] = ["closed", "silent", "failed", "timeout", "left", "token"];
const PROBES: Evidence["probe"][] = ["none", "refused", "timeout", "error", "ok"];
const CHANNEL = /^[A-Za-z0-9_:.\-/]{1,255}$/;
const FRAME_BYTES = 1 << 20;
/** What `_told` says: the last orders of src/bridge.rs, and an error. */
const enum Told { State, Disconnect, Cause, Reconnect, Gap, Status, Settled, Error }

/** The functions of src/js.rs. */
export interface Core {
  create(flags: number): number;
  input(handle: number, what: number, ...numbers: any[]): number;
}

type Settle = { resolve: (value: any) => void; reject: (error: RejoinError) => void };

/** One channel of a socket, shared by every subscription to it. */
interface Channel {
  _name: string;
  /** -1 until the core knows it. */
  _slot: number;
  _epoch: string | undefined;
  _from: SubscribeOptions["from"];
  _presence: boolean;
  _wanted: boolean;
  _state: SubscriptionState;
  _error: RejoinError | undefined;
  _subscriptions: Set<Subscription<any>>;
}

const wrong = (name: string, must: string, given: unknown) =>
  new TypeError(`rejoin: ${name} must be ${must}, not ${typeof given === "string" ? `"${given}"` : String(given)}`);

const closed = (channel?: string) => new RejoinError("closed", "the socket is closed", false, channel);

/** What the server, or the browser, refused. */
const refusal = (frame: any, channel?: string) =>
  new RejoinError(
    String(frame?.code ?? "error"), String(frame?.message ?? "refused by the server"), !!frame?.retry, channel ?? frame?.channel,
  );

/** Interest in one channel. */
export class Subscription<T = unknown> extends Listeners<SubscriptionEvents & { message: Message<T> }> {
  /** Resolves when subscribed, for the first time; rejects when denied or closed. */
  readonly ready: Promise<void>;
  /** @internal */
  _ready!: Settle;
  #own = true;

  /** @internal */
  constructor(
    readonly _socket: Socket,
    readonly _channel: Channel,
    listener: ((message: Message<T>) => void) | undefined,
  ) {
    super();
    this.ready = new Promise((resolve, reject) => (this._ready = { resolve, reject }));
    this.ready.catch(() => {}); // who does not ask is not to be troubled
    if (listener) this.on("message", listener);
    _channel._subscriptions.add(this);
    this._tell();
  }

  get channel(): string {
    return this._channel._name;
  }

  get state(): SubscriptionState {
    return this.#own ? this._channel._state : "unsubscribed";
  }

  declare readonly on: On<SubscriptionEvents & { message: Message<T> }>;

  /** Gives up this interest; the channel is left with its last one. */
  unsubscribe(): void {
    if (!this.#own) return;
    this.#own = false;
    this._channel._subscriptions.delete(this);
    this._ready.reject(new RejoinError("closed", `unsubscribed from ${this.channel}`));
    this._socket._leave(this._channel);
    this._emit("state", { state: "unsubscribed" });
  }

  /** Who is there now. */
  presence(): Promise<Presence> {
    return this._socket._request({ type: "presence", channel: this.channel }).then(presence);
  }

  /** @internal Only the first word counts. */
  _tell(): void {
    const { _state, _error } = this._channel;
    if (_state === "subscribed") this._ready.resolve(undefined);
    else if (_error) this._ready.reject(_error);
  }
}

const presence = (frame: any): Presence => ({
  count: frame.count ?? frame.members.length,
  members: frame.members ?? null,
  version: frame.version,
});

/** A connection that outlives its sockets. */
export class Socket extends Listeners<SocketEvents> {
  #host: Host;
  #started = false;
  #state: State = "connecting";
  /** Why it ended for good, until `retry()`. */
  #final: Cause | undefined;
  #failure: RejoinError | undefined;
  /** Calls made before the module has loaded. */
  #waiting: (() => void)[] = [];

  /** @internal */
  constructor(load: () => Core | Promise<Core>, url: string, options: Options) {
    super();
    this.#host = newHost({ ...read(url, options), _told: this.#told, _delivered: this.#delivered });
    let core;
    try {
      core = load();
    } catch (error) {
      throw explain(error);
    }
    if (core instanceof Promise) {
      core.then((core) => this.#start(core, options)).catch((error) => this.#broken(error));
    } else {
      this.#start(core, options);
    }
  }

  get state(): State {
    return this.#state;
  }

  /** Of the outage under way, or of the end; null while all is well. */
  get cause(): Cause | null {
    return this.#outage()?.cause ?? this.#final ?? null;
  }

  /** How others see this client: `message.from` of its own messages. Null before the first welcome. */
  get member(): string | null {
    return this.#host._member;
  }

  /** The server's name for the current connection. */
  get session(): string | null {
    return this.#host._session;
  }

  /** Publishes that wait for the server's answer. */
  get pending(): number {
    return this.#started
      ? [...this.#host._requests.values()].filter(({ _text }) => _text).length
      : this.#waiting.length;
  }

  /** What is known of the outage under way; its `retryInMs` is read live. Null while all is well. */
  get outage(): Outage | null {
    return this.#outage() ?? null;
  }

  declare readonly on: On<SocketEvents>;

  /** Wants a channel. Twice on one channel shares one subscription, counted by reference. */
  subscribe<T = unknown>(
    channel: string,
    listener?: (message: Message<T>) => void,
    options: SubscribeOptions = {},
  ): Subscription<T> {
    if (typeof channel !== "string" || !CHANNEL.test(channel)) {
      throw wrong("channel", "1 to 255 of A-Z a-z 0-9 _ : . - /", channel);
    }
    if (listener !== undefined && typeof listener !== "function") throw wrong("listener", "a function", listener);
    check("subscribe", options, {
      from: [(it) => it === "now" || it === "last" || count[0]((it as any)?.rewind - 1), '"now", "last" or {rewind: n}'],
      presence: flag,
    });
    const known = this.#host._named.get(channel) as Channel | undefined;
    const shared = known?._wanted ? known : this.#channel(channel, options);
    if (options.presence && !shared._presence) this.#wantPresence(shared);
    return new Subscription<T>(this, shared, listener);
  }

  /** Publishes JSON. Resolves when the server has accepted it; while away it waits, unless `queue` is false. */
  async publish(
    channel: string,
    data: unknown,
    options: { queue?: boolean } = {},
  ): Promise<{ offset: number; duplicate: boolean }> {
    check("publish", options, { queue: flag });
    if (typeof channel !== "string" || !CHANNEL.test(channel)) {
      throw new RejoinError("bad_channel", `not a channel's name: ${channel}`, false, channel);
    }
    const text = JSON.stringify(data); // throws what JSON throws
    if (text === undefined) throw new RejoinError("bad_request", `${typeof data} is not JSON`, false, channel);
    const bytes = new TextEncoder().encode(text).length;
    const limit: number = this.#host._limits.frame ?? FRAME_BYTES;
    if (bytes + channel.length + 128 > limit) {
      throw new RejoinError("too_large", `a frame is at most ${limit} bytes`, false, channel);
    }
    return this.#ask(channel, text, () => this.#host._input(PUBLISH, bytes, +(options.queue !== false)));
  }

  /** Tries now, and leaves a final end. At most once per second; without effect after `close()`. */
  retry(): void {
    this.#run(() => this.#host._input(RETRY));
  }

  /** Ends it: what waits rejects with `closed`, and so does every later call. */
  close(): void {
    if (this.#final === "closed") return;
    if (this.#started) {
      close(this.#host);
      this.#final = "closed"; // also of what had ended otherwise before, where no state changes
    } else this.#told(Told.State, STATES.length - 1, 0, CAUSE.length - 1, 0, 0);
  }

  /** @internal */
  _leave(channel: Channel): void {
    if (channel._subscriptions.size || !channel._wanted) return;
    channel._wanted = false;
    this.#run(() => this.#host._input(UNSUBSCRIBE, 0, channel._slot));
  }

  /** @internal */
  _request(frame: { type: string; channel: string }): Promise<any> {
    return this.#ask(frame.channel, "", () => {
      const id = this.#host._input(REQUEST);
      if (id) transmit(this.#host, { ...frame, id });
      return id;
    });
  }

  /** Keeps a request until it is answered. `begin` gives its id, or says why there is none: see `PUBLISH`. */
  #ask(channel: string, text: string, begin: () => number): Promise<any> {
    return new Promise((resolve, reject) => {
      const fail = (code: string, message: string) => reject(new RejoinError(code, message, true, channel));
      this.#run(() => {
        const id = this.#final ? -3 : begin();
        if (id === -3) return reject(this.#ended(channel));
        if (id === -2) return fail("queue_full", "too much waits to be published");
        if (id < 1) return fail("not_connected", "not connected, and not to be queued");
        this.#host._requests.set(id, { _channel: channel, _text: text, _resolve: resolve, _reject: reject });
        this.#host._input(FLUSH);
      });
    });
  }

  #start(core: Core, options: Options): void {
    if (this.#final) return;
    const { backoff = {}, connectTimeout = 10_000, queue = {} } = options;
    const { base = 1_000, cap = 30_000 } = backoff;
    const { count = 1_000, bytes = 1 << 20 } = queue;
    const seed = Math.random() * 2 ** 53;
    this.#started = true;
    start(this.#host, core, [seed, base, cap, connectTimeout, this.#host._patience, count, bytes]);
    for (const call of this.#waiting.splice(0)) call();
  }

  /** At once, or when the module has loaded; after the end at once too, which each call finds for itself. */
  #run(call: () => void): void {
    if (this.#started || this.#final) call();
    else this.#waiting.push(call);
  }

  /** The module could not be loaded: one error, which every later call rejects with, and the end. */
  #broken(error: unknown): void {
    this.#refused((this.#failure = explain(error)));
    this.close();
  }

  #refused({ code, message, retryable, channel }: RejoinError): void {
    this._emit("error", { code, message, retryable, channel });
  }

  #channel(name: string, { from, presence = false }: SubscribeOptions): Channel {
    const channel: Channel = {
      _name: name,
      _slot: -1,
      _epoch: undefined,
      _from: from,
      _presence: presence,
      _wanted: true,
      _state: "subscribing",
      _error: undefined,
      _subscriptions: new Set(),
    };
    if (this.#final === "closed") {
      channel._state = "unsubscribed";
      channel._error = closed(name);
      return channel;
    }
    this.#host._named.set(name, channel);
    this.#run(() => channel._wanted && join(this.#host, channel));
    return channel;
  }

  /** A later subscription asks for presence on a live channel: the same subscribe again, which replays nothing. */
  #wantPresence(channel: Channel): void {
    channel._presence = true;
    if (channel._state !== "subscribed") return;
    const frame = { type: "subscribe", channel: channel._name, presence: true };
    this._request(frame).then((answer) => this.#present(channel, answer), () => {});
  }

  #present(channel: Channel, frame: any): void {
    if (frame?.version === undefined) return;
    for (const subscription of channel._subscriptions) subscription._emit("presence", presence(frame));
  }

  #outage(): Outage | undefined {
    const host = this.#host;
    if (!host._input(OUTAGE)) return undefined;
    const [cause, confidence, ago, attempt, willRetry, retryIn, socket, code, online, probe, witness] =
      host._outage as [number, number, number, number, number, number, number, number, number, number, number];
    const name = CAUSE[cause]!;
    return {
      cause: name as Cause,
      kind: KINDS[CAUSES.findIndex((group) => group.includes(name))]!,
      confidence: CONFIDENCES[confidence]!,
      evidence: {
        socket: ENDS[socket]!,
        code,
        online: !!online,
        probe: PROBES[probe]!,
        witness: witness < 0 ? null : !!witness,
      },
      willRetry: !!willRetry,
      retryInMs: retryIn < 0 ? null : retryIn,
      attempt,
      since: Date.now() - ago,
    };
  }

  /** Why calls fail after the end. */
  #ended(channel: string): RejoinError {
    const { code, message } = this.#failure ?? {};
    if (code) return new RejoinError(code, message!, false, channel);
    const cause = this.#final!;
    const retryable = cause !== "closed";
    return new RejoinError(cause.replaceAll("-", "_"), `the socket is closed: ${cause}`, retryable, channel);
  }

  #delivered = (slot: number, frame: any): void => {
    const { type, channel, data, offset, from, at, member, user, info } = frame;
    const event = type === "message" ? { channel, data, offset, from, at } : { member, user, info };
    const to = (this.#host._channels[slot] as Channel | undefined)?._subscriptions;
    for (const subscription of [...(to ?? [])]) {
      // A listener before may have ended this one, or all.
      if (to!.has(subscription) && this.#final !== "closed") subscription._emit(type, event as any);
    }
  };

  #told = (what: number, a: number, b: number, c: number, d: number, e: number): void => {
    const { _frame: frame, _channels: channels } = this.#host;
    if (what === Told.State) {
      const cause = c < 0 ? null : (CAUSE[c] as Cause);
      const state = (this.#state = STATES[a]!);
      this.#final = undefined;
      if (cause && state === "closed") this.#end(cause);
      this._emit("state", { state, previous: STATES[b]!, cause });
    } else if (what === Told.Disconnect) {
      const { since, ...disconnect } = this.#outage()!;
      this._emit("disconnect", disconnect);
    } else if (what === Told.Cause) {
      const { cause, kind, confidence, evidence } = this.#outage()!;
      this._emit("cause", { cause, kind, confidence, evidence });
    } else if (what === Told.Reconnect) {
      this._emit("reconnect", { cause: CAUSE[a] as Cause, downtimeMs: c, attempts: b, recovered: d, gaps: e });
    } else if (what === Told.Gap) {
      this._emit("gap", { channel: channels[a]!._name, from: c, to: d < 0 ? null : d, why: WHYS[b] as "expired" });
    } else if (what === Told.Status) {
      this.#status(channels[a] as Channel, STATUSES[b]!, frame);
    } else if (what === Told.Settled) {
      this.#settled(a, b, c, d, frame);
    } else {
      this.#refused(refusal(frame));
    }
  };

  #status(channel: Channel, state: SubscriptionState, frame: any): void {
    const name = channel._name;
    channel._state = state;
    channel._error = state === "unsubscribed" ? closed(name) : undefined;
    if (state === "denied") this.#refused((channel._error = refusal(frame?.error ?? frame, name)));
    for (const subscription of [...channel._subscriptions]) {
      subscription._tell();
      subscription._emit("state", { state });
    }
    if (state === "subscribed" && channel._presence) this.#present(channel, frame);
  }

  #settled(id: number, outcome: number, offset: number, duplicate: number, frame: any): void {
    const requests = this.#host._requests;
    const request = requests.get(id);
    if (!request) return;
    const { _channel, _text, _resolve, _reject } = request;
    requests.delete(id);
    // A publication is told what it became, a request its answer.
    if (outcome === 0) _resolve(_text ? { offset, duplicate: !!duplicate } : frame);
    else if (outcome === 1) _reject(refusal(frame, _channel));
    else if (outcome === 2) _reject(new RejoinError("not_connected", "the connection ended before the answer", true, _channel));
    else _reject(closed(_channel));
  }

  #end(cause: Cause): void {
    this.#final = cause;
    if (this.#started) return;
    // Before the module has loaded nobody else tells them.
    for (const call of this.#waiting.splice(0)) call();
    for (const channel of this.#host._named.values()) this.#status(channel as Channel, "unsubscribed", undefined);
  }
}

type Rule = [ok: (value: unknown) => boolean, must: string];
const natural = (it: unknown) => Number.isSafeInteger(it) && (it as number) >= 0;
const ms: Rule = [(it) => natural(it) && (it as number) > 0 && (it as number) < 2 ** 31, "milliseconds above 0"];
const count: Rule = [(it) => natural(it) && (it as number) < 2 ** 31, "a whole number"];
const object: Rule = [(it) => !!it && typeof it === "object" && !Array.isArray(it), "an object"];
const flag: Rule = [(it) => typeof it === "boolean", "true or false"];
const resolve = (it: unknown) => {
  try {
    if (it && typeof it === "string") return new URL(it, globalThis.location?.href);
  } catch {
    // not a URL
  }
  return undefined;
};
const place: Rule = [(it) => it === false || !!resolve(it)?.protocol.startsWith("http"), "a URL of http or https, or false"];

const OPTIONS: Record<keyof Options, Rule> = {
  token: [(it) => typeof it === "string" || typeof it === "function", "a string or a function"],
  info: object,
  backoff: object,
  connectTimeout: ms,
  probeTimeout: ms,
  health: place,
  witness: place,
  outbox: [(it) => it === "page", '"page"'],
  queue: object,
  WebSocket: [(it) => typeof it === "function", "a constructor"],
};

const check = (what: string, given: object, rules: Record<string, Rule>): void => {
  if (!object[0](given)) throw wrong(`${what} options`, "an object", given);
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) throw new TypeError(`rejoin: ${what} has no option "${name}"; there are ${Object.keys(rules).join(", ")}`);
    if (value !== undefined && !rule[0](value)) throw wrong(`${what} option ${name}`, rule[1], value);
  }
};

/** What the page gave, checked once: a wrong option is a TypeError that names it. */
function read(url: string, options: Options): Pick<Host, "_url" | "_socket" | "_ask" | "_info" | "_health" | "_witness" | "_patience"> {
  check("connect", options, OPTIONS);
  check("connect option backoff:", options.backoff ?? {}, { base: ms, cap: ms });
  check("connect option queue:", options.queue ?? {}, { count, bytes: count });
  const page = globalThis.location;
  const target = resolve(url);
  if (target) target.protocol = target.protocol.replace("http", "ws");
  if (!target || !/^wss?:$/.test(target.protocol) || target.hash) {
    throw wrong("url", "a ws: or wss: URL without #", url);
  }
  const socket = options.WebSocket ?? globalThis.WebSocket;
  if (!socket) {
    throw new RejoinError(
      "no_websocket",
      "rejoin: no WebSocket here: pass one as the option WebSocket (in Node the package `ws`), or run where it is global (browsers, Node 22)",
    );
  }
  const health = new URL("/health", target.href.replace(/^ws/, "http")).href;
  const elsewhere = /^https?:$/.test(page?.protocol ?? "") && page.hostname !== target.hostname;
  return {
    _url: target.href,
    _socket: socket as Host["_socket"],
    _ask: options.token,
    _info: options.info,
    _health: options.health ?? health,
    _witness: options.witness ?? (elsewhere ? page.origin : false),
    _patience: options.probeTimeout ?? 2_000,
  };
}

const explain = (error: unknown): RejoinError => {
  if (error instanceof RejoinError) return error;
  const blocked =
    typeof WebAssembly === "undefined"
      ? "rejoin: there is no WebAssembly here"
      : "rejoin: the browser refused to compile WebAssembly; the page's Content-Security-Policy needs 'wasm-unsafe-eval' in script-src";
  return new RejoinError("wasm_blocked", blocked, false, undefined, error);
};

/** Makes `connect` over a way of loading the core: at once, or by a promise that is loaded once for all sockets. */
export const connector =
  (load: () => Core | Promise<Core>) =>
  (url: string, options: Options = {}): Socket =>
    new Socket(load, url, options);
