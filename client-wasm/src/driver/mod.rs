//! One client in a page: a session, its socket and its timer.
//!
//! **Invariant:** after every input the outputs are drained and one timer stands at the session's deadline; the
//! session is never borrowed while the page's own code can run.

pub(crate) mod input;
mod socket;
mod timer;

use std::cell::{Cell, RefCell};

use rejoin_session::{
    Asked, Backoff, Config, Event, Id, Millis, OutboxLimits, Outcome, Output, Session, Slot,
    SocketId,
};

use crate::bridge::{self, Order, more};
use socket::Socket;
use timer::Timer;

pub(crate) struct Client {
    handle: i32,
    session: RefCell<Session>,
    socket: Cell<Option<Socket>>,
    timer: Timer,
    closed: Cell<bool>,
}

/// Clients by handle, as many as were ever open at once: one that was closed is used again, and none is dropped.
static CLIENTS: OneThread<RefCell<Vec<&'static Client>>> = OneThread(RefCell::new(Vec::new()));

/// What only one thread ever sees. A `thread_local!` of this target is the same behind an indirection.
struct OneThread<T>(T);

#[cfg(target_feature = "atomics")]
compile_error!("a module with threads needs a list of clients for each");

// SAFETY: without atomics a module of this target has one thread.
unsafe impl<T> Sync for OneThread<T> {}

/// The client of a handle.
pub(crate) fn client(handle: i32) -> &'static Client {
    CLIENTS.0.borrow()[handle as usize]
}

/// A client that does nothing until `START`. `flags`: 1 token, 2 health, 4 witness, 8 online, 16 visible; the
/// other choices are read from bridge.js: seed, times in ms, limits. Returns its handle.
pub(crate) fn create(flags: u32) -> i32 {
    let flag = |bit: u32| flags & bit != 0;
    let config = Config {
        backoff: Backoff {
            base: more(1) as u64,
            cap: more(2) as u64,
        },
        connect_timeout: more(3) as u64,
        probe_timeout: more(4) as u64,
        token: flag(1),
        health: flag(2),
        witness: flag(4),
        outbox: OutboxLimits {
            count: more(5) as u32,
            bytes: more(6) as u32,
        },
    };
    Client::create(config, more(0) as u64, flag(8), flag(16))
}

impl Client {
    /// Puts a client into the list.
    fn create(config: Config, seed: u64, online: bool, visible: bool) -> i32 {
        let session = Session::new(config, seed, online, visible);
        let mut clients = CLIENTS.0.borrow_mut();
        if let Some(client) = clients.iter().find(|client| client.closed.take()) {
            *client.session.borrow_mut() = session;
            return client.handle;
        }
        let handle = clients.len() as i32;
        clients.push(Box::leak(Box::new(Self {
            handle,
            session: RefCell::new(session),
            socket: Cell::new(None),
            timer: Timer::new(),
            closed: Cell::new(false),
        })));
        handle
    }

    /// Gives the client one input, see [`input`], and does what follows from it. Returns the answer.
    pub(crate) fn input(&self, what: i32, key: u32, at: u32, number: f64) -> f64 {
        if what == input::OK {
            self.before_ok(Id(at));
        }
        let answer = input::take(
            &mut self.session.borrow_mut(),
            self.handle,
            what,
            key,
            at,
            number,
        );
        // A publication that is simply the next one moves no deadline nearer, and the timer may come early.
        if what < input::SUBSCRIBE && (self.drain() || what != input::MESSAGE) {
            self.timer
                .arm(self.handle, self.session.borrow().poll_timeout());
        }
        if what == input::CLOSE {
            self.closed.set(true);
        }
        answer
    }

    /// What an answer brings comes before the answer.
    fn before_ok(&self, id: Id) {
        let asked = self.session.borrow().asked(id);
        match asked {
            Some(Asked::History(slot)) => self.order(Order::Filled, slot.0, 0),
            Some(Asked::Subscriptions) => self.order(Order::Repair, 0, 0),
            Some(Asked::Subscribe(_) | Asked::Unsubscribe(_) | Asked::Page) | None => {}
        }
    }

    /// Does all that the session asks for. Returns whether that was anything.
    fn drain(&self) -> bool {
        let mut any = false;
        loop {
            let output = self.session.borrow_mut().poll_output();
            let Some(output) = output else { return any };
            self.perform(output);
            any = true;
        }
    }

