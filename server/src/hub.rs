//! One shard's subscribers: channel → connections, and the fan-out to them. Nothing else: a hub never knows what a message means.
//!
//! **Invariant:** every subscription has a position, and a message reaches a connection only if it is the next behind that position. What
//! does not fit (a slow socket, a hole) is not sent but replayed from history, so neither hole nor repeat can arise here.

use crate::broker::Name;
use crate::config::limits::{HELD_BYTES, PENDING_BYTES};
use crate::connection::Connection;
use crate::connection::handle::End;
use crate::frame::{self, Joined};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// The channels that have a subscriber on this shard.
#[derive(Debug, Default)]
pub struct Hub {
    channels: HashMap<Name, Channel>,
    /// Channels with something pending, in the order in which they became so.
    dirty: VecDeque<Name>,
    /// Bytes in pending batches.
    pending_bytes: usize,
}

#[derive(Debug)]
struct Channel {
    epoch: Arc<str>,
    /// The highest offset that reached this shard.
    last: u64,
    has_history: bool,
    /// Whether another shard owns it: then messages can pass an answer that is being awaited.
    remote: bool,
    subscribers: Vec<Option<Subscriber>>,
    free: Vec<usize>,
    pending: VecDeque<Batch>,
    /// Subscribers that are not live yet.
    held: usize,
    /// What came while there were such, the newest within a bound.
    recent: VecDeque<Recent>,
    recent_bytes: usize,
}

#[derive(Debug)]
struct Subscriber {
    connection: Rc<Connection>,
    progress: Progress,
    /// The version of presence it knows, if it wants joins and leaves.
    presence: Option<u64>,
}

/// How far a subscription is. Positions are the last offset sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Being attached.
    Held,
    /// Pulled from history, up to the top.
    Replay { position: u64, why: Replay },
    /// Next comes what is published.
    Live { position: u64 },
}

/// Why a subscription is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It was announced by the answer to `subscribe`, and ends with `live`.
    Announced,
    /// The socket took its data too slowly.
    Slow,
}

/// Messages or changes of presence, joined into one frame.
#[derive(Debug)]
struct Batch {
    kind: Kind,
    first: u64,
    last: u64,
    joined: Joined,
    /// A subscription began behind it: nothing may be added.
    sealed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Messages,
    Presence,
}

#[derive(Debug)]
struct Recent {
    kind: Kind,
    number: u64,
    object: Bytes,
}

/// A batch on its way to a channel's subscribers.
#[derive(Debug)]
pub struct Pass {
    channel: Name,
    kind: Kind,
    first: u64,
    last: u64,
    frame: Bytes,
    next: usize,
    end: usize,
}

impl Pass {
    /// The frame to write.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Whether there are subscribers behind the last slice.
    pub fn has_more(&self) -> bool {
        self.next < self.end
    }
}

/// A subscription in a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

/// How a subscription begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The channel's epoch.
    pub epoch: Arc<str>,
    /// Delivery begins behind this offset.
    pub since: u64,
    /// The channel's last offset when it was asked.
    pub offset: u64,
    /// Whether the channel keeps history.
    pub has_history: bool,
    /// The version of presence told, if joins and leaves are wanted.
    pub presence: Option<u64>,
}

impl Hub {
    /// Adds a subscriber that gets nothing until [`Hub::begin`].
    pub fn join(&mut self, name: &Name, connection: Rc<Connection>, remote: bool) -> Slot {
        let channel = self
            .channels
            .entry(name.clone())
            .or_insert_with(|| Channel {
                epoch: "".into(),
                last: 0,
                has_history: false,
                remote,
                subscribers: Vec::new(),
                free: Vec::new(),
                pending: VecDeque::new(),
                held: 0,
                recent: VecDeque::new(),
                recent_bytes: 0,
            });
        channel.held += 1;
        let subscriber = Subscriber {
            connection,
            progress: Progress::Held,
            presence: None,
        };
        let slot = channel.free.pop().unwrap_or(channel.subscribers.len());
        if slot == channel.subscribers.len() {
            channel.subscribers.push(None);
        }
        channel.subscribers[slot] = Some(subscriber);
        Slot(slot)
    }

    /// Whether the subscription is still there.
    pub fn holds(&self, name: &str, slot: Slot, connection: &Connection) -> bool {
        self.subscriber(name, slot)
            .is_some_and(|subscriber| subscriber.connection.id == connection.id)
    }

