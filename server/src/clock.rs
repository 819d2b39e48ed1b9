//! The only reader of clocks for the pure parts: they are given [`Millis`].

use std::ops::Add;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic milliseconds since this process first asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock of the pure parts is read here"
    )]
    pub fn now() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        Self(as_millis(START.get_or_init(Instant::now).elapsed()))
    }

    /// How long after `earlier` this is, in milliseconds; 0 if it is not.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Millis {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(as_millis(duration)))
    }
}

/// Unix time in milliseconds, for `at` in messages.
#[expect(clippy::disallowed_methods, reason = "the wall clock is read here")]
pub fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, as_millis)
}

/// The instant of tokio's timers.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the drivers is read here"
)]
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A duration in whole milliseconds.
pub fn as_millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
