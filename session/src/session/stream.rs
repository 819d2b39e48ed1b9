//! Channels and requests: what the server confirms, refuses and sends on them.
//!
//! **Invariant:** what is missing is told before anything that comes after it.

use super::{Asked, Phase, REQUEST_MS, Request, Session};
use crate::channel::{Hole, Missing, Offer};
use crate::types::{
    Event, Id, Joined, Millis, Outcome, Output, Position, Slot, Status, Verdict, Why,
};

impl Session {
    /// The server confirmed a channel. What is missing is told before anything that follows.
    pub fn handle_joined(&mut self, slot: Slot, joined: Joined) {
        let Some(channel) = self.channel_mut(slot) else {
            return;
        };
        let wanted = channel.wanted;
        let missing = channel.join(joined);
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
        let wanted = channel.wanted;
        channel.forget_socket();
        self.outputs.push(Output::Discard(slot));
        if wanted {
            self.set_status(slot, Status::Denied);
        }
        self.check_caught_up(now);
    }

    /// A publication arrived live or in a replay. The hot path: one comparison when all is well.
    pub fn accept(&mut self, now: Millis, slot: Slot, offset: u64) -> Verdict {
        self.offer(now, slot, offset, false)
    }

    /// A publication from a `history` answer, or one that was held: what is still missing is told as a gap.
    pub fn accept_held(&mut self, now: Millis, slot: Slot, offset: u64) -> Verdict {
        self.offer(now, slot, offset, true)
    }

    fn offer(&mut self, now: Millis, slot: Slot, offset: u64, over_hole: bool) -> Verdict {
        let Some(channel) = self.channel_mut(slot) else {
            return Verdict::Repeat;
        };
        let replaying = channel.replay_to != 0;
        match channel.accept(offset, over_hole) {
            Offer::Repeat => return Verdict::Repeat,
            Offer::Deliver { last } => {
                let missing = Missing {
                    from: last + 1,
                    to: Some(offset - 1),
                    why: Why::Expired,
                };
                self.tell_missing(slot, (offset > last + 1).then_some(missing));
                if replaying && let Some(outage) = &mut self.outage {
                    outage.recovered += 1;
                }
                return Verdict::Deliver;
            }
            Offer::Ask { last } => self.ask_history(now, slot, last, offset),
            Offer::Hold => {}
            Offer::Full => {
                self.outputs.push(Output::Release(slot));
                return Verdict::Again;
            }
        }
        Verdict::Hold
    }

    /// `live`: the replay of a channel is complete.
    pub fn handle_live(&mut self, now: Millis, slot: Slot) {
        if let Some(channel) = self.channel_mut(slot) {
            channel.replay_to = 0;
        }
        self.check_caught_up(now);
    }

    /// A replay that has reached its end is over, even if the server's `live` was lost on the way.
    pub(super) fn finish_replays(&mut self, now: Millis) {
        for channel in self.channels.iter_mut().flatten() {
            let offset = channel.position.map_or(0, |position| position.offset);
            if offset >= channel.replay_to {
                channel.replay_to = 0;
            }
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
        if let Some(slot) = self.answered(now, id, Outcome::Accepted { offset, duplicate }) {
            if let Some(joined) = joined {
                self.handle_joined(slot, joined);
            }
            self.check_caught_up(now);
        }
    }

    /// What an answer means, whatever it says; returns the channel of a subscribe, for which that matters.
    fn answered(&mut self, now: Millis, id: Id, outcome: Outcome) -> Option<Slot> {
        match self.take_request(id) {
            None => self.settle_publish(now, id, outcome),
            Some(Asked::Subscribe(slot)) => return Some(slot),
            Some(Asked::Unsubscribe(slot)) => self.handle_left(slot),
            Some(Asked::History(slot)) => self.handle_filled(now, slot, id),
            Some(Asked::Subscriptions) => {}
            Some(Asked::Page) => self.outputs.push(Output::Settled { id, outcome }),
        }
        None
    }

    /// `error` with an id. `retry` is ms to wait before asking again, `None` when that is no use.
    pub fn handle_error(&mut self, now: Millis, id: Id, retry: Option<u64>) {
        let Some(slot) = self.answered(now, id, Outcome::Refused) else {
            return;
        };
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

    /// The server's list, asked for because the digest differed, lacks a channel that it had confirmed: it is
    /// subscribed again from its position, on this connection.
    pub fn handle_unlisted(&mut self, now: Millis, slot: Slot) {
        let Some(channel) = self.channel_mut(slot).filter(|c| c.joined && c.wanted) else {
            return;
        };
        channel.forget_socket();
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

    /// XOR of the hashes of confirmed channels.
    pub(super) fn digest(&self) -> u32 {
        let joined = self
            .channels
            .iter()
            .flatten()
            .filter(|channel| channel.joined);
        joined.fold(0, |digest, channel| digest ^ channel.hash)
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
        channel.joined = false;
        self.outputs.push(Output::Forget(slot));
    }

    pub(super) fn settle_publish(&mut self, now: Millis, id: Id, outcome: Outcome) {
        if self.outbox.settle(id) {
            self.outputs.push(Output::Settled { id, outcome });
            self.outbox.flush(now, &mut self.outputs);
        }
    }

    /// The connection that would have answered is over.
    pub(super) fn settle_requests(&mut self, outcome: Outcome) {
        for request in &self.requests {
            if matches!(request.asked, Asked::Page) {
                self.outputs.push(Output::Settled {
                    id: request.id,
                    outcome,
                });
            }
        }
        self.requests.clear();
    }

    /// The outage ends when every channel that can be rejoined has all that the server could replay.
    pub(super) fn check_caught_up(&mut self, now: Millis) {
        let behind = self.channels.iter().flatten().any(|channel| {
            let rejoined = channel.joined && channel.replay_to == 0;
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
