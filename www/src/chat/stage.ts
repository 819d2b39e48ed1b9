// The demo's control as a page sees it: a cable of this window's own, and commands for the server. Without the demo there is none.

/** Milliseconds for a command, a polite stop of the server included. */
const COMMAND_TIMEOUT = 15_000;
const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

export type Command = "cut" | "restore" | "kill" | "stop" | "start" | "reinit";

/** What the control tells with each answer. */
export interface StageState {
  server: { state: "running" | "stopped" | "killed" | "crashed"; pid: number | null };
  window?: { id: string; port: number; cut: boolean };
}

export class Stage {
  /** Why there are no buttons, in one sentence; null when there are. */
  missing: string | null = "The buttons appear when you have joined.";
  state: StageState | null = null;
  #control: string | null = null;
  #window: string | null = null;

  /** The WebSocket address of this window's cable, or null when the page runs without the demo. */
  async openWindow(): Promise<string | null> {
    try {
      const response = await fetch("/demo.json", { cache: "no-store" });
      const { control } = response.ok ? await response.json() : {};
      if (typeof control !== "string") {
        this.missing = "Started without the demo, so there is nothing to break it with. Run “npm start” in the repository.";
        return null;
      }
      if (!LOOPBACK.test(location.hostname)) {
        this.missing = "These buttons kill processes, so they work only in a browser on the machine that runs the demo.";
        return null;
      }
      this.#control = control;
      const { window } = await this.#post("/windows");
      if (!window) return null;
      this.#window = window.id;
      this.missing = null;
      return `ws://127.0.0.1:${window.port}/ws`;
    } catch {
      this.missing = "The demo’s control does not answer. Run “npm start” again.";
      return null;
    }
  }

  /** Carries out a command; rejects with a sentence for a person. */
  command(name: Command): Promise<StageState> {
    return this.#post(name === "cut" || name === "restore" ? `/windows/${this.#window}/${name}` : `/server/${name}`);
  }

  /** Asks how things are: another window may have killed the server. */
  refresh(): Promise<StageState> {
    return this.#post(`/windows/${this.#window}`);
  }

  async #post(path: string): Promise<StageState> {
    const response = await fetch(this.#control + path, {
      method: "POST",
      headers: { "x-rejoin-demo": "1" },
      signal: AbortSignal.timeout(COMMAND_TIMEOUT),
    }).catch(() => { throw new Error("The demo has ended: its control does not answer."); });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    this.state = { ...this.state, ...answer };
    return this.state!;
  }
}
