//! One logical connection: it outlives sockets, and owns no clock, no socket, no source of entropy.
//!
//! **Invariant:** every phase but `Ended` has a deadline, so an attempt always follows; events of any socket but
//! the current one change nothing; a `State` event is always a transition.

mod attempt;
mod liveness;
mod socket;
mod stream;

use alloc::vec::Vec;

use crate::backoff::{Backoff, RETRY_FLOOR_MS};
use crate::cause::{Cause, Confidence, Outage, SocketEnd};
use crate::channel::Channel;
use crate::outbox::{Outbox, OutboxLimits};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::types::{
    Event, Id, Millis, Outcome, Output, Position, PublishError, Slot, SocketId, State, Status,
    Welcome, Window,
};

/// A probe that fails faster than this was refused; a slower failure proves nothing.
pub const REFUSED_MS: u64 = 500;
/// A liveness timer that fires later than this proves nothing about the server: it is asked first.
pub const LATE_MS: u64 = 1_000;
/// A liveness timer that fires later than this found a busy page.
pub(crate) const BUSY_MS: u64 = 50;
/// The moment that a busy page gets to read what has come.
pub(crate) const READ_MS: u64 = 100;
/// A timer of a visible page that fires later than this says that the machine slept.
pub const SLEPT_MS: u64 = 5_000;
/// The server answers a request within this, or the connection is given up.
pub const REQUEST_MS: u64 = 15_000;
/// Dials that fail in a row while the probe says that the server accepts, until `blocked` is said.
pub const BLOCKED_DIALS: u32 = 3;
/// An old hello of our own can arrive so long after its socket was given up.
const OWN_HELLO_MS: u64 = 300_000;
/// A dial younger than this is not given up for a fresh one.
const REDIAL_MS: u64 = 2_000;
/// A close so soon after the page came back is the doing of its absence.
const AWAY_MS: u64 = 10_000;

/// What the page chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// For every attempt without a window of the server.
    pub backoff: Backoff,
    /// Ms from dial to welcome, and for fetching a token.
    pub connect_timeout: u64,
    /// Ms for an answer to a probe, in band or of the server's health.
    pub probe_timeout: u64,
    /// There is a token to be fetched before the first dial.
    pub token: bool,
    /// There is a health URL.
    pub health: bool,
    /// There is a witness URL.
    pub witness: bool,
    /// Of publishes that wait.
    pub outbox: OutboxLimits,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Not started, or ended; `Session::ended` says which.
    Ended,
    /// The page is asked for its token.
    FetchingToken { until: Millis },
    /// No socket until then. `held`: the browser says offline.
    Waiting { until: Millis, held: bool },
    /// A socket was asked for and has not been welcomed.
    Dialing { until: Millis },
    /// Welcomed.
    Online(Online),
}

#[derive(Clone, Copy, Debug)]
struct Online {
    silent_at: Millis,
    /// The deadline was met by a busy page, which gets a moment to read what has come.
    reading: bool,
    /// A probe in band is under way, and any frame answers it; else never.
    probe_until: Millis,
    /// The instant drawn from a reinit's window; else never.
    leave_at: Millis,
    /// Since when every channel has been whole; else never.
    caught_up: Millis,
}

/// What a request in flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A subscription.
    Subscribe(Slot),
    /// The end of one.
    Unsubscribe(Slot),
    /// Filling a hole: the driver offers the messages of the answer by [`Session::accept_held`] before it reports it.
    History(Slot),
    /// The server's list: the driver reports what is not in it by [`Session::handle_unlisted`].
    Subscriptions,
    /// The driver's own, for the page.
    Page,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    id: Id,
    asked: Asked,
    until: Millis,
}

