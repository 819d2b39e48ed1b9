//! Every bound of the wire, by its name.

use serde::{Deserialize, Serialize};

/// Integers of the envelope stay below this (2^53): a page's numbers are doubles.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Bytes of a channel name.
pub const CHANNEL_NAME_BYTES: usize = 255;
/// Bytes of `client` and `producer` in `hello`.
pub const CLIENT_BYTES: usize = 128;
/// Bytes of a close reason: what a WebSocket close frame has room for.
pub const CLOSE_REASON_BYTES: usize = 123;
/// Bytes of one batch to a client; a single message may be larger.
pub const BATCH_BYTES: usize = 64 * 1024;
/// Members listed in presence; above it only the count is told.
pub const PRESENCE_MEMBERS: usize = 500;
/// `limit` of `history` when none is given.
pub const HISTORY_LIMIT_DEFAULT: u64 = 100;
/// The largest `limit` of `history`.
pub const HISTORY_LIMIT_MAX: u64 = 1000;

/// The limits that a server tells in `welcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of one frame from the client: beyond it, close 4502.
    pub frame: u64,
    /// Subscriptions of one connection: beyond it, `error` `limit`.
    pub channels: u64,
    /// Bytes of a channel name: beyond it, `error` `bad_channel`.
    pub name: u64,
    /// Bytes of `info`: beyond it, close 4502.
    pub info: u64,
    /// Depth of `data`: beyond it, `error` `too_large`.
    pub nesting: u64,
    /// Bytes that wait for a slow client.
    pub queue: u64,
    /// Milliseconds for which results of publishes are kept.
    pub publish_window: u64,
    /// Results of publishes kept, for each producer.
    pub publishes_kept: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 1024 * 1024,
            channels: 128,
            name: CHANNEL_NAME_BYTES as u64,
            info: 1024,
            nesting: 64,
            queue: 1024 * 1024,
            publish_window: 5 * 60 * 1000,
            publishes_kept: 1000,
        }
    }
}
