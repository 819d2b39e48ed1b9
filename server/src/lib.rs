//! The Rejoin server, usable inside another program.
//!
//! It serves WebSockets (`/ws`), `/health`, the operator's `/api` and static pages on one port. It never installs signal handlers or
//! log subscribers, and never ends the process: that is `main.rs`, or yours. `PROTOCOL.md` says what is on the wire.
//!
//! * [`config`]: everything that can be configured, read and checked;
//! * [`server`]: bind, start, stop;
//! * `shard`: one thread, its listener and connections; [`node`]: joins hub, broker and presence;
//! * [`hub`], [`frame`], [`outbox`], [`pass`]: from one publication to many sockets;
//! * [`broker`], [`channel`]: where channels live, and what they are (pure);
//! * [`connection`]: one socket; its commands' meaning (pure) and its task;
//! * [`http`]: upgrade, health, API, pages;
//! * [`shared`], [`clock`], [`random`]: leaves.

pub mod broker;
pub mod channel;
pub mod clock;
pub mod config;
pub mod connection;
pub mod frame;
pub mod http;
pub mod hub;
pub mod node;
pub mod outbox;
pub mod pass;
pub mod random;
pub mod server;
mod shard;
pub mod shared;

pub use config::{Config, ConfigError, Raw};
pub use http::pages::Pages;
pub use server::{Running, Server, StartError};
