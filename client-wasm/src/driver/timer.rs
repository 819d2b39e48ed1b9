//! The one timer of a client.

use gloo_timers::callback::Timeout;
use rejoin_session::Millis;

use super::{client, now};

/// The longest that a browser's timer can be set to, ms.
const LONGEST_MS: u64 = i32::MAX as u64;

#[derive(Default)]
pub(super) struct Timer(Option<(Millis, Timeout)>);

impl Timer {
    /// Stands at `deadline`. A timer that stands earlier is kept: it comes early, harmlessly, and is armed anew then,
    /// which saves setting one for every message.
    pub(super) fn arm(&mut self, handle: u32, deadline: Option<Millis>) {
        let Some(deadline) = deadline else {
            self.0 = None;
            return;
        };
        if self.0.as_ref().is_some_and(|(at, _)| *at <= deadline) {
            return;
        }
        let ms = (deadline - now()).min(LONGEST_MS);
        let timeout = Timeout::new(ms as u32, move || {
            if let Some(client) = client(handle) {
                client.timeout();
            }
        });
        self.0 = Some((deadline, timeout));
    }

    pub(super) fn fired(&mut self) {
        if let Some((_, timeout)) = self.0.take() {
            timeout.forget(); // it has run: nothing to clear
        }
    }
}
