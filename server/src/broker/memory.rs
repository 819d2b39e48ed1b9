//! The channels that one shard owns, in its memory.

use super::{
    Attach, Attached, Delivery, Detach, Name, PresencePush, Publication, PublishError, Published,
    Retained, ShardSet, Snapshot, departure, encode_change,
};
use crate::channel::dedupe::{Bounds, Verdict};
use crate::channel::history::{Page, Range, Retention};
use crate::channel::presence::{Change, Departure};
use crate::channel::{Dedupe, History, Presence, recovery};
use crate::clock::{Millis, unix_millis};
use crate::config::{ChannelSettings, Config, limits};
use crate::random;
use bytes::Bytes;
use rejoin_protocol::limits::{BATCH_BYTES, PRESENCE_MEMBERS};
use rejoin_protocol::push::encode_message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The channels that one shard owns.
#[derive(Debug)]
pub struct MemoryBroker {
    config: Arc<Config>,
    channels: BTreeMap<Name, Channel>,
    dedupe: Dedupe,
    /// When a member's grace ends.
    departures: BTreeSet<(Millis, Name, Arc<str>)>,
}

#[derive(Debug)]
struct Channel {
    settings: ChannelSettings,
    history: History,
    presence: Presence,
    /// Where it has subscribers.
    shards: ShardSet,
    /// When it last had something to do, for choosing which idle channel goes first.
    used: Millis,
}

impl Channel {
    fn new(settings: ChannelSettings, now: Millis) -> Self {
        let retention = Retention {
            count: settings.history,
            bytes: limits::HISTORY_BYTES,
            ttl: settings.history_ttl,
        };
        Self {
            settings,
            history: History::new(random::name().into(), retention),
            presence: Presence::default(),
            shards: ShardSet::default(),
            used: now,
        }
    }

    fn is_idle(&self) -> bool {
        self.shards.is_empty() && self.presence.count() == 0
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let (count, version) = (self.presence.count(), self.presence.version());
        let members = (count <= PRESENCE_MEMBERS).then(|| self.presence.members().collect());
        self.settings.presence.then_some(Snapshot {
            members,
            count,
            version,
        })
    }

    fn push(&self, name: &Name, change: Change) -> PresencePush {
        let version = change.version;
        PresencePush {
            channel: name.clone(),
            version,
            message: encode_change(name, change),
            shards: self.shards,
        }
    }
}

impl MemoryBroker {
    /// Without any channel.
    pub fn new(config: Arc<Config>, now: Millis) -> Self {
        let bounds = Bounds {
            window: limits::PUBLISH_WINDOW,
            slack: limits::PUBLISH_SLACK,
            per_producer: limits::PUBLISHES_KEPT,
            producers: limits::PRODUCERS,
        };
        Self {
            config,
            channels: BTreeMap::new(),
            dedupe: Dedupe::new(now, bounds),
            departures: BTreeSet::new(),
        }
    }

    /// Accepts a publish, or finds that it was accepted before (then there is nothing to deliver).
    ///
    /// # Errors
    /// [`PublishError::Expired`]: a repeat whose record may be gone.
    pub fn publish(
        &mut self,
        now: Millis,
        publication: Publication,
    ) -> Result<(Published, Option<Delivery>), PublishError> {
        let Publication {
            channel: name,
            from,
            data,
            key,
        } = publication;
        if let Some(key) = &key {
            match self.dedupe.check(now, &key.producer, key.seq, key.again) {
                Verdict::New => {}
                Verdict::Duplicate(offset) => {
                    return Ok((
                        Published {
                            offset,
                            duplicate: true,
                        },
                        None,
                    ));
                }
                Verdict::Expired => return Err(PublishError::Expired),
            }
        }
        let channel = self.channel(now, &name);
        channel.history.expire(now);
        let encode = |offset| {
            Bytes::from(encode_message(
                &name,
                offset,
                Some(&from),
                Some(unix_millis()),
                &data,
            ))
        };
        let (offset, message) = channel.history.push(now, encode);
        let shards = channel.shards;
        if let Some(key) = &key {
            self.dedupe.record(now, &key.producer, key.seq, offset);
        }
        let delivery = (!shards.is_empty()).then_some(Delivery {
            channel: name,
            offset,
            message,
            shards,
        });
        Ok((
            Published {
                offset,
                duplicate: false,
            },
            delivery,
        ))
    }

