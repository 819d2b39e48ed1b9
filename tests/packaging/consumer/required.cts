import rejoin = require("rejoin");

export const socket: rejoin.Socket = rejoin.connect("wss://example.org/ws");
