// The chat: who you are, then one socket, one subscription, and the parts that draw them.
import { connect } from "rejoin";
import type { Socket } from "rejoin";
import "rejoin/status";

import { find, keep, recall, socketUrl } from "../page.ts";
import { Composer } from "./composer.ts";
import { Log } from "./log.ts";
import { Members } from "./members.ts";
import { Panel } from "./panel.ts";
import { Stage } from "./stage.ts";

const CHANNEL = "chat";
/** Messages of before one's own arrival that are shown. */
const REWIND = 50;
const NAME_MAX = 40;
const NAME_KEY = "rejoin-chat-name";

const door = find<HTMLFormElement>("door");
const nameField = find<HTMLInputElement>("name");
const failure = find("failure");
const banner = find<HTMLElementTagNameMap["rejoin-status"]>("status");
const stage = new Stage();
const panel = new Panel(stage);

// A name is a window's own, so that two windows can be two people; a new window offers the last one.
const known = recall("sessionStorage", NAME_KEY);
nameField.value = known ?? recall("localStorage", NAME_KEY) ?? "";
if (known) void enter(known);
else nameField.focus();

door.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = nameField.value.trim().slice(0, NAME_MAX);
  nameField.setCustomValidity(name ? "" : "Please write a name.");
  if (door.reportValidity()) void enter(name);
});
nameField.addEventListener("input", () => nameField.setCustomValidity(""));

async function enter(name: string): Promise<void> {
  keep("sessionStorage", NAME_KEY, name);
  keep("localStorage", NAME_KEY, name);
  door.hidden = true;
  find("room").hidden = false;
  const cable = await stage.openWindow();
  let socket: Socket;
  try {
    socket = connect(cable ?? socketUrl(), {
      info: { name },
      // Behind the demo's cable this page's own origin is the same server by another way, so it proves nothing about the uplink;
      // and who has just pressed Restore should not have to sit out half a minute.
      ...(cable && { witness: false as const, backoff: { cap: 5000 } }),
    });
  } catch (error) {
    door.hidden = false;
    find("room").hidden = true;
    failure.textContent = `The chat cannot connect: ${error instanceof Error ? error.message : error}`;
    failure.hidden = false;
    return;
  }
  open(socket, name);
}

function open(socket: Socket, name: string): void {
  const log = new Log(socket);
  const chat = socket.subscribe(CHANNEL, (message) => log.receive(message), { presence: true, from: { rewind: REWIND } });
  new Members(socket, chat, (line) => log.note(line));
  const composer = new Composer((text) => log.send({ name, text }));
  banner.socket = socket;
  panel.watch(socket);

  chat.ready.then(
    () => log.welcome(`Welcome, ${name}. You are in the chat.`),
    (error) => log.fail(`The chat could not be joined: ${error.message}`),
  );
  const draw = () => {
    const word = find("state");
    word.hidden = false;
    word.textContent = word.dataset.state = socket.state;
    log.handleState(socket.state);
  };
  socket.on("state", draw);
  socket.on("gap", ({ channel, from, to }) => {
    if (channel === CHANNEL) log.note(describeGap(from, to), "gap");
  });
  // Renewed in milliseconds, so no banner was shown, and rightly; but who re-initialised the application likes to see that it happened.
  socket.on("reconnect", ({ cause }) => {
    if (cause === "reinit") log.note("The application was re-initialised; this window has rejoined.");
  });
  draw();
  composer.focus();
}

function describeGap(from: number, to: number | null): string {
  if (to === null) return "Messages of before this point may be missing; the server no longer has them.";
  const count = to - from + 1;
  return count === 1 ? "One message could not be recovered." : `${count} messages could not be recovered.`;
}
