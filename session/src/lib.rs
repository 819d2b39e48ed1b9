//! The reconnect state machine that every Rejoin client runs: in a page, in a native client, in a simulator.
//!
//! It takes inputs (`handle_*`, `subscribe`, `publish`, …), changes its state, and yields outputs. Time is an
//! argument, randomness a seed, I/O a list of outputs; it knows channels by [`Slot`], requests by [`Id`], epochs by
//! an interned number, and never sees a name, a payload or a token. It never reads a clock, never blocks, never
//! calls back.
//!
//! The driver's whole contract: **one input, drain [`Session::poll_output`], arm one timer from
//! [`Session::poll_timeout`].** Calls that come early, late or twice are harmless. The rules it follows are
//! PROTOCOL.md's.

#![cfg_attr(not(test), no_std)]
extern crate alloc;

mod backoff;
mod cause;
mod channel;
mod outbox;
mod queue;
mod rng;
mod session;
mod types;

pub use backoff::{
    ATTEMPT_FLOOR_MS, Backoff, OFFLINE_ATTEMPT_MS, RETRY_FLOOR_MS, STABLE_MS, TRIGGER_FLOOR_MS,
};
pub use cause::{Cause, Confidence, Evidence, Kind, Outage, Probed, SocketEnd};
pub use channel::HELD_MAX;
pub use outbox::{IN_FLIGHT_MAX, OutboxLimits};
pub use session::{
    Asked, BLOCKED_DIALS, Config, LATE_MS, REFUSED_MS, REQUEST_MS, SLEPT_MS, Session,
};
pub use types::*;

#[cfg(test)]
mod tests;
