//! A hub against a model: whatever the order of publishing, flushing, attaching and replaying, a socket gets every message behind its
//! beginning once and in order.

use super::*;
use crate::channel::History;
use crate::channel::history::Retention;
use crate::clock::Millis;
use crate::pass;
use proptest::prelude::*;
use rejoin_protocol::ServerFrame;
use std::io::Read;
use std::time::Duration;

const CHANNEL: &str = "a";

/// An owner's history, a hub elsewhere, one subscriber, and what is under way between them.
struct Model {
    runtime: tokio::runtime::Runtime,
    history: History,
    hub: Hub,
    connection: Rc<Connection>,
    peer: std::net::TcpStream,
    slot: Slot,
    name: Name,
    /// From the owner, in order.
    under_way: VecDeque<Sent>,
    /// The answer that the connection's task has yet to act upon.
    answered: Option<Answer>,
    begun: Option<u64>,
}

enum Sent {
    Message(u64, Bytes),
    Answer(Answer),
}

enum Answer {
    Attached { since: u64, offset: u64 },
    Page(crate::channel::history::Page),
}

impl Model {
    fn new(before: u64, remote: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = Arc::new(tokio::net::TcpStream::from_std(stream).unwrap());
        runtime.block_on(stream.writable()).unwrap();
        drop(entered);
        let retention = Retention {
            count: 1000,
            bytes: 1 << 20,
            ttl: Duration::MAX,
        };
        let (mut hub, name) = (Hub::default(), Name::from(CHANNEL));
        let connection = Rc::new(Connection::new(0, stream, 1 << 20));
        let slot = hub.join(&name, connection.clone(), remote);
        let mut model = Self {
            history: History::new("e".into(), retention),
            under_way: VecDeque::new(),
            answered: None,
            begun: None,
            runtime,
            hub,
            connection,
            peer,
            slot,
            name,
        };
        (0..before).for_each(|_| drop(model.append()));
        model
    }

    fn append(&mut self) -> (u64, Bytes) {
        let encode = |offset| {
            rejoin_protocol::push::encode_message(CHANNEL, offset, None, None, b"1").into()
        };
        self.history.push(Millis(0), encode)
    }

    fn publish(&mut self) {
        let (offset, message) = self.append();
        self.under_way.push_back(Sent::Message(offset, message));
    }

    fn attach(&mut self, since: u64) {
        let offset = self.history.top();
        let since = since.min(offset);
        self.under_way
            .push_back(Sent::Answer(Answer::Attached { since, offset }));
    }

    /// One thing from the owner arrives. An answer only wakes the task.
    fn arrive(&mut self) {
        match self.under_way.pop_front() {
            Some(Sent::Message(offset, message)) => {
                self.hub.deliver(&self.name, offset, &message);
            }
            Some(Sent::Answer(answer)) => self.answered = Some(answer),
            None => {}
        }
    }

    /// The task acts: upon an answer, or it asks for the next page.
    fn act(&mut self) {
        match self.answered.take() {
            Some(Answer::Attached { since, offset }) => {
                self.begun = Some(since);
                let beginning = Beginning {
                    epoch: "e".into(),
                    since,
                    offset,
                    has_history: true,
                    presence: None,
                };
                self.hub.begin(&self.name, self.slot, beginning);
            }
            Some(Answer::Page(page)) => {
                for frame in frame::join(&page.messages) {
                    self.connection.send_or_end(&frame);
                }
                let done = page.last() >= page.top;
                self.hub.replayed(&self.name, self.slot, page.last(), done);
            }
            None if self.connection.next_replay().is_some() => {
                if let Some((_, position, _)) = self.hub.replay(CHANNEL, self.slot) {
                    let page = self.history.after(position, 150);
                    self.under_way.push_back(Sent::Answer(Answer::Page(page)));
                }
            }
            None => {}
        }
    }

