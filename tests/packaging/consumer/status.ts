import { connect } from "rejoin";
import "rejoin/status";

document.querySelector("rejoin-status")!.socket = connect("wss://example.org/ws");
