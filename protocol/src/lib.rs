//! The wire types of `rejoin.v1.json`, shared by both ends.
//!
//! This crate turns text into typed frames and typed frames into text, and knows the tables that both ends must agree on:
//! close codes, causes, error codes, limits, the digest. It never does I/O, reads no clock, is never async and trusts no
//! input: whatever a peer sends is an error value, not a panic. `PROTOCOL.md` is the normative text.
//!
//! * [`command`]: client to server, [`Command`];
//! * [`reply`] and [`push`]: server to client, [`ServerFrame`];
//! * [`position`]: channel names, positions, where a subscription begins, the digest;
//! * [`code`]: close codes with their actions and causes, error codes;
//! * [`limits`]: every bound by its name;
//! * [`json`]: batches, nesting, pasting.

pub mod code;
pub mod command;
pub mod json;
pub mod limits;
pub mod position;
pub mod push;
pub mod reply;

pub use code::{Action, Cause, CloseCode, ErrorCode, Kind};
pub use command::{BadCommand, Command, Commands, DecodeError, FrameError};
pub use limits::Limits;
pub use push::ServerFrame;

/// The WebSocket subprotocol that names this wire format.
pub const SUBPROTOCOL: &str = "rejoin.v1.json";