/// One logical connection.
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: Rng,
    phase: Phase,
    state: State,
    /// Generation of the one socket that is listened to.
    socket: SocketId,
    last_attempt: Millis,
    /// Failures in a row, the input to the backoff.
    failures: u32,
    /// A window ordered by the server ends here; no trigger of the page skips it.
    not_before: Millis,
    /// The window of a `bye`, for the plan that follows.
    given: Option<Window>,
    channels: Vec<Option<Channel>>,
    requests: Vec<Request>,
    last_id: u32,
    outbox: Outbox,
    welcome: Option<Welcome>,
    outage: Option<Outage>,
    last_outage: Option<Outage>,
    ended: Option<Cause>,
    online: bool,
    visible: bool,
    /// The page was away for this cause until then.
    away: Option<(Cause, Millis)>,
    /// The current dial has said hello.
    said_hello: bool,
    /// Until then a hello of our own, on a socket that was given up before its welcome, may still arrive.
    own_hello_until: Millis,
    probe: u32,
    probe_sent: Millis,
    /// A probe or its witness is under way until then, at the latest.
    probing_until: Millis,
    accepting_dials: u32,
    /// Probes in a row that were refused.
    refused_probes: u32,
    has_token: bool,
    refreshed: bool,
    /// No trigger of the page counts before.
    next_trigger: Millis,
    /// No call of `retry` counts before.
    next_retry: Millis,
    outputs: Queue<Output>,
}

impl Session {
    /// A session that does nothing until [`Session::start`]. `online` and `visible` are the browser's words now.
    pub fn new(config: Config, seed: u64, online: bool, visible: bool) -> Self {
        Self {
            outbox: Outbox::new(config.outbox),
            config,
            rng: Rng::new(seed),
            phase: Phase::Ended,
            state: State::Connecting,
            socket: SocketId(0),
            last_attempt: Millis(0),
            failures: 0,
            not_before: Millis(0),
            given: None,
            channels: Vec::new(),
            requests: Vec::new(),
            last_id: 0,
            welcome: None,
            outage: None,
            last_outage: None,
            ended: None,
            online,
            visible,
            away: None,
            said_hello: false,
            own_hello_until: Millis(0),
            probe: 0,
            probe_sent: Millis(0),
            probing_until: Millis(0),
            accepting_dials: 0,
            refused_probes: 0,
            has_token: !config.token,
            refreshed: false,
            next_trigger: Millis(0),
            next_retry: Millis(0),
            outputs: Queue::new(),
        }
    }

    // ── What the driver asks ───────────────────────────────────────────────────────────────────────────────

