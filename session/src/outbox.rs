//! Publishes that wait for the server's answer, in the order in which the page made them.
//!
//! **Invariant:** `seq` rises along the queue, what was in flight stands before what was not, and an entry
//! leaves only when the server has answered, or the page has closed.

use alloc::vec::Vec;

use crate::queue::Queue;
use crate::types::{Id, Millis, Outcome, Output, PublishError};

/// Publishes sent and not yet answered, at most; the rest waits its turn in the outbox.
pub const IN_FLIGHT_MAX: usize = 1_000;

/// Limits of what waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Publishes.
    pub count: u32,
    /// Bytes of their payloads.
    pub bytes: u32,
}

#[derive(Debug)]
struct Entry {
    id: Id,
    seq: u64,
    bytes: u32,
    /// Else never.
    first_sent: Millis,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    /// How many at the front are in flight on the current socket.
    in_flight: usize,
    waiting_bytes: u32,
    limits: OutboxLimits,
    seq: u64,
}

impl Outbox {
    pub(crate) fn new(limits: OutboxLimits) -> Self {
        Self {
            entries: Vec::new(),
            in_flight: 0,
            waiting_bytes: 0,
            limits,
            seq: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The limits are of what waits: with `online`, and nothing before it, it does not.
    pub(crate) fn push(&mut self, id: Id, bytes: u32, online: bool) -> Result<(), PublishError> {
        let waiting = self.entries.len() - self.in_flight;
        let total = self.waiting_bytes.saturating_add(bytes);
        let goes_at_once = online && waiting == 0 && self.in_flight < IN_FLIGHT_MAX;
        let full = waiting >= self.limits.count as usize || total > self.limits.bytes;
        if full && !goes_at_once {
            return Err(PublishError::QueueFull);
        }
        self.seq += 1;
        self.waiting_bytes = total;
        self.entries.push(Entry {
            id,
            seq: self.seq,
            bytes,
            first_sent: Millis::NEVER,
        });
        Ok(())
    }

    /// Sends what may be sent.
    pub(crate) fn flush(&mut self, now: Millis, outputs: &mut Queue<Output>) {
        while self.in_flight < IN_FLIGHT_MAX {
            let Some(entry) = self.entries.get_mut(self.in_flight) else {
                return;
            };
            let first = entry.first_sent;
            outputs.push(Output::Publish {
                id: entry.id,
                seq: entry.seq,
                again: (first != Millis::NEVER).then(|| now - first),
            });
            entry.first_sent = first.min(now);
            self.waiting_bytes -= entry.bytes;
            self.in_flight += 1;
        }
    }

    /// The socket ended: what was in flight waits again, before everything newer.
    pub(crate) fn forget_socket(&mut self) {
        let flying = self.entries.iter().take(self.in_flight);
        self.waiting_bytes += flying.map(|entry| entry.bytes).sum::<u32>();
        self.in_flight = 0;
    }

    /// The server answered. False when the id is not of a publish in flight.
    pub(crate) fn settle(&mut self, id: Id) -> bool {
        let flying = self.entries.iter().take(self.in_flight);
        let Some(index) = flying.into_iter().position(|entry| entry.id == id) else {
            return false;
        };
        self.entries.remove(index);
        self.in_flight -= 1;
        true
    }

    /// The page closed: nobody will send these.
    pub(crate) fn clear(&mut self, outputs: &mut Queue<Output>) {
        for entry in &self.entries {
            outputs.push(Output::Settled {
                id: entry.id,
                outcome: Outcome::Closed,
            });
        }
        self.entries.clear();
        self.in_flight = 0;
        self.waiting_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn outbox(count: u32, bytes: u32) -> Outbox {
        Outbox::new(OutboxLimits { count, bytes })
    }

    fn sent(outbox: &mut Outbox, now: u64) -> Vec<(u32, u64, Option<u64>)> {
        let mut outputs = Queue::new();
        outbox.flush(Millis(now), &mut outputs);
        core::iter::from_fn(|| outputs.pop())
            .map(|output| match output {
                Output::Publish { id, seq, again } => (id.0, seq, again),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_was_in_flight_goes_first_and_says_how_old_it_is() {
        let mut outbox = outbox(10, 100);
        outbox.push(Id(1), 1, false).unwrap();
        outbox.push(Id(2), 1, false).unwrap();
        assert_eq!(sent(&mut outbox, 100), [(1, 1, None), (2, 2, None)]);
        outbox.push(Id(3), 1, false).unwrap();
        assert!(outbox.settle(Id(1)));
        outbox.forget_socket();
        assert_eq!(sent(&mut outbox, 350), [(2, 2, Some(250)), (3, 3, None)]);
        assert!(!outbox.settle(Id(1)), "an answer counts once");
    }

    #[test]
    fn limits_hold_for_what_waits_and_not_for_what_flies() {
        let mut outbox = outbox(2, 10);
        outbox.push(Id(1), 6, false).unwrap();
        assert_eq!(outbox.push(Id(2), 5, false), Err(PublishError::QueueFull));
        sent(&mut outbox, 0);
        outbox.push(Id(2), 5, false).unwrap();
        outbox.push(Id(3), 5, false).unwrap();
        assert_eq!(outbox.push(Id(4), 0, false), Err(PublishError::QueueFull));
        outbox.forget_socket();
        assert_eq!(
            outbox.push(Id(4), 0, false),
            Err(PublishError::QueueFull),
            "what fell back counts again"
        );
    }

    #[test]
    fn what_goes_at_once_does_not_wait() {
        let mut outbox = outbox(0, 0);
        assert_eq!(outbox.push(Id(1), 9, false), Err(PublishError::QueueFull));
        outbox.push(Id(1), 9, true).unwrap();
        assert_eq!(sent(&mut outbox, 0), [(1, 1, None)]);
        outbox.push(Id(2), 9, true).unwrap();
        assert_eq!(
            outbox.push(Id(3), 9, true),
            Err(PublishError::QueueFull),
            "behind one that waits"
        );
    }
}
