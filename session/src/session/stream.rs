//! Channels and requests: what the server confirms, refuses and sends on them.
//!
//! **Invariant:** what is missing is told before anything that comes after it.

use super::{Asked, Phase, REQUEST_MS, Request, Session};
use crate::channel::{Accepted, Hole, Missing};
use crate::types::{
    Event, Id, Joined, Millis, Outcome, Output, Position, Slot, Status, Verdict, Why,
};

impl Session {
    /// The server confirmed a channel. What is missing is told before anything that follows.
    pub fn handle_joined(&mut self, slot: Slot, joined: Joined) {
        let Some(channel) = self.channel_mut(slot) else {
            return;
        };
        let was_joined = channel.joined;
        let hash = channel.hash;
        let wanted = channel.wanted;
        let missing = channel.join(joined);
        if !was_joined {
            self.digest ^= hash;
        }
        if wanted {
            self.set_status(slot, Status::Subscribed);
            self.tell_missing(slot, missing);
        }
    }

    /// The server refused a channel, or took it away (`kick`).
    pub fn handle_refused(&mut self, now: Millis, slot: Slot) {
        let Some(channel) = self.channel_mut(slot) else {
            return;
        };
        let (hash, was_joined, wanted) = (channel.hash, channel.joined, channel.wanted);
        channel.forget_socket();
        if was_joined {
            self.digest ^= hash;
        }
        self.outputs.push(Output::Discard(slot));
        if wanted {
            self.set_status(slot, Status::Denied);
        }
        self.check_caught_up(now);
    }

    /// A publication arrived live or in a replay. The hot path: one comparison when all is well.
    pub fn accept(&mut self, now: Millis, slot: Slot, offset: u64) -> Verdict {
        let Some(channel) = self.channel_mut(slot) else {
            return Verdict::Repeat;
        };
        let accepted = channel.accept(offset);
        self.accepted(now, slot, accepted)
    }

    /// A publication from a `history` answer, or one that was held: what is still missing is told as a gap.
    pub fn accept_held(&mut self, now: Millis, slot: Slot, offset: u64) -> Verdict {
        let Some(channel) = self.channel_mut(slot) else {
            return Verdict::Repeat;
        };
        let accepted = channel.accept_over_hole(offset);
        self.accepted(now, slot, accepted)
    }

    /// `live`: the replay of a channel is complete.
    pub fn handle_live(&mut self, now: Millis, slot: Slot) {
        if let Some(channel) = self.channel_mut(slot) {
            channel.replay_to = None;
        }
        self.check_caught_up(now);
    }

    /// `gap` on a live subscription: the stream goes on after `to`, a position in this or a new epoch.
    pub fn handle_gap(&mut self, slot: Slot, to: Position, why: Why) {
        let Some(channel) = self.channel_mut(slot) else {
            return;
        };
        let Some(old) = channel.position else { return };
        if !channel.skip(to) {
            return;
        }
        let missing = Missing {
            from: old.offset + 1,
            to: (old.epoch == to.epoch).then_some(to.offset),
            why,
        };
        self.outputs.push(Output::Release(slot));
        self.tell_missing(slot, Some(missing));
    }

    /// `ok`: the server's answer to a request. `joined` is there in the answer to a subscribe.
    pub fn handle_ok(
        &mut self,
        now: Millis,
        id: Id,
        joined: Option<Joined>,
        offset: u64,
        duplicate: bool,
    ) {
        let outcome = Outcome::Accepted { offset, duplicate };
        match self.take_request(id) {
            None => self.settle_publish(now, id, outcome),
            Some(Asked::Subscribe(slot)) => {
                if let Some(joined) = joined {
                    self.handle_joined(slot, joined);
                }
                self.check_caught_up(now);
            }
            Some(Asked::Unsubscribe(slot)) => self.handle_left(slot),
            Some(Asked::History(slot)) => self.handle_filled(now, slot, id),
            Some(Asked::Subscriptions) => {}
            Some(Asked::Page) => self.outputs.push(Output::Settled { id, outcome }),
        }
    }

    /// `error` with an id. `retry` is ms to wait before asking again, `None` when that is no use.
    pub fn handle_error(&mut self, now: Millis, id: Id, retry: Option<u64>) {
        let outcome = Outcome::Refused;
        match self.take_request(id) {
            None => self.settle_publish(now, id, outcome),
            Some(Asked::Subscribe(slot)) => {
                let least = self.config.backoff.base;
                match (retry, self.channel_mut(slot)) {
                    (Some(ms), Some(channel)) => {
                        channel.asked = None;
                        if channel.wanted {
                            channel.ask_at = now + ms.max(least);
                        }
                    }
                    _ => self.handle_refused(now, slot),
                }
                self.check_caught_up(now);
            }
            Some(Asked::Unsubscribe(slot)) => self.handle_left(slot),
            Some(Asked::History(slot)) => self.handle_filled(now, slot, id),
            Some(Asked::Subscriptions) => {}
            Some(Asked::Page) => self.outputs.push(Output::Settled { id, outcome }),
        }
    }