    /// The next thing to do; `None`: drained.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let output = self.outputs.pop()?;
            match output {
                // Only now may the slot be used again: the driver drops its old name first.
                Output::Forget(slot) => self.channels[slot.0 as usize] = None,
                // A listener closed in the midst of the news: what was still to be told is none any more.
                Output::Event(Event::Disconnect | Event::Cause | Event::Reconnect)
                    if self.ended == Some(Cause::Closed) =>
                {
                    continue;
                }
                _ => {}
            }
            return Some(output);
        }
    }

    /// When to call [`Session::handle_timeout`]; `None`: never.
    pub fn poll_timeout(&self) -> Option<Millis> {
        Some(self.deadline()).filter(|&deadline| deadline != Millis::NEVER)
    }

    #[inline(never)]
    fn deadline(&self) -> Millis {
        match self.phase {
            Phase::Ended => Millis::NEVER,
            Phase::FetchingToken { until }
            | Phase::Waiting { until, .. }
            | Phase::Dialing { until } => until,
            Phase::Online(online) => {
                let mut first = online.silent_at;
                first = first.min(online.probe_until).min(online.leave_at);
                for request in &self.requests {
                    first = first.min(request.until);
                }
                for channel in self.channels.iter().flatten() {
                    first = first.min(channel.ask_at);
                }
                first
            }
        }
    }

    /// State of the socket.
    pub fn state(&self) -> State {
        self.state
    }

    /// The outage under way; kept after a final end, `None` while all is well.
    pub fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// The outage that ended last.
    pub fn last_outage(&self) -> Option<&Outage> {
        self.last_outage.as_ref()
    }

    /// Ms until the next attempt; `None` while one is under way or none follows.
    pub fn retry_in(&self, now: Millis) -> Option<u64> {
        match self.phase {
            Phase::Waiting { until, .. } => Some(until - now),
            Phase::Ended
            | Phase::FetchingToken { .. }
            | Phase::Dialing { .. }
            | Phase::Online(_) => None,
        }
    }

    /// Publishes that wait for the server's answer.
    pub fn pending(&self) -> usize {
        self.outbox.len()
    }

    /// Last publication delivered on a channel; `None` before its first answer from the server.
    pub fn position(&self, slot: Slot) -> Option<Position> {
        self.channel(slot)?.position
    }

    /// How many slots there are, free ones included: each is below.
    pub fn slots(&self) -> u32 {
        self.channels.len() as u32
    }

    /// Whether a channel goes into the next `hello`.
    pub fn is_rejoining(&self, slot: Slot) -> bool {
        self.channel(slot)
            .is_some_and(|channel| channel.wanted && channel.status != Status::Denied)
    }

    /// The channels of a `hello`, in order of their slots, with the positions to go on from.
    pub fn rejoining(&self) -> impl Iterator<Item = (Slot, Option<Position>)> + '_ {
        let slots = (0..self.slots()).map(Slot);
        slots
            .filter(|&slot| self.is_rejoining(slot))
            .map(|slot| (slot, self.position(slot)))
    }

    /// Whether this is the socket that is listened to.
    pub fn is_current(&self, socket: SocketId) -> bool {
        socket == self.socket
    }

    /// What a request in flight is for; `None` for publishes and for what is forgotten.
    pub fn asked(&self, id: Id) -> Option<Asked> {
        let request = self.requests.iter().find(|request| request.id == id)?;
        Some(request.asked)
    }

    /// Whether the server has confirmed this channel on the current socket.
    pub fn is_joined(&self, slot: Slot) -> bool {
        self.channel(slot).is_some_and(|channel| channel.joined)
    }

    // ── What the page wants ────────────────────────────────────────────────────────────────────────────────

    /// Makes the first attempt: always, whatever the browser says of the network.
    pub fn start(&mut self, now: Millis) {
        if matches!(self.phase, Phase::Ended) && self.ended.is_none() {
            self.attempt(now);
        }
    }

    /// Wants a channel. `hash` is FNV-1a (32 bits) of its name. Asked for at once, or with the next `hello`.
    pub fn subscribe(&mut self, now: Millis, hash: u32) -> Slot {
        let free = self.channels.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.channels.push(None);
            self.channels.len() - 1
        });
        self.channels[at] = Some(Channel::new(hash));
        let slot = Slot(at as u32);
        if matches!(self.phase, Phase::Online(_)) {
            self.ask_subscribe(now, slot);
        }
        slot
    }

    /// Gives a channel up. Its publications are repeats from now on; [`Output::Forget`] follows.
    pub fn unsubscribe(&mut self, now: Millis, slot: Slot) {
        let online = matches!(self.phase, Phase::Online(_));
        let Some(channel) = self.channel_mut(slot).filter(|channel| channel.wanted) else {
            return;
        };
        channel.wanted = false;
        channel.ask_at = Millis::NEVER;
        if channel.hole.take().is_some() {
            self.outputs.push(Output::Discard(slot));
        }
        self.set_status(slot, Status::Unsubscribed);
        let known = self
            .channel(slot)
            .is_some_and(|c| c.joined || c.asked.is_some());
        if online && known {
            let id = self.request(now, Asked::Unsubscribe(slot));
            self.outputs.push(Output::Unsubscribe { slot, id });
        } else {
            self.outputs.push(Output::Forget(slot));
        }
        self.check_caught_up(now);
    }

    /// Takes a publish of `bytes` payload bytes; the driver keeps the payload under the id until it is settled.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was taken, and nothing is to be kept.
    pub fn publish(&mut self, now: Millis, bytes: u32, queue: bool) -> Result<Id, PublishError> {
        if let Some(cause) = self.ended {
            return Err(PublishError::Ended(cause));
        }
        let online = matches!(self.phase, Phase::Online(_));
        if !queue && !online {
            return Err(PublishError::NotConnected);
        }
        let id = Id(self.last_id + 1);
        self.outbox.push(id, bytes, online)?;
        self.last_id = id.0;
        if online {
            self.outbox.flush(now, &mut self.outputs);
        }
        Ok(id)
    }

    /// An id for a request of the driver's own; its end is [`Output::Settled`]. `None` while not connected.
    pub fn page_request(&mut self, now: Millis) -> Option<Id> {
        matches!(self.phase, Phase::Online(_)).then(|| self.request(now, Asked::Page))
    }

    /// The page says: now. Brings the next attempt forward, at most once per second; a final end it always leaves, if
    /// need be a second after the last time.
    pub fn retry(&mut self, now: Millis) {
        let too_soon = now < self.next_retry;
        match self.phase {
            Phase::Ended if self.ended == Some(Cause::Closed) => return,
            Phase::Ended if self.ended.is_some() => {
                self.ended = None;
                self.has_token = !self.config.token;
                self.refreshed = false;
                let connected_before = self.welcome.is_some();
                self.set_state(if connected_before {
                    State::Reconnecting
                } else {
                    State::Connecting
                });
                if let Some(outage) = &mut self.outage {
                    outage.will_retry = true;
                }
                for at in 0..self.channels.len() {
                    // Refused to the old credentials; these may be others.
                    if self.channels[at]
                        .as_ref()
                        .is_some_and(|c| c.status == Status::Denied)
                    {
                        self.set_status(Slot(at as u32), Status::Subscribing);
                    }
                }
                self.not_before = self.not_before.max(self.next_retry);
                self.bring_forward(now);
            }
            _ if too_soon => return,
            Phase::Waiting { .. } => self.bring_forward(now),
            Phase::Dialing { .. } => self.redial(now),
            Phase::Ended | Phase::FetchingToken { .. } | Phase::Online(_) => return,
        }
        self.next_retry = now + RETRY_FLOOR_MS;
        self.failures = 0;
    }

    /// The page is done: presence ends at once, what waits is settled as closed, nothing follows.
    pub fn close(&mut self) {
        if self.ended == Some(Cause::Closed) {
            return;
        }
        if matches!(self.phase, Phase::Online(_)) {
            self.outputs.push(Output::Bye);
        }
        self.settle_requests(Outcome::Closed);
        for at in 0..self.channels.len() {
            let slot = Slot(at as u32);
            self.set_status(slot, Status::Unsubscribed);
            if let Some(channel) = self.channel_mut(slot) {
                channel.wanted = false; // and is forgotten with the socket
            }
        }
        self.leave_socket(SocketEnd::Left);
        self.phase = Phase::Ended;
        self.ended = Some(Cause::Closed);
        self.outage = None;
        self.outbox.clear(&mut self.outputs);
        self.set_state(State::Closed);
    }

    // ── Small things ───────────────────────────────────────────────────────────────────────────────────────

    #[inline(never)]
    fn channel(&self, slot: Slot) -> Option<&Channel> {
        self.channels.get(slot.0 as usize)?.as_ref()
    }

    #[inline(never)]
    fn channel_mut(&mut self, slot: Slot) -> Option<&mut Channel> {
        self.channels.get_mut(slot.0 as usize)?.as_mut()
    }

    #[inline(never)]
    fn standing(&self) -> Window {
        let unknown = Window {
            min: 0,
            max: self.config.backoff.ceiling(0),
        };
        self.welcome.map_or(unknown, |welcome| welcome.retry)
    }

    fn patience(&self) -> Option<u64> {
        self.welcome.map(|welcome| welcome.ping + welcome.grace)
    }

    #[inline(never)]
    fn learn(&mut self, cause: Cause, confidence: Confidence) {
        if let Some(outage) = &mut self.outage
            && outage.learn(cause, confidence)
        {
            self.outputs.push(Output::Event(Event::Cause));
        }
    }

    #[inline(never)]
    fn set_state(&mut self, state: State) {
        if state != self.state {
            let previous = core::mem::replace(&mut self.state, state);
            let cause = match state {
                State::Connecting | State::Connected => None,
                State::Reconnecting => self.outage.map(|outage| outage.cause),
                State::Closed => self.ended,
            };
            self.outputs.push(Output::Event(Event::State {
                state,
                previous,
                cause,
            }));
        }
    }

    #[inline(never)]
    fn set_status(&mut self, slot: Slot, status: Status) {
        if let Some(channel) = self.channel_mut(slot)
            && channel.status != status
        {
            channel.status = status;
            self.outputs
                .push(Output::Event(Event::Status { slot, status }));
        }
    }
}