    fn subscriber(&self, name: &str, slot: Slot) -> Option<&Subscriber> {
        self.channels.get(name)?.subscribers.get(slot.0)?.as_ref()
    }

    /// The subscription was answered: it goes live, or is replayed first.
    pub fn begin(&mut self, name: &Name, slot: Slot, beginning: Beginning) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if *channel.epoch != *beginning.epoch {
            channel.epoch = beginning.epoch;
            channel.last = channel.last.max(beginning.offset);
        }
        channel.last = channel.last.max(beginning.offset);
        channel.has_history = beginning.has_history;
        channel.set_presence(slot, beginning.presence);
        if beginning.since < beginning.offset {
            channel.set_replay(name, slot, beginning.since, Replay::Announced);
        } else {
            channel.go_live(name, slot, beginning.since);
        }
    }

    /// Changes whether a subscription wants joins and leaves, and from which version on.
    pub fn set_presence(&mut self, name: &str, slot: Slot, presence: Option<u64>) {
        if let Some(channel) = self.channels.get_mut(name) {
            channel.set_presence(slot, presence);
        }
    }

    /// The epoch and the last offset sent of a subscription.
    pub fn position(&self, name: &str, slot: Slot) -> Option<(Arc<str>, u64)> {
        let channel = self.channels.get(name)?;
        let subscriber = channel.subscribers.get(slot.0)?.as_ref()?;
        let position = match subscriber.progress {
            Progress::Held => channel.last,
            Progress::Replay { position, .. } | Progress::Live { position } => position,
        };
        Some((channel.epoch.clone(), position))
    }

    /// The replay that a subscription is in: epoch, position and why.
    pub fn replay(&self, name: &str, slot: Slot) -> Option<(Arc<str>, u64, Replay)> {
        let channel = self.channels.get(name)?;
        match channel.subscribers.get(slot.0)?.as_ref()?.progress {
            Progress::Replay { position, why } => Some((channel.epoch.clone(), position, why)),
            Progress::Held | Progress::Live { .. } => None,
        }
    }

    /// A replay has sent everything up to `position`, which was the channel's last offset if `done`.
    pub fn replayed(&mut self, name: &Name, slot: Slot, position: u64, done: bool) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let Some(Some(subscriber)) = channel.subscribers.get_mut(slot.0) else {
            return;
        };
        let Progress::Replay { why, .. } = subscriber.progress else {
            return;
        };
        if done {
            channel.go_live(name, slot, position);
        } else {
            subscriber.progress = Progress::Replay { position, why };
            subscriber.connection.replay(name.clone());
        }
    }

    /// The subscription of a connection, by search.
    pub fn find(&self, name: &str, connection: &Connection) -> Option<Slot> {
        let subscribers = &self.channels.get(name)?.subscribers;
        let is_it = |each: &Option<Subscriber>| {
            each.as_ref()
                .is_some_and(|each| each.connection.id == connection.id)
        };
        subscribers.iter().position(is_it).map(Slot)
    }

    /// Removes a subscriber. Returns whether it was the channel's last on this shard.
    pub fn leave(&mut self, name: &str, slot: Slot, connection: &Connection) -> bool {
        if !self.holds(name, slot, connection) {
            return false;
        }
        let Some(channel) = self.channels.get_mut(name) else {
            return false;
        };
        let Some(subscriber) = channel.subscribers[slot.0].take() else {
            return false;
        };
        channel.free.push(slot.0);
        if !matches!(subscriber.progress, Progress::Live { .. }) {
            channel.release();
        }
        let last = channel.free.len() == channel.subscribers.len();
        if last {
            self.remove(name);
        }
        last
    }

    /// Forgets every channel of `forgotten`, in silence.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is forgotten in one step has no order"
    )]
    pub fn forget(&mut self, forgotten: impl Fn(&str) -> bool) {
        let mut names: Vec<Name> = self
            .channels
            .keys()
            .filter(|name| forgotten(name))
            .cloned()
            .collect();
        names.drain(..).for_each(|name| self.remove(&name));
    }

    fn remove(&mut self, name: &str) {
        if let Some(channel) = self.channels.remove(name) {
            self.pending_bytes -= channel
                .pending
                .iter()
                .map(|batch| batch.joined.bytes())
                .sum::<usize>();
        }
    }

    /// Takes a message for the channel's subscribers. Returns whether the flusher has something to do.
    pub fn deliver(&mut self, name: &Name, offset: u64, message: &Bytes) -> bool {
        self.take_in(name, Kind::Messages, offset, message)
    }

    /// Takes a join or leave for those who want it. Returns whether the flusher has something to do.
    pub fn deliver_presence(&mut self, name: &Name, version: u64, message: &Bytes) -> bool {
        self.take_in(name, Kind::Presence, version, message)
    }

    fn take_in(&mut self, name: &Name, kind: Kind, number: u64, object: &Bytes) -> bool {
        let Some(channel) = self.channels.get_mut(name) else {
            return false;
        };
        if kind == Kind::Messages {
            channel.last = channel.last.max(number);
        }
        channel.hold_back(kind, number, object);
        if channel.pending.is_empty() {
            self.dirty.push_back(name.clone());
        }
        self.pending_bytes += channel.append(kind, number, object);
        true
    }

    /// Whether publishers must wait for the flusher.
    pub fn is_congested(&self) -> bool {
        self.pending_bytes > PENDING_BYTES
    }

    /// The next batch to write, oldest first.
    pub fn next_pass(&mut self) -> Option<Pass> {
        loop {
            let name = self.dirty.front()?;
            let batch = self
                .channels
                .get_mut(name)
                .and_then(|channel| channel.pending.pop_front());
            let Some(Batch {
                kind,
                first,
                last,
                joined,
                ..
            }) = batch
            else {
                self.dirty.pop_front();
                continue;
            };
            self.pending_bytes -= joined.bytes();
            return Some(Pass {
                channel: name.clone(),
                kind,
                first,
                last,
                frame: joined.finish(),
                next: 0,
                end: 0,
            });
        }
    }

    /// The next sockets to write to, at most `count` subscribers further; `None` at the end. Those whose socket is behind are dealt with here.
    pub fn slice(&mut self, pass: &mut Pass, count: usize) -> Option<Vec<Rc<Connection>>> {
        let channel = self.channels.get_mut(&pass.channel)?;
        if pass.next >= channel.subscribers.len() {
            return None;
        }
        let end = channel.subscribers.len().min(pass.next + count);
        let mut clear = Vec::with_capacity(end - pass.next);
        for slot in pass.next..end {
            let Some(subscriber) = &mut channel.subscribers[slot] else {
                continue;
            };
            match subscriber.accept(pass) {
                Accept::Skip => {}
                Accept::Send if subscriber.connection.is_clear() => {
                    clear.push(subscriber.connection.clone());
                }
                Accept::Send if subscriber.connection.send(&pass.frame).is_ok() => {}
                Accept::Send | Accept::Repair => channel.fall_behind(pass, Slot(slot)),
            }
        }
        pass.next = end;
        pass.end = channel.subscribers.len();
        Some(clear)
    }
}

