//! What the integration tests stand on: the real server process, a raw WebSocket client and a raw HTTP request.
//!
//! Nothing here uses the project's own protocol code: the client is written from PROTOCOL.md alone, so that the
//! tests fail when the document and the server disagree. Nothing sleeps: everything waits for a condition, at most
//! for [`PATIENCE`].

mod client;
mod http;
mod relay;
mod server;

use std::future::Future;
use std::time::Duration;

pub use client::{Client, Closed, SUBPROTOCOL, Socket, dial, dial_with};
pub use http::{Response, request, request_bytes};
pub use relay::Relay;
pub use server::{Profile, Refusal, Server, Signal};

/// How long a test waits for anything that must happen. Generous: a busy machine is not a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The result of `future`.
///
/// # Panics
/// When it takes longer than [`PATIENCE`], naming `what` was awaited.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
