//! The functions under the npm package: they convert values and decide nothing. A client is a number.

use rejoin_session::{Backoff, Config, OutboxLimits};
use wasm_bindgen::prelude::*;

use crate::bridge::more;
use crate::driver::{Client, client};

/// A new client, which does nothing until its first input. `flags`: 1 token, 2 health, 4 witness, 8 online, 16 visible;
/// the other choices are read from bridge.js: seed, times in ms, limits.
#[wasm_bindgen]
pub fn create(flags: u32) -> i32 {
    let flag = |bit: u32| flags & bit != 0;
    let config = Config {
        backoff: Backoff {
            base: more(1) as u64,
            cap: more(2) as u64,
        },
        connect_timeout: more(3) as u64,
        probe_timeout: more(4) as u64,
        token: flag(1),
        health: flag(2),
        witness: flag(4),
        outbox: OutboxLimits {
            count: more(5) as u32,
            bytes: more(6) as u32,
        },
    };
    Client::create(config, more(0) as u64, flag(8), flag(16))
}

/// Gives a client one input, does what follows from it, and returns what the page or bridge.js is to know of it: see
/// driver/input.rs for the inputs, their numbers and the answers. Nothing happens to a client that was closed.
#[wasm_bindgen]
pub fn input(handle: i32, what: i32, key: u32, at: u32, number: f64) -> f64 {
    client(handle).input(what, key, at, number)
}
