//! The publications that a channel still holds.

use crate::clock::Millis;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How much a channel retains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Messages; 0 keeps none.
    pub count: usize,
    /// Bytes of messages; the newest message is kept even if it alone is larger.
    pub bytes: usize,
    /// How long a message is kept.
    pub ttl: Duration,
}

/// One incarnation of a channel's numbering, and the newest messages of it.
///
/// **Invariant:** the entries are dense: their offsets end at `top` and have no holes.
#[derive(Debug)]
pub struct History {
    epoch: Arc<str>,
    top: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    retention: Retention,
}

#[derive(Debug)]
struct Entry {
    accepted: Millis,
    message: Bytes,
}

/// Messages in order, from `first` on without holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The offset of the first message; where there is none, one above the last offset that was lost.
    pub first: u64,
    /// Encoded `message` objects.
    pub messages: Vec<Bytes>,
    /// The channel's last offset at this instant.
    pub top: u64,
}

impl Page {
    /// The offset of the last message of this page; `first − 1` if it is empty.
    pub fn last(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }
}

/// Which messages `history` asks for. `after` and `before` are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Only offsets above this one.
    pub after: u64,
    /// Only offsets below this one.
    pub before: u64,
    /// At most so many.
    pub limit: usize,
    /// Newest first.
    pub reverse: bool,
}

impl History {
    /// An empty history of a new incarnation.
    pub fn new(epoch: Arc<str>, retention: Retention) -> Self {
        Self {
            epoch,
            top: 0,
            entries: VecDeque::new(),
            bytes: 0,
            retention,
        }
    }

    /// Names this incarnation.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// The last offset given; 0 before the first message.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The offset of the oldest message held; `top + 1` if there is none.
    pub fn oldest(&self) -> u64 {
        self.top + 1 - self.entries.len() as u64
    }

    /// Takes the next offset for the message that `encode` makes of it.
    pub fn push(&mut self, now: Millis, encode: impl FnOnce(u64) -> Bytes) -> (u64, Bytes) {
        self.top += 1;
        let message = encode(self.top);
        if self.retention.count > 0 {
            self.bytes += message.len();
            self.entries.push_back(Entry {
                accepted: now,
                message: message.clone(),
            });
            while self.entries.len() > self.retention.count
                || (self.bytes > self.retention.bytes && self.entries.len() > 1)
            {
                self.drop_oldest();
            }
        }
        (self.top, message)
    }

    /// Drops what is older than its time to live.
    pub fn expire(&mut self, now: Millis) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.accepted + self.retention.ttl <= now)
        {
            self.drop_oldest();
        }
    }

    /// The messages after `since` that fit into `bytes`, at least one if there is any. Cost: O(k).
    pub fn after(&self, since: u64, bytes: usize) -> Page {
        let first = (since + 1).max(self.oldest());
        let messages = take_bytes(self.range(first, self.top + 1), bytes);
        Page {
            first,
            messages,
            top: self.top,
        }
    }

    /// The messages of `range` that fit into `bytes`, at least one if there is any.
    pub fn query(&self, range: Range, bytes: usize) -> Vec<Bytes> {
        let first = range.after.saturating_add(1).max(self.oldest());
        let end = range.before.min(self.top + 1);
        let messages = self.range(first, end);
        if range.reverse {
            take_bytes(messages.rev().take(range.limit), bytes)
        } else {
            take_bytes(messages.take(range.limit), bytes)
        }
    }

    /// The messages with offsets `first..end`; `first` is not below the oldest.
    fn range(&self, first: u64, end: u64) -> impl DoubleEndedIterator<Item = &Bytes> {
        let index = |offset: u64| usize::try_from(offset - self.oldest()).unwrap_or(usize::MAX);
        let range = if first < end {
            index(first)..index(end)
        } else {
            0..0
        };
        self.entries.range(range).map(|entry| &entry.message)
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.message.len();
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }
}

fn take_bytes<'m>(messages: impl Iterator<Item = &'m Bytes>, bytes: usize) -> Vec<Bytes> {
    let mut total = 0;
    messages
        .take_while(|message| {
            let fits = total == 0 || total + message.len() < bytes;
            total += message.len() + 1; // and a comma
            fits
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(count: usize, bytes: usize) -> History {
        History::new(
            "e".into(),
            Retention {
                count,
                bytes,
                ttl: Duration::from_secs(10),
            },
        )
    }

    fn fill(history: &mut History, count: u64) {
        for _ in 0..count {
            history.push(Millis(0), |offset| Bytes::from(offset.to_string()));
        }
    }

    fn texts(messages: &[Bytes]) -> Vec<&str> {
        messages
            .iter()
            .map(|message| std::str::from_utf8(message).unwrap())
            .collect()
    }

    #[test]
    fn without_retention_only_offsets_count() {
        let mut history = history(0, 100);
        fill(&mut history, 3);
        assert_eq!(
            (history.top(), history.oldest(), history.is_empty()),
            (3, 4, true)
        );
        assert_eq!(
            history.after(1, 100),
            Page {
                first: 4,
                messages: vec![],
                top: 3
            }
        );
    }

    #[test]
    fn messages_expire_by_age() {
        let mut history = history(10, 100);
        fill(&mut history, 1);
        history.push(Millis(5_000), |_| Bytes::from("2"));
        history.expire(Millis(9_999));
        assert_eq!(history.oldest(), 1);
        history.expire(Millis(10_000));
        assert_eq!(history.oldest(), 2);
        history.expire(Millis(15_000));
        assert!(history.is_empty());
        assert_eq!(history.oldest(), 3);
    }

    #[test]
    fn ranges_are_exclusive_at_both_ends() {
        let mut history = history(5, 100);
        fill(&mut history, 8);
        let range = Range {
            after: 5,
            before: 8,
            limit: 10,
            reverse: false,
        };
        assert_eq!(texts(&history.query(range, 1000)), ["6", "7"]);
        assert_eq!(
            texts(&history.query(
                Range {
                    reverse: true,
                    ..range
                },
                1000
            )),
            ["7", "6"]
        );
        assert_eq!(
            texts(&history.query(
                Range {
                    after: 0,
                    limit: 1,
                    ..range
                },
                1000
            )),
            ["4"]
        );
        assert_eq!(
            texts(&history.query(
                Range {
                    after: u64::MAX,
                    before: u64::MAX,
                    ..range
                },
                1000
            )),
            [""; 0]
        );
        assert_eq!(
            texts(&history.query(
                Range {
                    after: 0,
                    before: 0,
                    ..range
                },
                1000
            )),
            [""; 0]
        );
        assert_eq!(texts(&history.after(2, 0).messages), ["4"], "at least one");
    }

    proptest! {
        #[test]
        fn pages_follow_one_another_without_hole_or_repeat(
            count in 0usize..20, bytes in 1usize..60, published in 0u64..60, since in 0u64..60, page_bytes in 0usize..12
        ) {
            let mut history = history(count, bytes);
            fill(&mut history, published);
            prop_assert!(history.entries.len() <= count);
            prop_assert!(history.bytes <= bytes || history.entries.len() == 1);
            let mut position = since.min(history.top());
            let mut seen = Vec::new();
            while position < history.top() {
                let page = history.after(position, page_bytes);
                seen.extend(texts(&page.messages).iter().map(|text| text.parse::<u64>().unwrap()));
                prop_assert!(page.last() > position);
                position = page.last();
            }
            let expected: Vec<u64> = (since.min(history.top()) + 1..=history.top()).filter(|&n| n >= history.oldest()).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