    /// The server's list, asked for because the digest differed, lacks a channel that it had confirmed: it is
    /// subscribed again from its position, on this connection.
    pub fn handle_unlisted(&mut self, now: Millis, slot: Slot) {
        let Some(channel) = self.channel_mut(slot).filter(|c| c.joined && c.wanted) else {
            return;
        };
        let hash = channel.hash;
        channel.forget_socket();
        self.digest ^= hash;
        self.outputs.push(Output::Discard(slot));
        self.set_status(slot, Status::Subscribing);
        self.ask_subscribe(now, slot);
    }

    pub(super) fn ask_subscribe(&mut self, now: Millis, slot: Slot) {
        let id = self.request(now, Asked::Subscribe(slot));
        if let Some(channel) = self.channel_mut(slot) {
            channel.asked = Some(id);
            channel.ask_at = Millis::NEVER;
        }
        self.outputs.push(Output::Subscribe { slot, id });
    }

    pub(super) fn accepted(&mut self, now: Millis, slot: Slot, accepted: Accepted) -> Verdict {
        self.tell_missing(slot, accepted.missing);
        if let Some((after, before)) = accepted.ask {
            self.ask_history(now, slot, after, before);
        }
        if accepted.release {
            self.outputs.push(Output::Release(slot));
        }
        if accepted.verdict == Verdict::Deliver
            && let Some(outage) = &mut self.outage
            && self.channels[slot.0 as usize]
                .as_ref()
                .is_some_and(|c| c.replay_to.is_some())
        {
            outage.recovered += 1;
        }
        accepted.verdict
    }

    pub(super) fn tell_missing(&mut self, slot: Slot, missing: Option<Missing>) {
        let Some(Missing { from, to, why }) = missing else {
            return;
        };
        if let Some(outage) = &mut self.outage {
            outage.gaps += 1;
        }
        self.outputs.push(Output::Event(Event::Gap {
            slot,
            from,
            to,
            why,
        }));
    }

    /// A `history` was answered, with or without what was missing: as long as an answer brings something, the rest is
    /// asked for.
    pub(super) fn handle_filled(&mut self, now: Millis, slot: Slot, id: Id) {
        let Some(channel) = self.channel_mut(slot) else {
            return;
        };
        let (Some(hole), Some(position)) = (channel.hole, channel.position) else {
            return;
        };
        if hole.id != id {
            return;
        }
        let after = position.offset;
        if hole.after < after && after + 1 < hole.before {
            return self.ask_history(now, slot, after, hole.before);
        }
        channel.close_hole();
        self.outputs.push(Output::Release(slot));
    }

    pub(super) fn ask_history(&mut self, now: Millis, slot: Slot, after: u64, before: u64) {
        let id = self.request(now, Asked::History(slot));
        if let Some(channel) = self.channel_mut(slot) {
            channel.hole = Some(Hole { id, after, before });
        }
        self.outputs.push(Output::History {
            slot,
            id,
            after,
            before,
        });
    }

    /// An unsubscribe was answered.
    pub(super) fn handle_left(&mut self, slot: Slot) {
        let Some(channel) = self.channel_mut(slot).filter(|channel| !channel.wanted) else {
            return;
        };
        let (hash, joined) = (channel.hash, channel.joined);
        channel.joined = false;
        if joined {
            self.digest ^= hash;
        }
        self.outputs.push(Output::Forget(slot));
    }

    pub(super) fn settle_publish(&mut self, now: Millis, id: Id, outcome: Outcome) {
        if self.outbox.settle(id) {
            self.outputs.push(Output::Settled { id, outcome });
            self.outbox.flush(now, &mut self.outputs);
        }
    }

    /// The outage ends when every channel that can be rejoined has all that the server could replay.
    pub(super) fn check_caught_up(&mut self, now: Millis) {
        let behind = self.channels.iter().flatten().any(|channel| {
            let rejoined = channel.joined && channel.replay_to.is_none();
            channel.wanted && channel.status != Status::Denied && !rejoined
        });
        let Phase::Online(online) = &mut self.phase else {
            return;
        };
        if behind {
            return;
        }
        online.caught_up = online.caught_up.min(now);
        if self.outage.is_some() {
            self.last_outage = self.outage.take();
            self.outputs.push(Output::Event(Event::Reconnect));
        }
    }

    #[inline(never)]
    pub(super) fn request(&mut self, now: Millis, asked: Asked) -> Id {
        self.last_id += 1;
        let id = Id(self.last_id);
        self.requests.push(Request {
            id,
            asked,
            until: now + REQUEST_MS,
        });
        id
    }

    pub(super) fn take_request(&mut self, id: Id) -> Option<Asked> {
        let at = self.requests.iter().position(|request| request.id == id)?;
        Some(self.requests.swap_remove(at).asked)
    }
}
