//! What a shard does between its connections: flush, carry messages to other shards and take theirs, keep house.

use super::{Inbox, InboxSender, Node};
use crate::broker::ShardId;
use crate::clock::{Millis, instant};
use crate::config::limits;
use crate::pass;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::sleep;

impl Node {
    /// Writes pending batches for ever. It yields once before a turn, so that what is published in one turn of the loop is joined, and
    /// between slices, so that a large channel does not hold up reads and pings.
    pub async fn flush_turns(self: Rc<Self>) {
        loop {
            self.dirty.notified().await;
            yield_now().await;
            loop {
                let Some(mut batch) = self.hub.borrow_mut().next_pass() else {
                    break;
                };
                loop {
                    let Some(clear) = self.hub.borrow_mut().slice(&mut batch, limits::SLICE) else {
                        break;
                    };
                    let sockets = clear.iter().map(|connection| connection.stream());
                    pass::send(batch.frame(), sockets, |index, outcome| {
                        clear[index].settle(batch.frame(), outcome);
                    });
                    if batch.has_more() {
                        yield_now().await;
                    }
                }
                self.flushed.notify_waiters();
            }
        }
    }

    /// Carries messages to another shard for ever, all that wait at once.
    pub async fn carry_turns(self: Rc<Self>, shard: ShardId, inbox: InboxSender) {
        let link = &self.links[shard];
        loop {
            link.filled.notified().await;
            while !link.queue.borrow().is_empty() {
                let batch = link.queue.take();
                link.bytes.set(0);
                link.emptied.notify_waiters();
                if inbox.send(batch).await.is_err() {
                    return; // That shard has stopped, and so will this one.
                }
            }
        }
    }

    /// Takes what other shards send, for ever. Waits for its own flusher only, which waits for nobody.
    pub async fn inbox_turns(self: Rc<Self>, mut inbox: Inbox) {
        while let Some(batch) = inbox.recv().await {
            for message in batch {
                self.receive(message);
            }
            self.flushed().await;
        }
    }

    /// Ends graces when they are over, and sweeps, for ever.
    pub async fn housekeeping_turns(self: Rc<Self>) {
        let mut sweep_at = instant() + limits::SWEEP;
        loop {
            let now = Millis::now();
            let due = self.broker.borrow().next_departure();
            let wait = due.map_or(limits::SWEEP, |due| Duration::from_millis(due.since(now)));
            tokio::select! {
                () = sleep(wait.min(sweep_at.saturating_duration_since(instant()))) => {}
                () = self.departing.notified() => {}
            }
            let pushes = self.broker.borrow_mut().depart_due(Millis::now());
            pushes
                .into_iter()
                .for_each(|push| self.push_presence(Some(push)));
            if instant() >= sweep_at {
                self.broker.borrow_mut().sweep(Millis::now());
                sweep_at = instant() + limits::SWEEP;
            }
        }
    }
}
