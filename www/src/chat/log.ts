// The messages: those that the server has accepted, in its order, and below them those of this window that it has not.
import type { Message, Socket } from "rejoin";

import { find, keep, make, recall } from "../page.ts";

const CHANNEL = "chat";
/** Lines kept in the page; the oldest give way. */
const LINES_MAX = 500;
/** Own messages remembered so that one is not shown twice, as accepted and as received. */
const OWN_MAX = 200;
/** Reloads of this window whose messages are still known as its own. */
const SELVES_MAX = 20;
const SELVES_KEY = "rejoin-chat-members";
/** Distance from the end, in CSS pixels, at which the reader still counts as being at the end. */
const END_SLACK = 48;
const NAME_MAX = 40;
const TEXT_MAX = 2000;

export interface Draft { name: string; text: string }
interface Content extends Draft { id: string }

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Log {
  #socket: Socket;
  #box = find("log");
  #lines = find("lines");
  #waiting = find("waiting");
  #blank = find("blank");
  #toEnd = find<HTMLButtonElement>("to-end");
  /** Own messages by id: their element while they wait, null once they stand among the lines. */
  #own = new Map<string, HTMLElement | null>();
  #welcome: { line: HTMLElement; at: number } | null = null;
  #following = true;
  /** The members that this window has been: each load of the page is another one. */
  #selves = new Set((recall("sessionStorage", SELVES_KEY) ?? "").split(" ").filter(Boolean));

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#box.addEventListener("scroll", () => {
      this.#following = this.#isAtEnd();
      if (this.#following) this.#toEnd.hidden = true;
    });
    // Whatever takes or gives room (the banner, a keyboard, the panel) leaves a reader at the end there.
    new ResizeObserver(() => this.#follow()).observe(this.#box);
    this.#toEnd.addEventListener("click", () => this.#goToEnd());
  }

  /** A publication from the channel; whatever is not a chat message is not shown. */
  receive({ data, from, at = Date.now() }: Message): void {
    const content = read(data);
    if (!content) return;
    const own = from !== undefined && (from === this.#socket.member || this.#selves.has(from));
    const waiting = own ? this.#own.get(content.id) : undefined;
    if (waiting === null) return; // it was accepted, and already stands there
    waiting?.remove();
    if (own) this.#settle(content.id);
    this.#add(messageLine(content, at, own), this.#welcome && at < this.#welcome.at ? this.#welcome.line : null);
  }

  /** Publishes and shows it as waiting until the server has accepted it; on failure the text stays, to be sent again. */
  send({ name, text }: Draft): void {
    const content: Content = { id: newId(), name, text };
    const line = messageLine(content, Date.now(), true);
    const fate = line.querySelector(".fate")!;
    this.#own.set(content.id, line);
    this.#waiting.append(line);
    this.#showBlank(null);
    this.#goToEnd();

    const attempt = () => {
      line.dataset.fate = "waiting";
      fate.textContent = this.#socket.state === "connected" ? "sending…" : "waits for the connection";
      this.#socket.publish(CHANNEL, content).then(() => this.#handleAccepted(content.id), (error) => {
        line.dataset.fate = "failed";
        const again = make("button", "link", "Send again");
        const discard = make("button", "link", "Discard");
        again.type = discard.type = "button";
        again.addEventListener("click", attempt);
        discard.addEventListener("click", () => { line.remove(); this.#own.delete(content.id); });
        fate.replaceChildren(`Not sent: ${error.message} `, again, " ", discard);
        this.#follow();
      });
    };
    attempt();
  }

  /** A line about the chat itself. */
  note(text: string, className = ""): void {
    this.#add(make("li", `note ${className}`, text));
  }

  /** The one line of welcome; messages of before it go above it. */
  welcome(text: string): void {
    const line = make("li", "note welcome", text);
    this.#add(line);
    this.#welcome = { line, at: Date.now() };
    this.#showBlank("No messages yet. Write the first one.");
  }

  fail(text: string): void {
    this.#showBlank(text);
  }

  handleState(state: Socket["state"]): void {
    if (this.#socket.member) this.#keepSelf(this.#socket.member);
    if (this.#welcome) {
      for (const line of this.#waiting.querySelectorAll<HTMLElement>("[data-fate=waiting] .fate")) {
        line.textContent = state === "connected" ? "sending…" : "waits for the connection";
      }
      return;
    }
    this.#showBlank(state === "closed" ? "The connection has ended." : state === "connected" ? "Joining the chat…" : "Connecting…");
  }

  #keepSelf(member: string): void {
    if (this.#selves.has(member)) return;
    this.#selves.add(member);
    keep("sessionStorage", SELVES_KEY, [...this.#selves].slice(-SELVES_MAX).join(" "));
  }

  #handleAccepted(id: string): void {
    const line = this.#own.get(id);
    if (!line) return; // received before it was acknowledged, or discarded
    this.#settle(id);
    delete line.dataset.fate;
    line.querySelector(".fate")!.textContent = "";
    this.#add(line);
  }

  #settle(id: string): void {
    this.#own.set(id, null);
    for (const [old, line] of this.#own) {
      if (this.#own.size <= OWN_MAX) break;
      if (line === null) this.#own.delete(old);
    }
  }

  #add(line: HTMLElement, before: Node | null = null): void {
    this.#lines.insertBefore(line, before);
    while (this.#lines.childElementCount > LINES_MAX) this.#lines.firstElementChild!.remove();
    const previous = line.previousElementSibling as HTMLElement | null;
    line.classList.toggle("follows", line.dataset.author !== undefined && previous?.dataset.author === line.dataset.author);
    if (line.dataset.author !== undefined) this.#showBlank(null);
    if (this.#following) this.#follow();
    else this.#toEnd.hidden = false;
  }

  /** What stands where messages would; null once there are some. */
  #showBlank(text: string | null): void {
    const empty = text !== null && !this.#box.querySelector("[data-author]");
    this.#blank.hidden = !empty;
    if (empty) this.#blank.textContent = text;
  }

  #isAtEnd(): boolean {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < END_SLACK;
  }

  #follow(): void {
    if (this.#following) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #goToEnd(): void {
    this.#following = true;
    this.#toEnd.hidden = true;
    this.#follow();
  }
}

/** Anyone may publish anything on a channel: only the shape of a chat message passes, cut to size. */
function read(data: unknown): Content | null {
  if (typeof data !== "object" || data === null) return null;
  const { id, name, text } = data as Record<string, unknown>;
  if (typeof name !== "string" || typeof text !== "string" || !text.trim()) return null;
  return { id: typeof id === "string" ? id : "", name: name.slice(0, NAME_MAX) || "Somebody", text: text.slice(0, TEXT_MAX) };
}

function messageLine({ name, text }: Draft, at: number, own: boolean): HTMLElement {
  const date = new Date(at);
  const time = make("time", "", clock.format(date));
  time.dateTime = date.toISOString();
  const line = make("li", own ? "message own" : "message",
    make("span", "author", own ? "You" : name),
    make("span", "text", text),
    make("span", "meta", time, make("span", "fate")),
  );
  line.dataset.author = own ? "\u0000" : name;
  return line;
}

/** `crypto.randomUUID` exists in secure contexts only, and a demo on a local network is none. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
