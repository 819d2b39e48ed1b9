//! One client in a page: a session, its socket, its timer and its page events.
//!
//! **Invariant:** after every input the outputs are drained and one timer stands at the session's deadline; the
//! session is never borrowed while something outside is called.

mod frames;
mod page;
mod socket;
mod timer;

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use js_sys::Function;
use rejoin_session::{
    Config, Event, Health, Millis, Outcome, Output, Refusal, Session, Slot, SocketId, Token,
};
use wasm_bindgen::prelude::*;

use crate::bridge::{self, Host, Send, Tell};
use socket::Socket;
use timer::Timer;

/// What wakes a client, the number bound in front of every callback. One type of closure serves them all.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Wake {
    Opened,
    Closed,
    Frame,
    Probed,
    Witnessed,
    Token,
    /// Page events follow.
    Page,
}

pub(crate) struct Client {
    handle: u32,
    host: Host,
    session: RefCell<Session>,
    socket: RefCell<Option<Socket>>,
    timer: RefCell<Timer>,
    wake: Closure<dyn Fn(u32, u32, JsValue, f64)>,
    probe_timeout: u64,
}

thread_local! {
    /// Open clients by handle; the place of a closed one is used again. Never dropped: it lives as long as the page.
    static CLIENTS: ManuallyDrop<RefCell<Vec<Option<Rc<Client>>>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// The client of a handle; `None` after its end. Timers and callbacks know a client by its handle only, so that none of
/// them keeps a closed one alive.
pub(crate) fn client(handle: u32) -> Option<Rc<Client>> {
    CLIENTS.with(|clients| clients.borrow().get(handle as usize)?.clone())
}

/// Reserves a handle; [`Client::start`] must follow at once.
pub(crate) fn create() -> u32 {
    CLIENTS.with(|clients| {
        let mut clients = clients.borrow_mut();
        let free = clients.iter().position(Option::is_none);
        free.unwrap_or_else(|| {
            clients.push(None);
            clients.len() - 1
        }) as u32
    })
}

impl Client {
    /// Begins the first attempt.
    pub(crate) fn start(handle: u32, host: Host, config: Config) {
        let seed = bridge::seed() as u64;
        let (online, visible) = (bridge::is_online(), bridge::is_visible());
        let wake = Closure::new(move |op, id, value, number| {
            if let Some(client) = client(handle) {
                client.woken(op, id, &value, number);
            }
        });
        bridge::watch(&host, wake.as_ref().unchecked_ref(), Wake::Page as u32);
        let client = Rc::new(Self {
            handle,
            host,
            session: RefCell::new(Session::new(config, seed, online, visible)),
            socket: RefCell::new(None),
            timer: RefCell::new(Timer::default()),
            wake,
            probe_timeout: config.probe_timeout,
        });
        CLIENTS.with(|clients| clients.borrow_mut()[handle as usize] = Some(client.clone()));
        client.input(|session, now| session.start(now));
        client.drain();
    }

    /// Gives the session one input. What it asks for is done by the next [`Client::drain`].
    pub(crate) fn input<R>(&self, input: impl FnOnce(&mut Session, Millis) -> R) -> R {
        input(&mut self.session.borrow_mut(), now())
    }

    /// The page's own end. Nothing wakes this client any more.
    pub(crate) fn close(&self) {
        self.input(|session, _| session.close());
        self.drain();
        bridge::unwatch(&self.host);
        CLIENTS.with(|clients| clients.borrow_mut()[self.handle as usize] = None);
    }

    fn waker(&self, op: Wake, id: u32) -> Function {
        bridge::bind(self.wake.as_ref().unchecked_ref(), op as u32, id)
    }

    fn woken(&self, op: u32, id: u32, value: &JsValue, number: f64) {
        const OPENED: u32 = Wake::Opened as u32;
        const CLOSED: u32 = Wake::Closed as u32;
        const FRAME: u32 = Wake::Frame as u32;
        const PROBED: u32 = Wake::Probed as u32;
        const WITNESSED: u32 = Wake::Witnessed as u32;
        const TOKEN: u32 = Wake::Token as u32;
        const PAGE: u32 = Wake::Page as u32;
        let socket = SocketId(id);
        if op == FRAME {
            return self.handle_frames(socket, value);
        }
        self.input(|session, now| match op {
            OPENED => session.handle_opened(socket),
            CLOSED => session.handle_closed(now, socket, socket::close_code(value)),
            PROBED => session.handle_probe(now, id, health(number)),
            WITNESSED => session.handle_witness(id, number != 0.0),
            TOKEN => session.handle_token(now, token(number)),
            _ => {
                if let Some(event) = page::read(op - PAGE, value) {
                    session.handle_page(now, event);
                }
            }
        });
        self.drain();
    }

    /// Does all that the session asks for, and sets the timer.
    pub(crate) fn drain(&self) {
        loop {
            let output = self.session.borrow_mut().poll_output();
            let Some(output) = output else { break };
            self.perform(output);
        }
        let deadline = self.session.borrow().poll_timeout();
        self.timer.borrow_mut().arm(self.handle, deadline);
    }

    fn timeout(&self) {
        self.timer.borrow_mut().fired();
        self.input(|session, now| session.handle_timeout(now));
        self.drain();
    }

    fn perform(&self, output: Output) {
        match output {
            Output::FetchToken => bridge::token(&self.host, &self.waker(Wake::Token, 0)),
            Output::Open(id) => self.open(id),
            Output::Abandon(_) => self.socket.replace(None).map_or((), drop),
            Output::Hello => self.hello(),
            Output::Subscribe { slot, id } => {
                self.add_rejoining(slot);
                self.send(Send::Subscribe, slot.0, id.0, 0, 0);
            }
            Output::Unsubscribe { slot, id } => self.send(Send::Unsubscribe, slot.0, id.0, 0, 0),
            Output::Publish { id, seq, again } => {
                let again = again.map_or(0, |ms| ms + 1);
                self.send(Send::Publish, 0, id.0, seq, again);
            }
            Output::History {
                slot,
                id,
                after,
                before,
            } => self.send(Send::History, slot.0, id.0, after, before),
            Output::Subscriptions(id) => self.send(Send::Subscriptions, 0, id.0, 0, 0),
            Output::Ping(id) => self.send(Send::Ping, 0, id.0, 0, 0),
            Output::Pong => self.send(Send::Pong, 0, 0, 0, 0),
            Output::Bye => self.send(Send::Bye, 0, 0, 0, 0),
            Output::Probe(probe) => self.probe(false, Wake::Probed, probe),
            Output::Witness(probe) => self.probe(true, Wake::Witnessed, probe),
            Output::Release(slot) => {
                for frame in bridge::release(&self.host, slot.0).iter() {
                    self.offer(slot, &frame, true);
                }
            }
            Output::Discard(slot) => drop(bridge::release(&self.host, slot.0)),
            Output::Forget(slot) => self.tell(Tell::Forget, slot.0, 0.0, -1.0, 0, 0),
            Output::Settled { id, outcome } => {
                let (kind, offset, duplicate) = match outcome {
                    Outcome::Accepted { offset, duplicate } => (0.0, offset as f64, duplicate),
                    Outcome::Refused => (1.0, 0.0, false),
                    Outcome::Interrupted => (2.0, 0.0, false),
                    Outcome::Closed => (3.0, 0.0, false),
                };
                self.tell(Tell::Settled, id.0, kind, offset, duplicate.into(), 0);
            }
            Output::Event(event) => self.event(event),
        }
    }

    fn open(&self, id: SocketId) {
        // The old one goes before the new one comes: a dial that hangs blocks the next in two engines.
        self.socket.replace(None);
        let socket = Socket::open(&self.host, |op| self.waker(op, id.0));
        if socket.is_none() {
            self.input(|session, now| session.handle_closed(now, id, 1006));
        }
        self.socket.replace(socket);
    }

    fn hello(&self) {
        let slots = self.session.borrow().slots();
        for slot in 0..slots {
            if self.session.borrow().is_rejoining(Slot(slot)) {
                self.add_rejoining(Slot(slot));
            }
        }
        let outage = self.session.borrow().outage().copied();
        match outage {
            Some(outage) => self.send(
                Send::Hello,
                outage.cause as u32 + 1,
                outage.evidence.code.into(),
                now() - outage.since,
                outage.attempts.into(),
            ),
            None => self.send(Send::Hello, 0, 0, 0, 0),
        }
    }

    fn add_rejoining(&self, slot: Slot) {
        let position = self.session.borrow().position(slot);
        let (epoch, offset) = position.map_or((0, 0), |at| (at.epoch.0, at.offset));
        bridge::rejoining(&self.host, slot.0, epoch, offset as f64);
    }

    fn send(&self, what: Send, a: u32, b: u32, c: u64, d: u64) {
        bridge::send(&self.host, what as i32, a, b, c as f64, d as f64);
    }

    fn probe(&self, witness: bool, wake: Wake, probe: u32) {
        let waker = self.waker(wake, probe);
        bridge::probe(&self.host, witness, self.probe_timeout as f64, &waker);
    }

    fn event(&self, event: Event) {
        match event {
            Event::State {
                state,
                previous,
                cause,
            } => {
                let cause = cause.map_or(-1.0, |cause| (cause as u8).into());
                self.tell(Tell::State, state as u32, (previous as u8).into(), cause, 0, 0);
            }
            Event::Disconnect => self.tell(Tell::Disconnect, 0, 0.0, -1.0, 0, 0),
            Event::Cause => self.tell(Tell::Cause, 0, 0.0, -1.0, 0, 0),
            Event::Reconnect => {
                let outage = self.session.borrow().last_outage().copied();
                let Some(outage) = outage else { return };
                self.tell(
                    Tell::Reconnect,
                    outage.cause as u32,
                    (now() - outage.since) as f64,
                    outage.attempts.into(),
                    outage.recovered,
                    outage.gaps,
                );
            }
            Event::Gap {
                slot,
                from,
                to,
                why,
            } => {
                let to = to.map_or(-1.0, |to| to as f64);
                self.tell(Tell::Gap, slot.0, from as f64, to, why as u32, 0);
            }
            Event::Status { slot, status } => {
                self.tell(Tell::Status, slot.0, (status as u8).into(), -1.0, 0, 0);
            }
        }
    }

    fn tell(&self, what: Tell, a: u32, b: f64, c: f64, d: u32, e: u32) {
        bridge::tell(&self.host, what as i32, a.into(), b, c, d.into(), e.into());
    }
}

pub(crate) fn now() -> Millis {
    Millis(bridge::clock() as u64)
}

/// `read` in bridge.js: 0 unknown, 1 accepting, 2 server error, 3 failed, 4 timeout, 5 origin refused; from 10 on
/// overload and from 1e9 on not ready, with the ms to wait added.
fn health(code: f64) -> Health {
    match code as u64 {
        1 => Health::Accepting,
        2 => Health::ServerError,
        3 => Health::Failed,
        4 => Health::Timeout,
        5 => Health::Refusing {
            why: Refusal::Origin,
            retry: 0,
        },
        0..10 => Health::Unknown,
        ms @ 10..1_000_000_000 => Health::Refusing {
            why: Refusal::Overload,
            retry: ms - 10,
        },
        ms => Health::Refusing {
            why: Refusal::NotReady,
            retry: ms - 1_000_000_000,
        },
    }
}

fn token(code: f64) -> Token {
    match code as u32 {
        0 => Token::Ready,
        1 => Token::Missing,
        _ => Token::Failed,
    }
}
