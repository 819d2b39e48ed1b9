//! The functions under the npm package: they convert values and decide nothing. A client is a number.

use rejoin_session::{Backoff, Config, OutboxLimits};
use wasm_bindgen::prelude::*;

use crate::driver::{Client, client};

/// A new client, which does nothing until `Input::Start`. Times in ms; `flags`: 1 token, 2 health, 4 witness,
/// 8 online, 16 visible.
#[wasm_bindgen]
pub fn create(
    seed: f64,
    base: f64,
    cap: f64,
    connect_timeout: f64,
    probe_timeout: f64,
    count: u32,
    bytes: u32,
    flags: u32,
) -> i32 {
    let flag = |bit: u32| flags & bit != 0;
    let config = Config {
        backoff: Backoff {
            base: base as u64,
            cap: cap as u64,
        },
        connect_timeout: connect_timeout as u64,
        probe_timeout: probe_timeout as u64,
        token: flag(1),
        health: flag(2),
        witness: flag(4),
        outbox: OutboxLimits { count, bytes },
    };
    Client::create(config, seed as u64, flag(8), flag(16))
}

/// Gives a client one input, does what follows from it, and returns what the page or bridge.js is to know of it: see
/// `Input` in driver/input.rs for the inputs, their numbers and the answers. Nothing happens to a client that was closed.
#[wasm_bindgen]
#[allow(clippy::too_many_arguments, reason = "numbers cross the border cheaper than an object")]
pub fn input(handle: i32, what: i32, key: u32, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64) -> f64 {
    client(handle).map_or(0.0, |client| client.input(what, key, [a, b, c, d, e, f]))
}
