//! Results of accepted publishes, so that a repeat is answered and not published again.
//!
//! **Invariant:** a repeat is accepted as new only if its record cannot have been forgotten. The table of a shard records the
//! publishes to the channels which that shard owns; a repeat names the same channel as before, so it meets the same table, and
//! checking, appending and recording happen in one step there. That makes the answer exact without a table across shards.

use crate::clock::Millis;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The records of one shard.
#[derive(Debug)]
pub struct Dedupe {
    bounds: Bounds,
    producers: HashMap<Arc<str>, Producer>,
    /// Producers by when they were last accepted, oldest first; stale pairs are skipped.
    order: VecDeque<(Millis, Arc<str>)>,
    /// Records of publishes first sent before this instant may be missing as a whole.
    complete_since: Millis,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Up to what age a repeat is answered.
    pub window: Duration,
    /// How much longer a record is kept: a repeat says its age as it is sent, and is under way for a while.
    pub slack: Duration,
    /// Records kept of each producer.
    pub per_producer: usize,
    /// Producers kept.
    pub producers: usize,
}

#[derive(Debug, Default)]
struct Producer {
    records: BTreeMap<u64, Record>,
    last_accepted: Millis,
    /// The highest `seq` accepted, also of forgotten records.
    highest: u64,
    /// Records up to this `seq` may have been forgotten.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    offset: u64,
    accepted: Millis,
}

/// What the table knows of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not published before.
    New,
    /// Published before, at this offset.
    Duplicate(u64),
    /// Nobody knows any more.
    Expired,
}

impl Dedupe {
    /// An empty table, as after a restart: what was sent before `now` may have been accepted without a record.
    pub fn new(now: Millis, bounds: Bounds) -> Self {
        Self {
            bounds,
            producers: HashMap::new(),
            order: VecDeque::new(),
            complete_since: now,
        }
    }

    /// Whether (`producer`, `seq`) was published; `again` is how long ago it was first sent, if it is a repeat.
    pub fn check(&self, now: Millis, producer: &str, seq: u64, again: Option<u64>) -> Verdict {
        let known = self.producers.get(producer);
        if let Some(record) = known.and_then(|known| known.records.get(&seq)) {
            return Verdict::Duplicate(record.offset);
        }
        let Some(again) = again else {
            return Verdict::New;
        };
        let forgotten = u128::from(again) > self.bounds.window.as_millis()
            || again > now.since(self.complete_since)
            || known.is_some_and(|known| seq <= known.forgotten);
        if forgotten {
            Verdict::Expired
        } else {
            Verdict::New
        }
    }

    /// Remembers an accepted publish.
    pub fn record(&mut self, now: Millis, producer: &Arc<str>, seq: u64, offset: u64) {
        let known = self.producers.entry(producer.clone()).or_default();
        known.records.insert(
            seq,
            Record {
                offset,
                accepted: now,
            },
        );
        known.highest = known.highest.max(seq);
        if known.records.len() > self.bounds.per_producer {
            known.forget_lowest();
        }
        // One pair of a producer for each instant at most.
        if known.records.len() == 1 || known.last_accepted != now {
            known.last_accepted = now;
            self.order.push_back((now, producer.clone()));
        }
        while self.producers.len() > self.bounds.producers
            || self.order.len() > 2 * self.bounds.producers
        {
            self.drop_stalest();
        }
    }

    /// The highest `seq` accepted of `producer`, 0 if none is known.
    pub fn highest(&self, producer: &str) -> u64 {
        self.producers
            .get(producer)
            .map_or(0, |known| known.highest)
    }

    /// Forgets what is older than the window.
    pub fn expire(&mut self, now: Millis) {
        let window = self.bounds.window + self.bounds.slack;
        while let Some((accepted, producer)) = self.order.front() {
            if *accepted + window >= now {
                break;
            }
            if let Some(known) = self.producers.get_mut(producer) {
                known.forget_before(now, window);
                // Of what was accepted later the records may have gone to the limit, and how far they went must be kept.
                if known.records.is_empty() && known.last_accepted + window < now {
                    self.producers.remove(producer);
                }
            }
            self.order.pop_front();
        }
    }

    /// Drops the producer that published longest ago. Repeats of what it had sent until then are no longer known.
    fn drop_stalest(&mut self) {
        let Some((accepted, producer)) = self.order.pop_front() else {
            return;
        };
        if self
            .producers
            .get(&producer)
            .is_some_and(|known| known.last_accepted == accepted)
        {
            self.producers.remove(&producer);
            self.complete_since = self.complete_since.max(accepted + Duration::from_millis(1));
        }
    }
}

