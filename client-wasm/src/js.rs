//! The functions under the npm package: they decide nothing. A client is a number, and so is all that they take and give:
//! they are plain exports of the module, which need no glue.

use crate::driver;

/// A new client, which does nothing until its first input: see `create` in driver/mod.rs.
// SAFETY: no other function of the module has this name.
#[unsafe(no_mangle)]
pub extern "C" fn create(flags: u32) -> i32 {
    driver::create(flags)
}

/// Gives a client one input, does what follows from it, and returns what the page or bridge.js is to know of it: see
/// driver/input.rs for the inputs, their numbers and the answers. Nothing happens to a client that was closed.
// SAFETY: no other function of the module has this name.
#[unsafe(no_mangle)]
pub extern "C" fn input(handle: i32, what: i32, key: u32, at: u32, number: f64) -> f64 {
    driver::client(handle).input(what, key, at, number)
}
