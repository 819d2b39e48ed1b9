//! When the next attempt is made: full jitter, or a window that the server gave.

use crate::rng::Rng;
use crate::types::{Millis, Window};

/// Never two attempts closer than this, whatever the trigger. Source: PROTOCOL.md § Reconnecting.
pub const ATTEMPT_FLOOR_MS: u64 = 100;
/// A page trigger (`online`, visible, resume) brings an attempt forward at most this often.
pub const TRIGGER_FLOOR_MS: u64 = 5_000;
/// `retry()` brings an attempt forward at most this often.
pub const RETRY_FLOOR_MS: u64 = 1_000;
/// While the browser says offline one attempt is made this often all the same.
pub const OFFLINE_ATTEMPT_MS: u64 = 60_000;
/// Connected and caught up for so long, the exponent starts over.
pub const STABLE_MS: u64 = 10_000;

/// Full jitter: uniform over `[0, min(cap, base · 2^failures)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first wait, ms, at least 1.
    pub base: u64,
    /// Ceiling of every wait, ms.
    pub cap: u64,
}

impl Backoff {
    /// The longest wait after so many failures in a row.
    pub fn ceiling(self, failures: u32) -> u64 {
        let doublings = failures.min(32);
        if self.base > self.cap >> doublings {
            self.cap
        } else {
            self.base << doublings
        }
    }
}

/// The instant of the next attempt, with the floor kept against the last one.
pub(crate) fn next_attempt(
    now: Millis,
    last_attempt: Millis,
    window: Window,
    rng: &mut Rng,
) -> Millis {
    let at = now + rng.within(window.min, window.max);
    at.max(last_attempt + ATTEMPT_FLOOR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceiling_doubles_up_to_the_cap_and_never_overflows() {
        let backoff = Backoff {
            base: 1_000,
            cap: 30_000,
        };
        let ceilings: [u64; 7] = core::array::from_fn(|n| backoff.ceiling(n as u32));
        assert_eq!(
            ceilings,
            [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(backoff.ceiling(u32::MAX), 30_000);
    }

    #[test]
    fn two_attempts_are_never_closer_than_the_floor() {
        let mut rng = Rng::new(1);
        let now = Millis(1_000);
        let zero = Window { min: 0, max: 0 };
        assert_eq!(
            next_attempt(now, Millis(990), zero, &mut rng),
            Millis(1_090)
        );
        assert_eq!(next_attempt(now, Millis(900), zero, &mut rng), now);
    }
}
