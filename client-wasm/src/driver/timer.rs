//! The one timer of a client.

use std::cell::Cell;

use gloo_timers::callback::Timeout;
use rejoin_session::Millis;

use super::{client, input, now};

/// The longest that a browser's timer can be set to, ms.
const LONGEST_MS: u64 = i32::MAX as u64;

pub(super) struct Timer {
    /// When it comes; else never.
    at: Cell<Millis>,
    timeout: Cell<Option<Timeout>>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            at: Cell::new(Millis::NEVER),
            timeout: Cell::new(None),
        }
    }

    /// Stands at `deadline`. A timer that stands earlier is kept: it comes early, harmlessly, and is armed anew then,
    /// which saves setting one for every message.
    pub(super) fn arm(&self, handle: i32, deadline: Option<Millis>) {
        let Some(deadline) = deadline else {
            return self.disarm();
        };
        if self.at.get() <= deadline {
            return;
        }
        let ms = (deadline - now()).min(LONGEST_MS);
        let timeout = Timeout::new(ms as u32, move || {
            let client = client(handle);
            client.timer.disarm(); // it has come
            client.input(input::TIMEOUT, 0, 0, 0.0);
        });
        self.at.set(deadline);
        self.timeout.set(Some(timeout));
    }

    fn disarm(&self) {
        self.at.set(Millis::NEVER);
        self.timeout.set(None);
    }
}