impl Producer {
    fn forget_lowest(&mut self) {
        if let Some((seq, _)) = self.records.pop_first() {
            self.forgotten = self.forgotten.max(seq);
        }
    }

    fn forget_before(&mut self, now: Millis, window: Duration) {
        let forgotten = &mut self.forgotten;
        self.records.retain(|&seq, record| {
            let keep = record.accepted + window >= now;
            if !keep {
                *forgotten = (*forgotten).max(seq);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds {
        window: Duration::from_millis(100),
        slack: Duration::ZERO,
        per_producer: 3,
        producers: 2,
    };

    fn table() -> Dedupe {
        Dedupe::new(Millis(1_000), BOUNDS)
    }

    #[test]
    fn a_repeat_gets_the_first_offset() {
        let mut table = table();
        let ana = "ana".into();
        assert_eq!(table.check(Millis(1_000), "ana", 1, None), Verdict::New);
        table.record(Millis(1_000), &ana, 1, 41);
        assert_eq!(
            table.check(Millis(1_001), "ana", 1, Some(1)),
            Verdict::Duplicate(41)
        );
        assert_eq!(
            table.check(Millis(1_001), "ana", 1, None),
            Verdict::Duplicate(41)
        );
        assert_eq!(table.check(Millis(1_001), "ben", 1, Some(1)), Verdict::New);
        assert_eq!((table.highest("ana"), table.highest("ben")), (1, 0));
    }

    #[test]
    fn what_may_have_been_forgotten_is_expired() {
        let mut table = table();
        assert_eq!(
            table.check(Millis(1_050), "ana", 1, Some(51)),
            Verdict::Expired,
            "sent before the table began"
        );
        assert_eq!(table.check(Millis(1_050), "ana", 1, Some(50)), Verdict::New);
        assert_eq!(
            table.check(Millis(9_000), "ana", 1, Some(101)),
            Verdict::Expired,
            "beyond the window"
        );
        let ana = "ana".into();
        for seq in 1..=4 {
            table.record(Millis(1_060), &ana, seq, seq);
        }
        assert_eq!(
            table.check(Millis(1_061), "ana", 1, Some(1)),
            Verdict::Expired,
            "below the oldest kept"
        );
        assert_eq!(
            table.check(Millis(1_061), "ana", 1, None),
            Verdict::New,
            "not a repeat"
        );
        assert_eq!(
            table.check(Millis(1_061), "ana", 2, Some(1)),
            Verdict::Duplicate(2)
        );
    }

    #[test]
    fn a_higher_seq_does_not_make_a_lower_one_a_repeat() {
        let mut table = table();
        table.record(Millis(1_000), &"ana".into(), 9, 1);
        assert_eq!(table.check(Millis(1_010), "ana", 5, Some(3)), Verdict::New);
    }

    #[test]
    fn too_many_producers_push_out_the_stalest() {
        let mut table = table();
        for (now, producer) in [(1_010, "ana"), (1_020, "ben"), (1_030, "cem")] {
            table.record(Millis(now), &producer.into(), 1, 1);
        }
        assert_eq!(table.producers.len(), 2);
        assert_eq!(
            table.check(Millis(1_031), "ana", 1, Some(25)),
            Verdict::Expired
        );
        assert_eq!(
            table.check(Millis(1_031), "ben", 1, Some(15)),
            Verdict::Duplicate(1)
        );
    }

    proptest! {
        /// The promise: whatever is sent again, nothing is published twice.
        #[test]
        fn nothing_is_ever_published_twice(
            steps in proptest::collection::vec((0u64..30, 0u8..4, 1u64..8, any::<bool>()), 0..120)
        ) {
            let mut table = table();
            let mut first_sent = BTreeMap::new();
            let mut published = std::collections::BTreeSet::new();
            let mut now = Millis(1_000);
            for (wait, producer, seq, sweep) in steps {
                now = Millis(now.0 + wait);
                if sweep { table.expire(now); }
                let producer: Arc<str> = format!("p{producer}").into();
                let key = (producer.clone(), seq);
                let again = first_sent.get(&key).map(|&sent| now.since(sent));
                first_sent.entry(key.clone()).or_insert(now);
                match table.check(now, &producer, seq, again) {
                    Verdict::New => {
                        prop_assert!(published.insert(key), "published twice");
                        table.record(now, &producer, seq, 1);
                    }
                    Verdict::Duplicate(_) => prop_assert!(published.contains(&key)),
                    Verdict::Expired => {}
                }
                prop_assert!(table.producers.len() <= 2);
                prop_assert!(table.order.len() <= 4);
            }
        }
    }
}
