//! One channel: its subscription and its position, and the rule of continuity.
//!
//! **Invariant:** the position only moves forward within an epoch, and it moves before a listener runs.

use crate::types::{Id, Joined, Millis, Position, Status, Why};

/// Publications held back behind one hole, at most; then the hole is told as a gap at once.
pub const HELD_MAX: u32 = 1_000;

#[derive(Debug)]
pub(crate) struct Channel {
    /// FNV-1a of the name, the channel's share in the digest.
    pub(crate) hash: u32,
    /// The page wants it. False while an unsubscribe is under way.
    pub(crate) wanted: bool,
    pub(crate) status: Status,
    /// Confirmed by the server on the current socket.
    pub(crate) joined: bool,
    /// The subscribe or unsubscribe in flight on the current socket.
    pub(crate) asked: Option<Id>,
    /// When to ask again, after an error that said so; else never.
    pub(crate) ask_at: Millis,
    pub(crate) position: Option<Position>,
    /// The replay after a join goes on up to this offset; 0 when there is none.
    pub(crate) replay_to: u64,
    pub(crate) hole: Option<Hole>,
    held: u32,
}

/// A hole in the offsets, and the request that is to fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) id: Id,
    /// Exclusive on both ends.
    pub(crate) after: u64,
    pub(crate) before: u64,
}

/// A range of publications that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
    pub(crate) why: Why,
}

/// What becomes of an offer, for the session to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Old, or not asked for.
    Repeat,
    /// The position has moved on to it from `last`: what lies between, if anything, is missing.
    Deliver { last: u64 },
    /// It is the first one behind a new hole: ask for what lies between it and `last`.
    Ask { last: u64 },
    /// It waits behind a hole like others before it.
    Hold,
    /// Too much waits already: the hole is given up.
    Full,
}

impl Channel {
    pub(crate) fn new(hash: u32) -> Self {
        Self {
            hash,
            wanted: true,
            status: Status::Subscribing,
            joined: false,
            asked: None,
            ask_at: Millis::NEVER,
            position: None,
            replay_to: 0,
            hole: None,
            held: 0,
        }
    }

    /// Everything that was true of the last socket only.
    pub(crate) fn forget_socket(&mut self) {
        self.joined = false;
        self.asked = None;
        self.ask_at = Millis::NEVER;
        self.replay_to = 0;
        self.hole = None;
        self.held = 0;
    }

    /// The server's answer to a subscribe. Returns what is missing between the old position and the new.
    pub(crate) fn join(&mut self, joined: Joined) -> Option<Missing> {
        self.joined = true;
        self.asked = None;
        let old = self.position.replace(Position {
            epoch: joined.epoch,
            offset: joined.since,
        });
        self.replay_to = if joined.since < joined.offset {
            joined.offset
        } else {
            0
        };
        let old = old?;
        if old.epoch != joined.epoch {
            return Some(Missing {
                from: old.offset + 1,
                to: None,
                why: Why::Epoch,
            });
        }
        (joined.since > old.offset).then_some(Missing {
            from: old.offset + 1,
            to: Some(joined.since),
            why: Why::Expired,
        })
    }

    /// A publication that came live or in a replay. Deliver `last + 1`, drop what is not above `last`,
    /// and ask once for what lies in a hole. `over_hole`: it fills one or was held behind one.
    pub(crate) fn accept(&mut self, offset: u64, over_hole: bool) -> Offer {
        let Some(position) = &mut self.position else {
            return Offer::Repeat;
        };
        let last = position.offset;
        if !self.joined || !self.wanted || offset <= last {
            return Offer::Repeat;
        }
        if over_hole || (offset == last + 1 && self.hole.is_none()) {
            position.offset = offset;
            return Offer::Deliver { last };
        }
        if self.held == HELD_MAX {
            self.close_hole();
            return Offer::Full;
        }
        self.held += 1;
        if self.hole.is_none() {
            Offer::Ask { last }
        } else {
            Offer::Hold
        }
    }

    /// The hole was answered, filled or not: what was held is to be offered again.
    pub(crate) fn close_hole(&mut self) {
        self.hole = None;
        self.held = 0;
    }

    /// The server's word that live publications are missing. Returns false when it is old news.
    pub(crate) fn skip(&mut self, to: Position) -> bool {
        match &mut self.position {
            Some(position) if position.epoch != to.epoch || to.offset > position.offset => {
                *position = to;
                self.close_hole();
                true
            }
            _ => false,
        }
    }
}
