//! The Rejoin session on tokio: for Rust services, the server's own command line, and tests.
//!
//! The same state machine as in a page (`rejoin-session`), with another driver. It reconnects by itself, rejoins every
//! channel where it was, fills holes or reports them, and sends what was in flight again without publishing it twice.
//! It decides nothing about the protocol: that is the session's. It speaks `ws:` only, no TLS, and knows no presence.
//!
//! ```no_run
//! # async fn run() -> Result<(), rejoin_client_native::Error> {
//! use rejoin_client_native::{Item, Options, connect};
//!
//! let client = connect("ws://127.0.0.1:8575/ws", Options::default())?;
//! let mut chat = client.subscribe("chat").await?;
//! client.publish("chat", &"hello").await?;
//! while let Some(item) = chat.next().await {
//!     match item {
//!         Item::Message(message) => println!("{}: {}", message.offset, message.data),
//!         Item::Gap(gap) => println!("missed from {} on", gap.from),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! * [`connect`], [`Options`], [`Client`]: the connection;
//! * [`Subscription`], [`Item`]: what a channel brings;
//! * [`Event`]: what the application may want to tell its user.

mod client;
mod driver;
mod error;
mod frames;
mod health;
mod inbox;
mod options;
mod outputs;
mod socket;

pub use client::{Client, Published, Status, Subscription, connect};
pub use error::Error;
pub use inbox::{Gap, ITEMS_MAX, Item};
pub use options::Options;
pub use rejoin_protocol::position::From;
pub use rejoin_protocol::push::Message;
pub use rejoin_session::{
    Backoff, Cause, Confidence, Evidence, Kind, Outage, OutboxLimits, State, Status as Subscribed,
    Why,
};

/// Events that wait for a slow reader; the oldest go first, and the reader is told how many.
pub const EVENTS_MAX: usize = 256;

/// What happened to the connection as a whole.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A transition, never a repetition.
    State {
        /// The new state.
        state: State,
        /// The one before.
        previous: State,
        /// Of `Reconnecting` and `Closed`.
        cause: Option<Cause>,
    },
    /// An outage began; a first connection that fails is one.
    Disconnect(Outage),
    /// The outage's cause is known more precisely.
    Cause(Outage),
    /// The outage is over, and every channel has caught up.
    Reconnect {
        /// What it was.
        outage: Outage,
        /// From the loss until every channel had caught up, ms.
        downtime: u64,
    },
    /// Messages of a channel are missing; its subscriptions are told too.
    Gap {
        /// Which channel.
        channel: String,
        /// What is missing.
        gap: Gap,
    },
    /// The server refused something that nobody waits for.
    Error {
        /// From PROTOCOL.md § Error codes.
        code: String,
        /// For a developer.
        message: String,
        /// The channel it is about, if any.
        channel: Option<String>,
    },
}
