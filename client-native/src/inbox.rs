//! What a subscription has not read yet.
//!
//! **Invariant:** an inbox holds at most [`ITEMS_MAX`] items and one gap. Who reads too slowly loses messages, is told which,
//! and slows down nobody else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use rejoin_protocol::push::Message;
use rejoin_session::Why;
use tokio::sync::Notify;

/// Items that wait for a slow reader of one subscription.
pub const ITEMS_MAX: usize = 4_096;

/// What a channel brings.
#[derive(Clone, Debug)]
pub enum Item {
    /// A message: the next one.
    Message(Message),
    /// Messages that will not come; what follows is behind them.
    Gap(Gap),
}

/// A range of messages that will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first offset missed.
    pub from: u64,
    /// The last offset missed; `None` when nobody can know.
    pub to: Option<u64>,
    /// Why. [`Why::Slow`] is also said of a subscription that was not read for too long.
    pub why: Why,
}

/// The queue between the driver and one subscription.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    closed: bool,
}

impl Inbox {
    /// Adds an item. When there is no room, it becomes part of a gap at the end.
    pub(crate) fn push(&self, item: Item) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        if queue.items.len() < ITEMS_MAX {
            queue.items.push_back(item);
        } else {
            queue.overflow(item);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Nothing follows; what is there can still be read.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Whether nobody reads or nothing follows.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The next item; `None` when nothing follows. One reader.
    pub(crate) async fn next(&self) -> Option<Item> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.lock();
                if let Some(item) = queue.items.pop_front() {
                    return Some(item);
                }
                if queue.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no panic happens under this lock")
    }
}

impl Queue {
    fn overflow(&mut self, item: Item) {
        let (from, to) = match item {
            Item::Message(message) => (message.offset, Some(message.offset)),
            Item::Gap(gap) => (gap.from, gap.to),
        };
        if self.items.len() > ITEMS_MAX
            && let Some(Item::Gap(gap)) = self.items.back_mut()
        {
            gap.to = gap.to.and(to);
            return;
        }
        let why = Why::Slow;
        self.items.push_back(Item::Gap(Gap { from, to, why }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(offset: u64) -> Item {
        let text = format!(r#"{{"type":"message","channel":"a","offset":{offset},"data":0}}"#);
        Item::Message(serde_json::from_str(&text).expect("a message"))
    }

    fn offsets(item: Item) -> (u64, Option<u64>) {
        match item {
            Item::Message(message) => (message.offset, None),
            Item::Gap(gap) => (gap.from, gap.to),
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_as_one_gap() {
        let inbox = Inbox::default();
        let full = ITEMS_MAX as u64;
        for offset in 1..=full + 3 {
            inbox.push(message(offset));
        }
        for offset in 1..=full {
            let item = inbox.next().await.expect("an item");
            assert_eq!(offsets(item), (offset, None));
        }
        let gap = inbox.next().await.expect("the gap");
        assert_eq!(offsets(gap), (full + 1, Some(full + 3)));
        inbox.push(message(full + 4));
        assert_eq!(
            offsets(inbox.next().await.expect("an item")),
            (full + 4, None)
        );
        inbox.close();
        assert!(inbox.next().await.is_none());
    }

    #[tokio::test]
    async fn a_gap_without_end_stays_without_end() {
        let inbox = Inbox::default();
        for offset in 1..=ITEMS_MAX as u64 + 1 {
            inbox.push(message(offset));
        }
        let (from, why) = (9, Why::Epoch);
        inbox.push(Item::Gap(Gap {
            from,
            to: None,
            why,
        }));
        inbox.push(message(3));
        for _ in 0..ITEMS_MAX {
            inbox.next().await;
        }
        let gap = inbox.next().await.expect("the gap");
        assert_eq!(offsets(gap), (ITEMS_MAX as u64 + 1, None));
    }
}
