// Runs in every page before its first script: what the page does to the network and what goes wrong in it, seen from outside the client.
(() => {
  const now = () => performance.now();
  const spies = { dials: [], probes: [], uncaught: [], violations: [], windows: [], stalls: [] };
  globalThis.spies = spies;

  const Native = globalThis.WebSocket;
  globalThis.WebSocket = class WebSocket extends Native {
    #dial;
    constructor(url, protocols) {
      const dial = { at: now(), url: String(url), openedAt: null, endedAt: null, code: null, sent: [], received: [] };
      spies.dials.push(dial);
      super(url, protocols);
      this.#dial = dial;
      this.addEventListener("open", () => { dial.openedAt = now(); });
      this.addEventListener("close", (event) => { dial.endedAt = now(); dial.code = event.code; });
      this.addEventListener("message", (event) => note(dial.received, event.data));
    }
    send(data) {
      note(this.#dial.sent, data);
      super.send(data);
    }
  };
  // What frames ask and tell, without the payloads: enough to see who subscribed and probed when.
  function note(list, text) {
    let frames;
    try { frames = [JSON.parse(text)].flat(); } catch { frames = [{ type: "not JSON" }]; }
    for (const frame of frames) {
      const { type, channel, id, seq, again } = frame;
      if (type === "message") continue;
      const asked = Array.isArray(frame.channels) ? frame.channels.map((entry) => entry.channel) : undefined;
      list.push({ at: now(), type, channel, id, seq, again, channels: asked });
    }
  }

  const fetch = globalThis.fetch;
  globalThis.fetch = function spied(resource, options) {
    const probe = { at: now(), url: String(resource.url ?? resource), endedAt: null, status: null };
    spies.probes.push(probe);
    return fetch.call(this, resource, options).then(
      (answer) => { probe.endedAt = now(); probe.status = answer.status; return answer; },
      (error) => { probe.endedAt = now(); throw error; },
    );
  };

  addEventListener("error", (event) => spies.uncaught.push(String(event.error?.stack ?? event.message)));
  addEventListener("unhandledrejection", (event) => spies.uncaught.push(`unhandled rejection: ${event.reason?.stack ?? event.reason}`));
  addEventListener("securitypolicyviolation", (event) => spies.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
  for (const name of ["online", "offline"]) addEventListener(name, () => spies.windows.push({ at: now(), event: name }));

  const PERIOD = 20;
  const STALL = 40;
  let last = now();
  setInterval(() => {
    const at = now();
    if (at - last > PERIOD + STALL) spies.stalls.push({ from: last + PERIOD, to: at });
    last = at;
  }, PERIOD);
})();
