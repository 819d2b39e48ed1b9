//! Where channels live: publish, attach, history, presence.
//!
//! The contract, which a durable or a shared backend must keep too:
//! * publications of one channel get dense offsets in the order in which they are accepted;
//! * accepting, counting and recording a publish (its idempotency key is producer and `seq`) are one step;
//! * an epoch changes only when a channel has neither a subscriber nor any history;
//! * a broker knows no connection and no frame's destination: it returns what is to be told, and to which shards.

mod memory;

pub use memory::MemoryBroker;

use crate::channel::presence::{Change, Departure};
use crate::channel::recovery::Begin;
use bytes::Bytes;
use rejoin_protocol::position::Start;
use rejoin_protocol::reply::{Info, Member};
use std::sync::Arc;

/// The name of a channel, shared.
pub type Name = Arc<str>;

/// Index of a shard.
pub type ShardId = usize;

/// A publish, checked and not yet accepted.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Where to.
    pub channel: Name,
    /// The publisher's member.
    pub from: Arc<str>,
    /// Valid JSON, as written.
    pub data: Bytes,
    /// The idempotency key.
    pub key: Option<PublishKey>,
}

/// What makes a publish idempotent.
#[derive(Clone, Debug)]
pub struct PublishKey {
    /// Whose numbering.
    pub producer: Arc<str>,
    /// The number.
    pub seq: u64,
    /// A repeat: milliseconds since it was first sent.
    pub again: Option<u64>,
}

/// An accepted publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The message's offset.
    pub offset: u64,
    /// It had been accepted before.
    pub duplicate: bool,
}

/// Why a publish was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A repeat whose record may be gone. Permanent.
    #[error("whether this was published before is no longer known")]
    Expired,
}

/// One message on its way to the shards that have subscribers.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The channel.
    pub channel: Name,
    /// Its offset.
    pub offset: u64,
    /// The encoded `message` object.
    pub message: Bytes,
    /// Which shards have subscribers.
    pub shards: ShardSet,
}

/// A change of presence on its way to the shards that have subscribers.
#[derive(Clone, Debug)]
pub struct PresencePush {
    /// The channel.
    pub channel: Name,
    /// The list's version behind it.
    pub version: u64,
    /// The encoded `join` or `leave` object.
    pub message: Bytes,
    /// Which shards have subscribers.
    pub shards: ShardSet,
}

/// A set of shards; there are at most [`ShardSet::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSet(u64);

impl ShardSet {
    /// The largest number of shards.
    pub const MAX: usize = 64;

    /// Adds a shard.
    pub fn insert(&mut self, shard: ShardId) {
        self.0 |= 1 << shard;
    }

    /// Removes a shard.
    pub fn remove(&mut self, shard: ShardId) {
        self.0 &= !(1 << shard);
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Every shard in it, ascending.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..Self::MAX).filter(move |shard| self.0 & (1 << shard) != 0)
    }
}

/// A session that subscribes.
#[derive(Clone, Debug)]
pub struct Attach {
    /// The channel.
    pub channel: Name,
    /// Where the session's connection lives.
    pub shard: ShardId,
    /// The session.
    pub session: Arc<str>,
    /// Its member.
    pub member: Arc<str>,
    /// What presence shows of it.
    pub info: Option<Info>,
    /// Where delivery begins.
    pub start: Start,
    /// Whether it wants the members.
    pub presence: bool,
}

/// A session that is subscribed.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Where delivery begins.
    pub begin: Begin,
    /// Whether the channel keeps any history, to fall back to when a client is slow.
    pub has_history: bool,
    /// Who is there, if that was asked and the channel has presence.
    pub snapshot: Option<Snapshot>,
}

/// Who is in a channel.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Everyone; `None` above 500 members.
    pub members: Option<Vec<Member>>,
    /// How many.
    pub count: usize,
    /// The list's version.
    pub version: u64,
}

/// A session that leaves a channel.
#[derive(Clone, Debug)]
pub struct Detach {
    /// The channel.
    pub channel: Name,
    /// Where the session's connection lives.
    pub shard: ShardId,
    /// The session.
    pub session: Arc<str>,
    /// Its member.
    pub member: Arc<str>,
    /// Whether it said so, or its connection ended.
    pub wanted: bool,
    /// Whether that shard has no other subscriber.
    pub last_of_shard: bool,
}

/// The answer to `history`.
#[derive(Clone, Debug)]
pub struct Retained {
    /// The channel's epoch.
    pub epoch: Arc<str>,
    /// Its last offset.
    pub top: u64,
    /// Encoded `message` objects.
    pub messages: Vec<Bytes>,
}

pub(crate) fn departure(
    wanted: bool,
    now: crate::clock::Millis,
    grace: std::time::Duration,
) -> Departure {
    if wanted {
        Departure::Wanted
    } else {
        Departure::At(now + grace)
    }
}

/// The encoded `join` or `leave` of a change.
pub(crate) fn encode_change(channel: &str, change: Change) -> Bytes {
    use rejoin_protocol::push::{Join, Leave, ServerFrame};
    let Change {
        joined,
        member: Member { member, user, info },
        version,
    } = change;
    let channel = channel.to_owned();
    let frame: ServerFrame = if joined {
        Join {
            channel,
            member,
            user,
            info,
            version,
        }
        .into()
    } else {
        Leave {
            channel,
            member,
            user,
            info,
            version,
        }
        .into()
    };
    frame.encode().into()
}
