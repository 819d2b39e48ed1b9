//! The one timer of a client.

use std::cell::Cell;

use gloo_timers::callback::Timeout;
use rejoin_session::Millis;

use super::{client, input, now};

/// The longest that a browser's timer can be set to, ms.
const LONGEST_MS: u64 = i32::MAX as u64;

#[derive(Default)]
pub(super) struct Timer(Cell<Option<(Millis, Timeout)>>);

impl Timer {
    /// Stands at `deadline`. A timer that stands earlier is kept: it comes early, harmlessly, and is armed anew then,
    /// which saves setting one for every message.
    pub(super) fn arm(&self, handle: i32, deadline: Option<Millis>) {
        let old = self.0.take();
        let Some(deadline) = deadline else { return };
        if let Some((at, _)) = &old
            && *at <= deadline
        {
            return self.0.set(old);
        }
        let ms = (deadline - now()).min(LONGEST_MS);
        let timeout = Timeout::new(ms as u32, move || {
            let client = client(handle);
            client.timer.0.take(); // it has come
            client.input(input::TIMEOUT, 0, 0, 0.0);
        });
        self.0.set(Some((deadline, timeout)));
    }
}