enum Accept {
    Skip,
    Send,
    /// The batch does not continue the position.
    Repair,
}

impl Subscriber {
    /// Whether a batch is the next for this subscription; if so, the position moves on.
    fn accept(&mut self, pass: &Pass) -> Accept {
        match (pass.kind, &mut self.progress, &mut self.presence) {
            (Kind::Messages, Progress::Live { position }, _) if *position + 1 == pass.first => {
                *position = pass.last;
                Accept::Send
            }
            (Kind::Messages, Progress::Live { position }, _) if *position >= pass.last => {
                Accept::Skip
            }
            (Kind::Messages, Progress::Live { .. }, _) => Accept::Repair,
            (Kind::Presence, Progress::Replay { .. } | Progress::Live { .. }, Some(version))
                if *version < pass.last =>
            {
                *version = pass.last;
                Accept::Send
            }
            (Kind::Messages | Kind::Presence, ..) => Accept::Skip,
        }
    }
}

impl Channel {
    fn set_presence(&mut self, slot: Slot, presence: Option<u64>) {
        self.seal();
        if let Some(Some(subscriber)) = self.subscribers.get_mut(slot.0) {
            subscriber.presence = presence;
        }
    }

    fn set_replay(&mut self, name: &Name, slot: Slot, position: u64, why: Replay) {
        let Some(Some(subscriber)) = self.subscribers.get_mut(slot.0) else {
            return;
        };
        if matches!(subscriber.progress, Progress::Live { .. }) {
            self.held += 1;
        }
        subscriber.progress = Progress::Replay { position, why };
        subscriber.connection.replay(name.clone());
    }

