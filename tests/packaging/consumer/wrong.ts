import { connect } from "rejoin";

const socket = connect("wss://example.org/ws", { backof: {} });
socket.on("disconnected", () => {});
socket.on("disconnect", ({ reason }) => reason);
socket.publish("chat");
socket.state = "connected";
