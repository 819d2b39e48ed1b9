// What must hold in every scenario, whatever else it is about: read from a page's logs when the scenario is over.
import assert from "node:assert/strict";

const STATES = ["connecting", "connected", "reconnecting", "closed"];
const KINDS = {
  network: ["offline", "silent", "lost"],
  server: ["unreachable", "restart", "overload", "error"],
  application: ["reinit", "not-ready", "forced"],
  credentials: ["required", "expired", "denied"],
  policy: ["kicked", "replaced", "too-slow", "too-large", "protocol"],
  page: ["frozen", "page-cache", "slept"],
  blocked: ["blocked"],
  closed: ["closed"],
};

/** No uncaught error, nothing unexpected on the console, and per socket the three promises below. */
export async function assertInvariants(page) {
  const { spies, logs } = await page.evaluate(() => ({ spies: globalThis.spies, logs: globalThis.recorder.logs() }));
  const unexpected = (text) => !page.expectedErrors.some((pattern) => pattern.test(text));
  assert.deepEqual([...page.uncaught, ...spies.uncaught].filter(unexpected), [], "uncaught errors");
  assert.deepEqual(page.consoleErrors.filter(unexpected), [], "errors on the console");
  for (const [name, log] of Object.entries(logs)) {
    assertTransitions(log, name);
    assertOutages(log, name);
    assertContinuity(log, name);
  }
}

/** Every `state` event is a transition from the state before it, and agrees with the property. */
function assertTransitions(log, name) {
  let state = log[0].state;
  for (const { event, detail, state: property } of log) {
    assert.ok(STATES.includes(property), `${name}: state is ${property}`);
    if (event !== "state") continue;
    assert.equal(detail.previous, state, `${name}: a state event's previous`);
    assert.notEqual(detail.state, state, `${name}: a state event without a transition`);
    state = detail.state;
  }
}

/** `disconnect` and `reconnect` come in turn, complete, and a cause keeps to its kind. */
function assertOutages(log, name) {
  let away = false;
  for (const { event, detail } of log) {
    if (event === "disconnect") {
      assert.ok(!away, `${name}: two disconnects in one outage`);
      away = true;
      assert.equal(typeof detail.willRetry, "boolean", `${name}: disconnect.willRetry`);
      assert.ok(detail.willRetry ? Number.isFinite(detail.retryInMs) && detail.retryInMs >= 0 : detail.retryInMs === null,
        `${name}: disconnect.retryInMs is ${detail.retryInMs} with willRetry ${detail.willRetry}`);
      assert.ok(Number.isInteger(detail.attempt) && detail.attempt >= 0, `${name}: disconnect.attempt is ${detail.attempt}`);
    }
    if (event === "disconnect" || event === "cause") {
      assert.ok(away, `${name}: ${event} ${detail.cause} outside an outage`);
      assert.ok(KINDS[detail.kind]?.includes(detail.cause), `${name}: cause ${detail.cause} of kind ${detail.kind}`);
      assert.ok(["certain", "likely", "guess"].includes(detail.confidence), `${name}: confidence ${detail.confidence}`);
      assert.ok(detail.evidence !== null && typeof detail.evidence === "object" && Object.keys(detail.evidence).length > 0, `${name}: evidence ${JSON.stringify(detail.evidence)}`);
    }
    if (event === "reconnect") {
      assert.ok(away, `${name}: reconnect without a disconnect`);
      away = false;
      assert.ok(detail.downtimeMs > 0, `${name}: reconnect.downtimeMs is ${detail.downtimeMs}`);
      assert.ok(Number.isInteger(detail.attempts) && detail.attempts >= 1, `${name}: reconnect.attempts is ${detail.attempts}`);
      assert.ok(Number.isInteger(detail.recovered) && detail.recovered >= 0, `${name}: reconnect.recovered is ${detail.recovered}`);
    }
  }
}

/**
 * Per listener, each message's offset is the successor of the one before it, or a `gap` before it says exactly what is missing.
 *
 * Stronger than "increasing and no repeats": nothing may be lost in silence either.
 */
function assertContinuity(log, name) {
  const expected = new Map(); // listener → the next offset, or null when a gap made it unknowable
  const channels = new Map(); // listener → channel
  for (const { event, detail } of log) {
    if (event === "message") {
      const next = expected.get(detail.key) ?? null;
      if (next !== null) assert.equal(detail.offset, next, `${name}: offset on ${detail.key}`);
      expected.set(detail.key, detail.offset + 1);
      channels.set(detail.key, detail.channel);
    }
    if (event === "gap") {
      assert.equal(typeof detail.why, "string", `${name}: gap.why`);
      for (const [key, channel] of channels) {
        const next = expected.get(key);
        if (channel !== detail.channel) continue;
        if (next !== null) assert.equal(detail.from, next, `${name}: gap.from on ${key}`);
        if (detail.to !== null) assert.ok(detail.to >= detail.from, `${name}: gap ${detail.from}–${detail.to}`);
        expected.set(key, detail.to === null ? null : detail.to + 1);
      }
    }
    if (event === "unsubscribe") {
      expected.delete(detail.key);
      channels.delete(detail.key);
    }
  }
}