    /// Everything up to `position` was sent. What came since is sent now if it is at hand, else pulled from history.
    fn go_live(&mut self, name: &Name, slot: Slot, position: u64) {
        let reachable = position >= self.last
            || self
                .recent_after(position)
                .next()
                .is_some_and(|next| next.number == position + 1);
        let Some(Some(subscriber)) = self.subscribers.get(slot.0) else {
            return;
        };
        let (connection, known) = (subscriber.connection.clone(), subscriber.presence);
        if !reachable {
            let why = match subscriber.progress {
                Progress::Replay { why, .. } => why,
                Progress::Held | Progress::Live { .. } => Replay::Slow,
            };
            return self.set_replay(name, slot, position, why);
        }
        if let Some(Progress::Replay {
            why: Replay::Announced,
            ..
        }) = self.progress(slot)
        {
            let live = rejoin_protocol::push::Live {
                channel: name.to_string(),
                offset: position,
            };
            connection.send_or_end(&frame::text(
                rejoin_protocol::ServerFrame::from(live).encode().as_bytes(),
            ));
        }
        let presence = self.recent.iter().filter(|recent| {
            recent.kind == Kind::Presence && known.is_some_and(|version| recent.number > version)
        });
        let missed: Vec<&Bytes> = self
            .recent_after(position)
            .chain(presence)
            .map(|recent| &recent.object)
            .collect();
        for frame in frame::join(missed) {
            connection.send_or_end(&frame);
        }
        let version = self
            .recent
            .iter()
            .rev()
            .find(|recent| recent.kind == Kind::Presence)
            .map(|recent| recent.number);
        self.seal();
        let position = position.max(self.last);
        if let Some(Some(subscriber)) = self.subscribers.get_mut(slot.0) {
            subscriber.progress = Progress::Live { position };
            subscriber.presence = known.map(|known| known.max(version.unwrap_or(0)));
        }
        self.release();
    }

    fn progress(&self, slot: Slot) -> Option<Progress> {
        Some(self.subscribers.get(slot.0)?.as_ref()?.progress)
    }

    fn recent_after(&self, position: u64) -> impl Iterator<Item = &Recent> {
        self.recent
            .iter()
            .filter(move |recent| recent.kind == Kind::Messages && recent.number > position)
    }

    /// One subscriber less that is not live.
    fn release(&mut self) {
        self.held -= 1;
        if self.held == 0 {
            self.recent = VecDeque::new();
            self.recent_bytes = 0;
        }
    }

    fn hold_back(&mut self, kind: Kind, number: u64, object: &Bytes) {
        if self.held == 0 || !self.remote {
            return;
        }
        self.recent_bytes += object.len();
        self.recent.push_back(Recent {
            kind,
            number,
            object: object.clone(),
        });
        while self.recent_bytes > HELD_BYTES {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            self.recent_bytes -= oldest.object.len();
        }
    }

    /// Adds to the open batch, or opens one. Returns by how many bytes what is pending grew.
    fn append(&mut self, kind: Kind, number: u64, object: &Bytes) -> usize {
        if let Some(open) = self.pending.back_mut() {
            let before = open.joined.bytes();
            let continues = !open.sealed && open.kind == kind && open.last + 1 == number;
            if continues && open.joined.try_push(object) {
                open.last = number;
                return open.joined.bytes() - before;
            }
        }
        let batch = Batch {
            kind,
            first: number,
            last: number,
            joined: Joined::new(object),
            sealed: false,
        };
        let grown = batch.joined.bytes();
        self.pending.push_back(batch);
        grown
    }

    fn seal(&mut self) {
        if let Some(open) = self.pending.back_mut() {
            open.sealed = true;
        }
    }

    /// A subscriber cannot be given a batch: its outbox is full, or the batch does not continue its position.
    fn fall_behind(&mut self, pass: &Pass, slot: Slot) {
        let Some(Some(subscriber)) = self.subscribers.get(slot.0) else {
            return;
        };
        match (pass.kind, subscriber.progress) {
            (Kind::Messages, Progress::Live { position }) if self.has_history => {
                // The position moved on with a batch that was accepted and then found no room.
                let sent = if position == pass.last {
                    pass.first - 1
                } else {
                    position
                };
                self.set_replay(&pass.channel, slot, sent, Replay::Slow);
            }
            _ => subscriber.connection.end(End::too_slow()),
        }
    }
}

#[cfg(test)]
mod tests;
