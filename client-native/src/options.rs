//! What the application may choose.

use std::fmt;
use std::time::Duration;

use rejoin_protocol::limits::CLIENT_BYTES;
use rejoin_session::{Backoff, Config, OutboxLimits};
use serde_json::value::RawValue;

use crate::Error;

/// Everything that has a default. Ping, grace and windows are the server's.
#[derive(Clone)]
pub struct Options {
    /// Names this client through all its connections: 1–128 bytes, random and secret. `None`: made anew.
    pub client: Option<String>,
    /// What presence shows of this client: a JSON object, at most 1 KiB. No credentials.
    pub info: Option<Box<RawValue>>,
    /// Sent in `hello`. This version's servers ignore it.
    pub token: Option<String>,
    /// For attempts without a window of the server.
    pub backoff: Backoff,
    /// From dial to welcome.
    pub connect_timeout: Duration,
    /// For an answer to a probe.
    pub probe_timeout: Duration,
    /// Whether to ask `/health` at the socket's host after a failed dial.
    pub health: bool,
    /// Publishes that wait for a connection.
    pub queue: OutboxLimits,
    /// Seed of the jitter; `None`: from the system. A fixed one makes the waits repeat.
    pub seed: Option<u64>,
}

impl fmt::Debug for Options {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("backoff", &self.backoff)
            .field("connect_timeout", &self.connect_timeout)
            .field("probe_timeout", &self.probe_timeout)
            .field("health", &self.health)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: None,
            info: None,
            token: None,
            backoff: Backoff {
                base: 1_000,
                cap: 30_000,
            },
            connect_timeout: Duration::from_secs(10),
            probe_timeout: Duration::from_secs(2),
            health: true,
            queue: OutboxLimits {
                count: 1_000,
                bytes: 1_048_576,
            },
            seed: None,
        }
    }
}

impl Options {
    /// Names the first option that cannot be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(client) = &self.client
            && !(1..=CLIENT_BYTES).contains(&client.len())
        {
            return Err(Error::Option("client must be 1 to 128 bytes"));
        }
        if let Some(info) = &self.info
            && !info.get().starts_with('{')
        {
            return Err(Error::Option("info must be a JSON object"));
        }
        if self.backoff.base == 0 || self.backoff.cap < self.backoff.base {
            return Err(Error::Option("backoff needs 1 <= base <= cap"));
        }
        Ok(())
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            backoff: self.backoff,
            connect_timeout: millis(self.connect_timeout),
            probe_timeout: millis(self.probe_timeout),
            token: false,
            health: self.health,
            witness: false,
            outbox: self.queue,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
