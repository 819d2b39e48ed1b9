// Who is in the chat. A member that is missing after a rejoin may be on the way back too, so it is only said to have left after a while.
import type { Member, Presence, Socket, Subscription } from "rejoin";

import { find, make } from "../page.ts";

/** Milliseconds that a member may be missing after this window's own outage before it is said to have left. */
const RETURN_GRACE = 20_000;
/** Members named in the list; the others are counted. */
const NAMES_MAX = 50;

export class Members {
  #socket: Socket;
  #note: (line: string) => void;
  #byId = new Map<string, Member>();
  #missing = new Map<string, ReturnType<typeof setTimeout>>();
  /** Above some hundred members the server counts and names nobody. */
  #count = 0;
  #known = false;

  constructor(socket: Socket, chat: Subscription, note: (line: string) => void) {
    this.#socket = socket;
    this.#note = note;
    chat.on("presence", (presence) => this.#handleSnapshot(presence));
    chat.on("join", (member) => this.#handleJoin(member));
    chat.on("leave", (member) => this.#handleLeave(member));
  }

  #handleSnapshot({ count, members }: Presence): void {
    this.#count = count;
    const now = new Map((members ?? []).map((member) => [member.member, member]));
    if (this.#known && members) {
      for (const member of now.values()) this.#arrive(member);
      for (const id of this.#byId.keys()) if (!now.has(id)) this.#miss(id);
    }
    this.#byId = now;
    this.#known = true;
    this.#draw();
  }

  #handleJoin(member: Member): void {
    this.#count += 1;
    this.#arrive(member);
    this.#byId.set(member.member, member);
    this.#draw();
  }

  #handleLeave(member: Member): void {
    this.#count -= 1;
    this.#byId.delete(member.member);
    this.#note(`${nameOf(member)} left`);
    this.#draw();
  }

  #arrive(member: Member): void {
    const missed = this.#missing.get(member.member);
    clearTimeout(missed);
    this.#missing.delete(member.member);
    const isNews = missed === undefined && !this.#byId.has(member.member) && member.member !== this.#socket.member;
    if (isNews) this.#note(`${nameOf(member)} joined`);
  }

  #miss(id: string): void {
    const member = this.#byId.get(id);
    if (!member || this.#missing.has(id)) return;
    this.#missing.set(id, setTimeout(() => {
      this.#missing.delete(id);
      this.#note(`${nameOf(member)} left`);
    }, RETURN_GRACE));
  }

  #draw(): void {
    find("members").hidden = false;
    find("members-summary").textContent = this.#count === 1 ? "Only you" : `${this.#count} people`;
    const names = [...this.#byId.values()].slice(0, NAMES_MAX)
      .map((member) => make("li", "", member.member === this.#socket.member ? `${nameOf(member)} (you)` : nameOf(member)));
    if (this.#count > names.length) names.push(make("li", "", `and ${this.#count - names.length} more`));
    find("members-list").replaceChildren(...names);
  }
}

function nameOf({ info }: Member): string {
  const name = (info as { name?: unknown } | null)?.name;
  return typeof name === "string" && name.trim() ? name.slice(0, 40) : "Somebody";
}
