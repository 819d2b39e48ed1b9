//! What `js/bridge.js` does for the driver: it reads and writes frames and keeps names, payloads and epochs, so that
//! only numbers cross the border. Every function is one small import; bytes are counted here.

use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

/// What bridge.js is to do, in the order of `ORDERS` there. First what the session asks for, in the order of its `Output`,
/// so that the compiler turns one number into the other; where the driver itself does that, what it asks for in doing so.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Order {
    FetchToken,
    Rejoining,
    Filled,
    Hello,
    Subscribe,
    Unsubscribe,
    Publish,
    Settled,
    History,
    Subscriptions,
    Ping,
    Pong,
    Bye,
    Probe,
    Witness,
    Release,
    Discard,
    Forget,
    Repair,
    // What the page is told.
    State,
    Disconnect,
    Cause,
    Reconnect,
    Gap,
    Status,
}

#[wasm_bindgen(module = "/js/bridge.js")]
extern "C" {
    /// Wall-clock milliseconds that never run backwards and do not stand still while the machine sleeps.
    pub(crate) fn clock() -> f64;
    /// A further number of the input under way; NaN when there is none.
    pub(crate) fn more(at: i32) -> f64;
    /// Does what an [`Order`] says, for one client.
    pub(crate) fn perform(client: i32, order: i32, a: i32, b: i32, c: f64, d: f64, e: f64);
    /// What is known of an outage, kept by bridge.js until the page has read it; in the order of `Facts` there.
    #[allow(
        clippy::too_many_arguments,
        reason = "numbers cross the border cheaper than an object"
    )]
    pub(crate) fn learn(
        client: i32,
        cause: i32,
        confidence: i32,
        ago: f64,
        attempts: i32,
        will_retry: i32,
        retry_in: f64,
        socket: i32,
        code: i32,
        online: i32,
        probe: i32,
        witness: i32,
    );
    /// A new socket, kept as the one to send on. One that the browser refuses to make is told to the page as an error,
    /// and is a socket that closes at once.
    pub(crate) fn construct(client: i32, socket: i32) -> WebSocket;
    /// A listener that hands every event of a socket to the client.
    pub(crate) fn listener(client: i32, socket: i32) -> Function;
}
