// The front page: a real connection to the server that sent it, and a wire that is drawn from its state.
import { connect } from "rejoin";
import "rejoin/status";

import { find, socketUrl } from "./page.ts";

const CHANNEL = "pulse";
/** Pulses drawn at a time; more are counted and not drawn. */
const PULSES_MAX = 12;

const state = find("state");
const wire = find("wire");
const text = find("live-text");
const pulses = find("pulses");
const pulseButton = find<HTMLButtonElement>("pulse");
const pulseText = find("pulse-text");

const socket = connect(socketUrl());
find<HTMLElementTagNameMap["rejoin-status"]>("status").socket = socket;

let windows = 0;
const here = socket.subscribe(CHANNEL, (message) => drawPulse(message.from === socket.member), { presence: true });
here.on("presence", ({ count }) => { windows = count; draw(); });
here.on("join", () => { windows += 1; draw(); });
here.on("leave", () => { windows -= 1; draw(); });
for (const event of ["state", "cause", "reconnect"] as const) socket.on(event, draw);
draw();

pulseButton.addEventListener("click", async () => {
  const sent = performance.now();
  pulseText.textContent = socket.state === "connected" ? "" : "Kept, and sent as soon as the connection is back.";
  try {
    await socket.publish(CHANNEL, {});
    pulseText.textContent = `Accepted by the server after ${Math.max(1, Math.round(performance.now() - sent))} ms.`;
  } catch (error) {
    pulseText.textContent = `Not sent: ${error instanceof Error ? error.message : error}`;
  }
});

function draw(): void {
  state.textContent = state.dataset.state = wire.dataset.state = socket.state;
  text.textContent = describe();
}

function describe(): string {
  switch (socket.state) {
    case "connecting":
      return "Opening a real connection to the server that sent you this page.";
    case "connected":
      return windows > 1
        ? `A real connection, shared by ${windows} windows that show this page. Send a pulse and look at the others.`
        : "A real connection to the server that sent you this page. Open it in a second window, then send a pulse.";
    case "reconnecting":
      return `The connection was lost. Cause as far as known: ${socket.outage?.cause ?? "none"} (${socket.outage?.confidence ?? "guess"}). Rejoin tries again by itself.`;
    case "closed":
      return `The connection has ended: ${socket.cause}.`;
  }
}

function drawPulse(own: boolean): void {
  if (pulses.childElementCount >= PULSES_MAX || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const pulse = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  pulse.setAttribute("class", own ? "pulse" : "pulse inward");
  pulse.setAttribute("r", "8");
  pulse.addEventListener("animationend", () => pulse.remove());
  pulses.append(pulse);
}