    fn flush(&mut self) {
        while let Some(mut batch) = self.hub.next_pass() {
            while let Some(clear) = self.hub.slice(&mut batch, 1) {
                let sockets = clear.iter().map(|connection| connection.stream());
                pass::send(batch.frame(), sockets, |index, outcome| {
                    clear[index].settle(batch.frame(), outcome);
                });
            }
        }
    }

    /// Lets everything come to rest, and returns the offsets that the socket got.
    fn settle(mut self) -> Vec<u64> {
        for _ in 0..10_000 {
            self.arrive();
            self.act();
            self.flush();
        }
        while self.connection.has_backlog() {
            self.runtime.block_on(self.connection.drain()).unwrap();
        }
        let (_, position) = self.hub.position(CHANNEL, self.slot).unwrap();
        assert_eq!(position, self.history.top(), "live at the top");
        assert_eq!(self.hub.pending_bytes, 0);
        drop((self.hub, self.connection));
        let mut bytes = Vec::new();
        self.peer.read_to_end(&mut bytes).unwrap();
        offsets(&bytes)
    }
}

/// The offsets of all messages in a stream of text frames.
fn offsets(mut bytes: &[u8]) -> Vec<u64> {
    let mut offsets = Vec::new();
    while !bytes.is_empty() {
        let (length, at) = match bytes[1] {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            short => (usize::from(short), 2),
        };
        let text = std::str::from_utf8(&bytes[at..at + length]).unwrap();
        for frame in ServerFrame::decode(text).unwrap() {
            match frame {
                ServerFrame::Message(message) => offsets.push(message.offset),
                ServerFrame::Live(_) => {}
                other => panic!("{other:?}"),
            }
        }
        bytes = &bytes[at + length..];
    }
    offsets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_recovery_merges_with_what_is_live(
        before in 0u64..12, since in 0u64..14, attach_at in 0usize..20, steps in proptest::collection::vec(0u8..4, 0..60)
    ) {
        let mut model = Model::new(before, true);
        for (index, step) in steps.iter().enumerate() {
            if index == attach_at {
                model.attach(since);
            }
            match step {
                // The owner sends messages from the attach on: before, it knows no subscriber here.
                0 if index >= attach_at => model.publish(),
                0 => drop(model.append()),
                1 => model.arrive(),
                2 => model.act(),
                _ => model.flush(),
            }
        }
        if steps.len() <= attach_at {
            model.attach(since);
        }
        let top = model.history.top();
        while model.begun.is_none() {
            model.arrive();
            model.act();
        }
        let begun = model.begun.unwrap_or_default();
        prop_assert_eq!(model.settle(), (begun + 1..=top).collect::<Vec<_>>());
    }
}

#[test]
fn a_subscriber_gets_nothing_from_before_it_began() {
    let mut model = Model::new(0, false);
    let other = model.hub.join(&model.name, model.connection.clone(), false);
    let live = |since| Beginning {
        epoch: "e".into(),
        since,
        offset: since,
        has_history: true,
        presence: None,
    };
    model.hub.begin(&model.name, model.slot, live(0));
    let (offset, message) = model.append();
    assert!(model.hub.deliver(&model.name, offset, &message));
    model.hub.begin(&model.name, other, live(1));
    assert!(
        model.hub.leave(CHANNEL, other, &model.connection.clone())
            || model.hub.holds(CHANNEL, model.slot, &model.connection)
    );
    model.begun = Some(0);
    assert_eq!(model.settle(), [1]);
}

#[test]
fn what_is_forgotten_leaves_no_bytes_behind() {
    let mut model = Model::new(0, false);
    let (offset, message) = model.append();
    model.hub.deliver(&model.name, offset, &message);
    assert!(model.hub.pending_bytes > 0);
    model.hub.forget(|name| name == CHANNEL);
    assert_eq!(model.hub.pending_bytes, 0);
    assert!(model.hub.next_pass().is_none());
    assert!(!model.hub.holds(CHANNEL, model.slot, &model.connection));
    assert!(!model.hub.leave(CHANNEL, model.slot, &model.connection));
}
