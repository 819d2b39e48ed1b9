import { connect } from "./node_modules/rejoin/dist/index.js";
import { roundTrip } from "./round_trip.js";

globalThis.result = await roundTrip(connect, new URLSearchParams(location.search).get("url"));