    fn perform(&self, output: Output) {
        let (order, a, b, c, d, e) = match output {
            Output::Open(id) => return self.open(id),
            Output::Abandon(_) => return drop(self.socket.take()),
            Output::Hello => return self.hello(),
            Output::Subscribe { slot, id } => {
                self.rejoin(slot);
                short(Order::Subscribe, slot.0, id.0)
            }
            Output::Unsubscribe { slot, id } => short(Order::Unsubscribe, slot.0, id.0),
            Output::Publish { id, seq, again } => {
                let again = again.map_or(-1.0, |ms| ms as f64);
                (Order::Publish, id.0, 0, seq as f64, again, 0.0)
            }
            Output::History {
                slot,
                id,
                after,
                before,
            } => (
                Order::History,
                slot.0,
                id.0,
                after as f64,
                before as f64,
                0.0,
            ),
            Output::Subscriptions(id) => short(Order::Subscriptions, id.0, 0),
            Output::Ping(id) => short(Order::Ping, id.0, 0),
            Output::Pong => short(Order::Pong, 0, 0),
            Output::Bye => short(Order::Bye, 0, 0),
            Output::FetchToken => short(Order::FetchToken, 0, 0),
            Output::Probe(probe) => short(Order::Probe, probe, 0),
            Output::Witness(probe) => short(Order::Witness, probe, 0),
            Output::Release(slot) => short(Order::Release, slot.0, 0),
            Output::Discard(slot) => short(Order::Discard, slot.0, 0),
            Output::Forget(slot) => short(Order::Forget, slot.0, 0),
            Output::Settled { id, outcome } => match outcome {
                Outcome::Accepted { offset, duplicate } => (
                    Order::Settled,
                    id.0,
                    0,
                    offset as f64,
                    duplicate.into(),
                    0.0,
                ),
                Outcome::Refused => short(Order::Settled, id.0, 1),
                Outcome::Interrupted => short(Order::Settled, id.0, 2),
                Outcome::Closed => short(Order::Settled, id.0, 3),
            },
            Output::Event(Event::State {
                state,
                previous,
                cause,
            }) => {
                let cause = cause.map_or(-1.0, |cause| (cause as u8).into());
                (Order::State, state as u32, previous as u32, cause, 0.0, 0.0)
            }
            Output::Event(Event::Disconnect) => short(Order::Disconnect, 0, 0),
            Output::Event(Event::Cause) => short(Order::Cause, 0, 0),
            Output::Event(Event::Reconnect) => {
                let session = self.session.borrow();
                let Some(outage) = session.last_outage() else {
                    return;
                };
                (
                    Order::Reconnect,
                    outage.cause as u32,
                    outage.attempts,
                    (now() - outage.since) as f64,
                    outage.recovered.into(),
                    outage.gaps.into(),
                )
            }
            Output::Event(Event::Gap {
                slot,
                from,
                to,
                why,
            }) => {
                let to = to.map_or(-1.0, |to| to as f64);
                (Order::Gap, slot.0, why as u32, from as f64, to, 0.0)
            }
            Output::Event(Event::Status { slot, status }) => {
                short(Order::Status, slot.0, status as u32)
            }
        };
        bridge::perform(self.handle, order as i32, a as i32, b as i32, c, d, e);
    }

    fn open(&self, id: SocketId) {
        // The old one goes before the new one comes: a dial that hangs blocks the next in two engines.
        drop(self.socket.take());
        self.socket.set(Some(Socket::open(self.handle, id)));
    }

    fn hello(&self) {
        for slot in 0..self.session.borrow().slots() {
            if self.session.borrow().is_rejoining(Slot(slot)) {
                self.rejoin(Slot(slot));
            }
        }
        self.order(Order::Hello, 0, 0);
    }

    /// Adds a channel to the hello or subscribe that follows.
    fn rejoin(&self, slot: Slot) {
        let position = self.session.borrow().position(slot);
        let (epoch, offset) = position.map_or((0, 0.0), |at| (at.epoch.0, at.offset as f64));
        let order = Order::Rejoining as i32;
        bridge::perform(
            self.handle,
            order,
            slot.0 as i32,
            epoch as i32,
            offset,
            0.0,
            0.0,
        );
    }

    fn order(&self, order: Order, a: u32, b: u32) {
        bridge::perform(self.handle, order as i32, a as i32, b as i32, 0.0, 0.0, 0.0);
    }
}

/// An order whose other numbers do not matter.
fn short(order: Order, a: u32, b: u32) -> (Order, u32, u32, f64, f64, f64) {
    (order, a, b, 0.0, 0.0, 0.0)
}

fn now() -> Millis {
    Millis(bridge::clock() as u64)
}
