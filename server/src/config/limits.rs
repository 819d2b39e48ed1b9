//! Bounds that are not configured, by their names.

use std::time::Duration;

/// Bytes of one channel's history.
pub const HISTORY_BYTES: usize = 64 << 20;
/// Channels without subscriber that one shard keeps; beyond it the least used go.
pub const IDLE_CHANNELS: usize = 10_000;
/// How long results of publishes are kept.
pub const PUBLISH_WINDOW: Duration = Duration::from_secs(5 * 60);
/// How much longer, for repeats that are under way.
pub const PUBLISH_SLACK: Duration = Duration::from_secs(60);
/// Results of publishes kept, of each producer.
pub const PUBLISHES_KEPT: usize = 1000;
/// Producers whose results are kept, in each shard.
pub const PRODUCERS: usize = 100_000;
/// Subscribers written to before others get a turn.
pub const SLICE: usize = 512;
/// Bytes of deliveries that wait for the flusher of a shard; beyond it publishers wait.
pub const PENDING_BYTES: usize = 4 << 20;
/// Bytes that wait for another shard; beyond it publishers wait.
pub const LINK_BYTES: usize = 8 << 20;
/// Messages that wait for another shard; beyond it publishers wait.
pub const LINK_MESSAGES: usize = 4096;
/// Batches in a shard's inbox.
pub const INBOX_BATCHES: usize = 4;
/// Bytes of recent messages held back for subscribers that are being attached across shards.
pub const HELD_BYTES: usize = 256 << 10;
/// TCP connections that wait to be accepted.
pub const BACKLOG: u32 = 4096;
/// Bytes read from a socket at once.
pub const READ_BUFFER: usize = 512;
/// Bytes of the head of an HTTP request.
pub const HTTP_HEAD_BYTES: usize = 16 << 10;
/// Bytes of the body of an API request.
pub const API_BODY_BYTES: usize = 64 << 10;
/// How long a socket is read after a close, so that the close arrives.
pub const LINGER: Duration = Duration::from_secs(1);
/// What the wire and a page's timer may take, beyond a reinit's window, until who has not left is closed.
pub const REINIT_SLACK: Duration = Duration::from_millis(500);
/// The whole polite stop.
pub const STOP: Duration = Duration::from_millis(1500);
/// How often old history and old records are looked for.
pub const SWEEP: Duration = Duration::from_secs(5);
/// The shortest standing retry window, ms.
pub const RETRY_MIN_MS: u64 = 200;
/// The longest standing retry window, ms.
pub const RETRY_MAX_MS: u64 = 30_000;
/// Bytes of one page file.
pub const PAGE_BYTES: u64 = 64 << 20;
