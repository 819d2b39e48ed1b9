import { connect } from "rejoin";
import "rejoin/status";
import { roundTrip } from "./round_trip.js";

const url = new URLSearchParams(location.search).get("url");
const socket = connect(url);
document.querySelector("rejoin-status").socket = socket;
const { state } = await new Promise((resolve) => socket.on("state", resolve));
socket.close();
const defined = customElements.get("rejoin-status") !== undefined;
globalThis.result = { ...(await roundTrip(connect, url)), state, defined };
