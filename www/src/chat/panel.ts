// The panel beside the chat: breaks things for real, and shows what the client makes of it.
import type { Socket } from "rejoin";

import { find, make } from "../page.ts";
import type { Command, Stage } from "./stage.ts";

/** Entries kept in the timeline; the oldest give way. */
const TIMELINE_MAX = 100;
/** Milliseconds between looks at the countdown, which has no event of its own. */
const FACTS_EVERY = 200;
/** Milliseconds between looks at the server, which other windows may kill. */
const STAGE_EVERY = 1000;
const COMMANDS: Command[] = ["cut", "restore", "kill", "stop", "start", "reinit"];
const WIDE = matchMedia("(min-width: 900px)");

const SAID: Record<Command, string> = {
  cut: "You cut this window’s network.",
  restore: "You restored this window’s network.",
  kill: "You killed the server (SIGKILL).",
  stop: "You stopped the server politely (SIGTERM).",
  start: "You started the server.",
  reinit: "You re-initialised the application.",
};

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1, hour12: false,
});

export class Panel {
  #stage: Stage;
  #socket: Socket | null = null;
  #panel = find<HTMLDetailsElement>("panel");
  #timeline = find("timeline");
  #note = find("note");
  #busy = false;

  constructor(stage: Stage) {
    this.#stage = stage;
    for (const name of COMMANDS) find(name).addEventListener("click", () => void this.#command(name));
    // Beside the chat it is always open; on a phone it opens on demand.
    const fit = () => { this.#panel.open = WIDE.matches; };
    WIDE.addEventListener("change", fit);
    fit();
    this.#drawStage();
    this.#drawFacts();
  }

  watch(socket: Socket): void {
    this.#socket = socket;
    this.#enter("connecting", "A window was opened.");
    socket.on("state", ({ state, previous }) => this.#enter(state, `state: ${previous} → ${state}`));
    socket.on("disconnect", ({ cause, kind, confidence }) => this.#enter("lost", `disconnect: ${cause} (${kind}, ${confidence})`));
    socket.on("cause", ({ cause, kind, confidence }) => this.#enter("cause", `cause made precise: ${cause} (${kind}, ${confidence})`));
    socket.on("reconnect", ({ downtimeMs, attempts, recovered, gaps }) => this.#enter("back",
      `reconnect: away ${(downtimeMs / 1000).toFixed(1)} s, ${plural(attempts, "attempt")}, ${plural(recovered, "message")} recovered, ${plural(gaps, "gap")}`));
    socket.on("gap", ({ channel, from, to, why }) => this.#enter("gap", `gap: ${channel} ${from}–${to ?? "?"} (${why})`));
    socket.on("error", ({ code, message }) => this.#enter("lost", `error: ${code}: ${message}`));
    setInterval(() => this.#drawFacts(), FACTS_EVERY);
    if (this.#stage.missing === null) {
      this.#note.textContent = "";
      setInterval(() => void this.#refresh(), STAGE_EVERY);
    }
    this.#drawStage();
    this.#drawFacts();
  }

  async #command(name: Command): Promise<void> {
    if (find(name).getAttribute("aria-disabled") === "true") return;
    this.#busy = true;
    this.#enter("command", SAID[name]);
    this.#drawStage();
    try {
      await this.#stage.command(name);
      this.#note.textContent = "";
    } catch (error) {
      this.#note.textContent = (error as Error).message;
    }
    this.#busy = false;
    this.#drawStage();
  }

  async #refresh(): Promise<void> {
    if (this.#busy || document.hidden) return;
    await this.#stage.refresh().then(() => {}, (error: Error) => { this.#note.textContent = error.message; });
    this.#drawStage();
  }

  #drawStage(): void {
    const { missing, state } = this.#stage;
    find("stage").hidden = missing !== null;
    if (missing !== null) {
      this.#note.textContent = missing;
      return;
    }
    if (!state) return;
    const running = state.server.state === "running";
    find("network-now").textContent = state.window?.cut ? "cut" : "whole";
    find("server-now").textContent = running ? `running, process ${state.server.pid}` : state.server.state;
    const idle: Record<Command, boolean> = {
      cut: !state.window?.cut, restore: !!state.window?.cut, kill: running, stop: running, start: !running, reinit: running,
    };
    // Not `disabled`, which would throw the keyboard's focus away with each press.
    for (const name of COMMANDS) find(name).setAttribute("aria-disabled", String(this.#busy || !idle[name]));
  }

  #drawFacts(): void {
    const socket = this.#socket;
    const outage = socket?.outage;
    const word = find("panel-state");
    word.dataset.state = socket?.state ?? "none";
    word.textContent = socket ? outage?.cause ?? socket.state : "not joined";
    const facts: [string, string][] = [
      ["State", socket?.state ?? "not joined"],
      ["Cause", outage ? `${outage.cause} · ${outage.confidence}` : "none"],
      ["Kind", outage?.kind ?? "none"],
      ["Evidence", outage ? Object.entries(outage.evidence).filter(([, value]) => value !== null).map(([key, value]) => `${key} ${value}`).join(" · ") : "none"],
      ["Attempts", outage ? String(outage.attempt) : "none"],
      ["Next", !outage ? "none" : !outage.willRetry ? "never by itself" : outage.retryInMs === null ? "under way" : `in ${(outage.retryInMs / 1000).toFixed(1)} s`],
      ["Waiting", socket ? plural(socket.pending, "message") : "none"],
    ];
    const list = find("facts");
    if (list.childElementCount === 0) list.append(...facts.flatMap(([name]) => [make("dt", "", name), make("dd")]));
    facts.forEach(([, value], at) => {
      const cell = list.children[2 * at + 1]!;
      if (cell.textContent !== value) cell.textContent = value;
    });
  }

  /** Newest first. */
  #enter(className: string, text: string): void {
    const now = new Date();
    const time = make("time", "", clock.format(now));
    time.dateTime = now.toISOString();
    this.#timeline.prepend(make("li", className, time, make("span", "", text)));
    while (this.#timeline.childElementCount > TIMELINE_MAX) this.#timeline.lastElementChild!.remove();
  }
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