    /// Adds a subscriber. Repeating it for a session that is there only asks anew.
    pub fn attach(&mut self, now: Millis, attach: Attach) -> (Attached, Option<PresencePush>) {
        let channel = self.channel(now, &attach.channel);
        channel.history.expire(now);
        channel.shards.insert(attach.shard);
        let change = if channel.settings.presence {
            channel
                .presence
                .enter(&attach.member, &attach.session, attach.info)
        } else {
            None
        };
        let attached = Attached {
            begin: recovery::begin(&channel.history, &attach.start),
            has_history: channel.settings.history > 0,
            snapshot: if attach.presence {
                channel.snapshot()
            } else {
                None
            },
        };
        let push = change.map(|change| channel.push(&attach.channel, change));
        (attached, push)
    }

    /// Removes a subscriber.
    pub fn detach(&mut self, now: Millis, detach: Detach) -> Option<PresencePush> {
        let channel = self.channels.get_mut(&detach.channel)?;
        channel.used = now;
        if detach.last_of_shard {
            channel.shards.remove(detach.shard);
        }
        let departure = departure(detach.wanted, now, channel.settings.presence_grace);
        let change = channel
            .presence
            .depart(&detach.member, &detach.session, departure);
        if let (Departure::At(instant), true) = (departure, channel.settings.presence) {
            self.departures
                .insert((instant, detach.channel.clone(), detach.member));
        }
        change.map(|change| channel.push(&detach.channel, change))
    }

    /// The messages after `since`, or `None` when the channel has another epoch or is gone.
    pub fn page(&mut self, now: Millis, name: &str, epoch: &str, since: u64) -> Option<Page> {
        let channel = self
            .channels
            .get_mut(name)
            .filter(|channel| **channel.history.epoch() == *epoch)?;
        channel.history.expire(now);
        Some(channel.history.after(since, BATCH_BYTES))
    }

    /// The messages of `range`, or `None` when the channel is gone.
    pub fn history(&mut self, now: Millis, name: &str, range: Range) -> Option<Retained> {
        let channel = self.channels.get_mut(name)?;
        channel.history.expire(now);
        let history = &channel.history;
        Some(Retained {
            epoch: history.epoch().clone(),
            top: history.top(),
            messages: history.query(range, BATCH_BYTES),
        })
    }

    /// Who is in a channel; `None` when it has no presence.
    pub fn presence(&self, name: &str) -> Option<Snapshot> {
        self.channels.get(name)?.snapshot()
    }

    /// The highest `seq` accepted here of `producer`.
    pub fn highest_seq(&self, producer: &str) -> u64 {
        self.dedupe.highest(producer)
    }

    /// When [`MemoryBroker::depart_due`] has something to do.
    pub fn next_departure(&self) -> Option<Millis> {
        self.departures.first().map(|(instant, ..)| *instant)
    }

    /// The leaves of everyone whose grace is over.
    pub fn depart_due(&mut self, now: Millis) -> Vec<PresencePush> {
        let mut pushes = Vec::new();
        while self
            .departures
            .first()
            .is_some_and(|(instant, ..)| *instant <= now)
        {
            let Some((_, name, member)) = self.departures.pop_first() else {
                break;
            };
            let Some(channel) = self.channels.get_mut(&name) else {
                continue;
            };
            if let Some(change) = channel.presence.expire(now, &member) {
                pushes.push(channel.push(&name, change));
            }
        }
        pushes
    }

    /// Forgets what is too old, and the idle channels beyond their bound, least used first.
    pub fn sweep(&mut self, now: Millis) {
        self.dedupe.expire(now);
        self.channels
            .values_mut()
            .for_each(|channel| channel.history.expire(now));
        self.channels
            .retain(|_, channel| !channel.is_idle() || !channel.history.is_empty());
        self.evict_idle(limits::IDLE_CHANNELS);
    }

    /// The application's state is replaced: everything is gone, and a publish from before is not known any more.
    pub fn replace(&mut self, now: Millis) {
        *self = Self::new(self.config.clone(), now);
    }

    fn channel(&mut self, now: Millis, name: &Name) -> &mut Channel {
        if !self.channels.contains_key(name) {
            // Between sweeps the bound may be passed by a half, so that evicting is rare and its cost spread.
            if self.channels.len() > limits::IDLE_CHANNELS + limits::IDLE_CHANNELS / 2 {
                self.evict_idle(limits::IDLE_CHANNELS);
            }
        }
        let settings = &self.config;
        let channel = self
            .channels
            .entry(name.clone())
            .or_insert_with(|| Channel::new(settings.channel(name).clone(), now));
        channel.used = now;
        channel
    }

    fn evict_idle(&mut self, keep: usize) {
        let idle = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.is_idle());
        let mut idle: Vec<(Millis, Name)> = idle
            .map(|(name, channel)| (channel.used, name.clone()))
            .collect();
        if idle.len() <= keep {
            return;
        }
        idle.sort();
        for (_, name) in &idle[..idle.len() - keep] {
            self.channels.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
