// The page under test: makes sockets with the built package and writes down, in order and by the page's own clock, all that they tell.
//
// `?sockets=[{name, url, options, channels, banner}]` connects while the page loads, as an application would;
// otherwise the test calls `recorder` when it wants to.
import { connect } from "/rejoin/index.js";

const EVENTS = ["disconnect", "reconnect", "state", "cause", "gap", "error"];

/** A value as it can leave the page. */
const plain = (value) => JSON.parse(JSON.stringify(value ?? null, (_, part) => {
  if (typeof part === "function") return "function";
  return part === undefined ? null : part;
}));

/** An error as the API promises it: a class, a code, whether another try can help. */
const described = (error) => ({
  name: error?.name, isError: error instanceof Error, message: String(error?.message ?? error),
  code: error?.code ?? null, retryable: error?.retryable ?? null, cause: plain(error?.cause), channel: error?.channel ?? null,
});

/** One socket and the log of everything about it: entries `{at, event, state, cause, detail}`. */
class Recording {
  log = [];
  watchers = new Set();
  subscriptions = new Map();

  constructor(url, options) {
    this.socket = connect(url, options);
    this.add("created", {});
    for (const name of EVENTS) this.socket.on(name, (detail) => this.add(name, detail));
  }

  add(event, detail) {
    const { state, cause } = this.socket;
    const entry = { at: performance.now(), event, state, cause, detail: plain(detail) };
    this.log.push(entry);
    for (const look of this.watchers) look(entry);
  }

  /** `key` names this listener in the log; several may listen to one channel. */
  subscribe(channel, { key = channel, options, throws = false } = {}) {
    const subscription = this.socket.subscribe(channel, (message) => {
      this.add("message", { key, ...message });
      if (throws) throw new Error(`listener ${key} throws`);
    }, options);
    this.subscriptions.set(key, subscription);
    for (const name of ["join", "leave", "presence", "state"]) {
      subscription.on(name, (detail) => this.add(`${name} of subscription`, { key, channel, value: plain(detail) }));
    }
    subscription.ready.then(
      () => this.add("ready", { key, channel }),
      (error) => this.add("not ready", { key, channel, error: described(error) }),
    );
  }

  unsubscribe(key) {
    this.add("unsubscribe", { key, channel: this.subscriptions.get(key).channel });
    this.subscriptions.get(key).unsubscribe();
  }

  /** The promise's end goes into the log as `published` or `rejected`, under `key`. */
  publish(channel, data, { key = JSON.stringify(data), options } = {}) {
    this.add("publish", { key, channel });
    this.socket.publish(channel, data, options).then(
      (accepted) => this.add("published", { key, channel, ...accepted }),
      (error) => this.add("rejected", { key, channel, ...described(error) }),
    );
  }

  /** Resolves with the first entry at or after `from` that has this event and every field of `match` in its detail. */
  until({ event, match = {}, from = 0 }) {
    const fits = (entry) => entry.at >= from && entry.event === event && contains(entry.detail, match);
    const found = this.log.find(fits);
    if (found) return found;
    return new Promise((resolve) => {
      const look = (entry) => {
        if (!fits(entry)) return;
        this.watchers.delete(look);
        resolve(entry);
      };
      this.watchers.add(look);
    });
  }
}

function contains(detail, match) {
  return Object.entries(match).every(([name, value]) => (
    value !== null && typeof value === "object" ? contains(detail?.[name] ?? {}, value) : detail?.[name] === value
  ));
}

/** Writes down what a person sees of a `<rejoin-status>`, once per change, looked at before every painted frame. */
class BannerRecording {
  log = [];
  #last = "";

  constructor(element) {
    this.element = element;
    const look = () => {
      this.look();
      requestAnimationFrame(look);
    };
    look();
  }

  look() {
    const { element } = this;
    const box = element.getBoundingClientRect();
    const inside = [...element.shadowRoot?.querySelectorAll("*") ?? []];
    const shown = [element, ...inside].some((part) => {
      const { width, height } = part.getBoundingClientRect();
      return part.localName !== "style" && width * height > 0 && part.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    });
    const text = textOf(element.shadowRoot ?? element);
    const seen = {
      shown, role: element.getAttribute("role"), state: element.dataset.state ?? null, kind: element.dataset.kind ?? null,
      cause: element.dataset.cause ?? null, text: shown ? text : "",
      buttons: shown ? inside.concat([...element.children]).filter((part) => part.localName === "button" && part.checkVisibility()).map((part) => part.textContent.trim()) : [],
    };
    const key = JSON.stringify({ ...seen, box: undefined });
    if (key === this.#last) return;
    this.#last = key;
    this.log.push({ at: performance.now(), height: box.height, ...seen });
  }
}

function textOf(root) {
  const parts = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) parts.push(node.data);
    else if (node.localName !== "style" && (node.nodeType !== Node.ELEMENT_NODE || node.checkVisibility())) node.childNodes.forEach(walk);
  };
  root.childNodes.forEach(walk);
  return parts.join(" ").replace(/\s+/g, " ").trim();
}

const recordings = new Map();
const banners = new Map();

const recorder = {
  connect(name, url, options) {
    recordings.set(name, new Recording(url, options));
  },
  get: (name) => recordings.get(name),
  logs: () => Object.fromEntries([...recordings].map(([name, { log }]) => [name, log])),
  /** Adds a `<rejoin-status>` for the socket `name` to the page. */
  async banner(name, prepare) {
    await import("/rejoin/status.js");
    const element = document.createElement("rejoin-status");
    prepare?.(element);
    document.body.append(element);
    element.socket = recordings.get(name).socket;
    banners.set(name, new BannerRecording(element));
  },
  bannerOf: (name) => banners.get(name),
  described,
  plain,
};
globalThis.recorder = recorder;

for (const { name, url, options, channels = [], banner = false } of JSON.parse(new URLSearchParams(location.search).get("sockets") ?? "[]")) {
  recorder.connect(name, url, options);
  for (const channel of channels) recorder.get(name).subscribe(channel);
  if (banner) await recorder.banner(name);
}
recorder.loadedAt = performance.now();
