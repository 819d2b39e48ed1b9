//! Why a call failed.

use rejoin_session::Cause;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is none that this client can dial. Correct it.
    #[error("{url:?} cannot be dialled: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An option is out of its range. Correct it.
    #[error("wrong option: {0}")]
    Option(&'static str),
    /// Not a channel name. Correct it.
    #[error("{0:?} is no channel name: 1 to 255 of A-Z a-z 0-9 _ : . - /")]
    Channel(String),
    /// The payload cannot be written as JSON. Correct it.
    #[error("the payload is no JSON: {0}")]
    Payload(#[from] serde_json::Error),
    /// There is no connection, and the call was not to wait for one. Try again when connected.
    #[error("not connected")]
    NotConnected,
    /// Too much waits to be sent already. Try again when less does.
    #[error("the queue is full")]
    QueueFull,
    /// The server refused. `temporary` tells whether the same call may succeed later.
    #[error("refused by the server: {code}: {message}")]
    Refused {
        /// From PROTOCOL.md § Error codes.
        code: String,
        /// For a developer.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// The connection ended for a reason that no retry can mend; `Client::retry` leaves it.
    #[error("ended: {0:?}")]
    Ended(Cause),
    /// The application closed the client. Final.
    #[error("closed")]
    Closed,
}
