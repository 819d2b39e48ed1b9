//! Attempts: when the next is made, what a failed one shows, and how an outage goes.

use super::{BLOCKED_DIALS, OWN_HELLO_MS, Phase, REFUSED_MS, Session};
use crate::backoff::{OFFLINE_ATTEMPT_MS, STABLE_MS, next_attempt};
use crate::cause::{Cause, Confidence, Evidence, Outage, Plan, Probed, Reading, SocketEnd};
use crate::types::{
    Event, Health, Millis, Outcome, Output, Refusal, Slot, State, Status, Token, Window,
};

impl Session {
    /// The answer to [`Output::FetchToken`].
    pub fn handle_token(&mut self, now: Millis, token: Token) {
        if !matches!(self.phase, Phase::FetchingToken { .. }) {
            return;
        }
        match token {
            Token::Ready => {
                self.has_token = true;
                self.dial(now);
            }
            Token::Missing => {
                let reading = Reading(Cause::Required, Confidence::Certain, Plan::Stop);
                self.end(now, SocketEnd::Token, 0, reading);
            }
            Token::Failed => self.dial_failed(now, SocketEnd::Token, 0),
        }
    }

    /// The answer to [`Output::Probe`] with the same number.
    pub fn handle_probe(&mut self, now: Millis, probe: u32, health: Health) {
        if probe != self.probe || self.ended.is_some() {
            return;
        }
        self.probing_until = now;
        let quick = now - self.probe_sent <= REFUSED_MS;
        let Some(outage) = &mut self.outage else {
            return;
        };
        let before = core::mem::take(&mut self.accepting_dials);
        let refused_before = core::mem::take(&mut self.refused_probes);
        let probed = &mut outage.evidence.probe;
        match health {
            Health::Accepting => {
                *probed = Probed::Ok;
                self.accepting_dials = before + 1;
                if before + 1 >= BLOCKED_DIALS {
                    self.learn(Cause::Blocked, Confidence::Likely);
                }
            }
            Health::Unknown => *probed = Probed::None,
            Health::Refusing {
                why: Refusal::Origin,
                ..
            } => {
                *probed = Probed::Ok;
                let reading = Reading(Cause::Denied, Confidence::Certain, Plan::Stop);
                self.end(now, SocketEnd::Left, 0, reading);
            }
            Health::Refusing { why, retry } => {
                *probed = Probed::Ok;
                let cause = match why {
                    Refusal::NotReady => Cause::NotReady,
                    Refusal::Overload | Refusal::Origin => Cause::Overload,
                };
                self.postpone(now, retry);
                self.learn(cause, Confidence::Certain);
            }
            Health::ServerError => {
                *probed = Probed::Error;
                self.learn(Cause::Unreachable, Confidence::Likely);
            }
            Health::Failed | Health::Timeout => {
                let refused = quick && health == Health::Failed;
                *probed = if refused {
                    Probed::Refused
                } else {
                    Probed::Timeout
                };
                // After a dial that got no answer at all, one refusal may be the end of the hole that swallowed it.
                let enough = if outage.evidence.socket == SocketEnd::Timeout {
                    2
                } else {
                    1
                };
                self.refused_probes = if refused { refused_before + 1 } else { 0 };
                if self.config.witness {
                    self.probing_until = now + self.config.probe_timeout;
                    self.outputs.push(Output::Witness(probe));
                } else if self.refused_probes >= enough && self.online {
                    self.learn(Cause::Unreachable, Confidence::Likely);
                }
            }
        }
    }

    /// Whether the witness, a URL elsewhere, answered. It tells "my uplink" from "their server".
    pub fn handle_witness(&mut self, probe: u32, answered: bool) {
        if probe != self.probe {
            return;
        }
        let Some(outage) = &mut self.outage else {
            return;
        };
        outage.evidence.witness = Some(answered);
        if answered {
            self.learn(Cause::Unreachable, Confidence::Likely);
        }
    }

    pub(super) fn attempt(&mut self, now: Millis) {
        self.last_attempt = now;
        if let Some(outage) = &mut self.outage {
            outage.attempts += 1;
        }
        if self.has_token {
            return self.dial(now);
        }
        let until = now + self.config.connect_timeout;
        self.phase = Phase::FetchingToken { until };
        self.outputs.push(Output::FetchToken);
    }

    pub(super) fn dial(&mut self, now: Millis) {
        let until = now + self.config.connect_timeout;
        self.said_hello = false;
        self.phase = Phase::Dialing { until };
        self.outputs.push(Output::Open(self.socket));
    }

    /// An attempt came to nothing. The browser tells nothing of why, so the server's health is asked.
    pub(super) fn dial_failed(&mut self, now: Millis, end: SocketEnd, code: u16) {
        let (cause, confidence) = if self.online {
            (Cause::Lost, Confidence::Guess)
        } else {
            (Cause::Offline, Confidence::Certain)
        };
        self.end(now, end, code, Reading(cause, confidence, Plan::Backoff));
        // One at a time: an answer that takes longer than the next dial is an answer all the same.
        let probing = now < self.probing_until;
        if self.config.health && self.online && end != SocketEnd::Token && !probing {
            self.probe += 1;
            self.probe_sent = now;
            self.probing_until = now + self.config.probe_timeout;
            self.outputs.push(Output::Probe(self.probe));
        }
    }

    /// The socket, or the attempt at one, is over: what is known of it, and what follows.
    pub(super) fn end(&mut self, now: Millis, end: SocketEnd, code: u16, reading: Reading) {
        let Reading(cause, confidence, mut plan) = reading;
        let connected = matches!(self.phase, Phase::Online(_));
        if let Phase::Online(online) = self.phase
            && now - online.caught_up >= STABLE_MS
        {
            self.failures = 0;
        }
        self.give_up_hello(now);
        self.leave_socket(end);
        if plan == Plan::Refresh {
            // Once: a fresh token that is refused like the old one cannot be mended by another.
            plan = if self.refreshed || !self.config.token {
                Plan::Stop
            } else {
                Plan::Now
            };
            self.refreshed = true;
            self.has_token = !self.config.token;
        }
        let stop = plan == Plan::Stop;
        self.schedule(now, plan, connected);

        let evidence = Evidence {
            socket: end,
            code,
            online: self.online,
            probe: Probed::None,
            witness: None,
        };
        let began = self.outage.is_none();
        let outage = self.outage.get_or_insert(Outage {
            cause,
            confidence,
            evidence,
            since: now,
            attempts: u32::from(!connected),
            will_retry: true,
            recovered: 0,
            gaps: 0,
        });
        outage.will_retry = !stop;
        outage.evidence.socket = end;
        outage.evidence.code = code;
        outage.evidence.online = evidence.online;
        let changed = if stop || connected {
            let changed = outage.cause != cause;
            (outage.cause, outage.confidence) = (cause, confidence);
            changed
        } else {
            outage.learn(cause, confidence)
        };
        let now_called = outage.cause;
        if changed && !began {
            self.outputs.push(Output::Event(Event::Cause));
        }
        if stop {
            self.ended = Some(now_called);
            self.set_state(State::Closed);
        } else if connected {
            self.set_state(State::Reconnecting);
        }
        if began {
            self.outputs.push(Output::Event(Event::Disconnect));
        }
    }

    /// The server may yet read the hello of a dial that it has not welcomed.
    pub(super) fn give_up_hello(&mut self, now: Millis) {
        if self.said_hello && matches!(self.phase, Phase::Dialing { .. }) {
            self.own_hello_until = now + OWN_HELLO_MS;
        }
    }

    /// Forgets all that was true of the current socket only.
    pub(super) fn leave_socket(&mut self, end: SocketEnd) {
        let has_socket = matches!(self.phase, Phase::Dialing { .. } | Phase::Online(_));
        if has_socket {
            if !matches!(end, SocketEnd::Closed | SocketEnd::Failed) {
                self.outputs.push(Output::Abandon(self.socket));
            }
            self.socket.0 += 1;
        }
        self.outbox.forget_socket();
        self.settle_requests(Outcome::Interrupted);
        for at in 0..self.channels.len() {
            let slot = Slot(at as u32);
            let Some(channel) = self.channels[at].as_mut() else {
                continue;
            };
            if channel.hole.is_some() {
                self.outputs.push(Output::Discard(slot));
            }
            let leaving = !channel.wanted;
            let subscribed = channel.status == Status::Subscribed;
            channel.forget_socket();
            if leaving {
                self.outputs.push(Output::Forget(slot));
            } else if subscribed {
                self.set_status(slot, Status::Subscribing);
            }
        }
    }

    pub(super) fn schedule(&mut self, now: Millis, plan: Plan, connected: bool) {
        let ceiling = self.config.backoff.ceiling(self.failures);
        let standing = self.standing();
        let mut window = self.given.take().unwrap_or(standing);
        match plan {
            Plan::Stop => {
                self.phase = Phase::Ended;
                return;
            }
            Plan::Now | Plan::Refresh => window = Window { min: 0, max: 0 },
            Plan::Ordered => {}
            Plan::Doubled => window.max = window.max.saturating_add(window.max),
            // The first attempt after a good connection: where the server wants its fleet to be.
            Plan::Backoff if connected && self.failures == 0 => {}
            Plan::Backoff if connected => window.max = window.max.max(ceiling),
            Plan::Backoff => {
                window = Window {
                    min: 0,
                    max: ceiling,
                };
            }
        }
        if plan != Plan::Now {
            self.failures = self.failures.saturating_add(1);
        }
        let mut until = next_attempt(now, self.last_attempt, window, &mut self.rng);
        if matches!(plan, Plan::Ordered | Plan::Doubled) {
            self.not_before = until;
        }
        until = until.max(self.not_before);
        self.phase = Phase::Waiting { until, held: false };
        if !self.online {
            self.hold(now);
        }
    }

    /// While the browser says offline no attempt is made, but for one a minute: it may be wrong.
    pub(super) fn hold(&mut self, now: Millis) {
        if let Phase::Waiting { until, held } = &mut self.phase {
            *until = (*until).max(now + OFFLINE_ATTEMPT_MS);
            *held = true;
        }
    }

    /// The server wants nobody before so many ms; spread over half as many again.
    pub(super) fn postpone(&mut self, now: Millis, ms: u64) {
        let earliest = now + self.rng.within(ms, ms.saturating_add(ms / 2));
        self.not_before = earliest;
        if let Phase::Waiting { until, .. } = &mut self.phase {
            *until = (*until).max(earliest);
        }
    }

    /// The next attempt at once, but for the floor and a window that the server ordered.
    pub(super) fn bring_forward(&mut self, now: Millis) {
        let now_window = Window { min: 0, max: 0 };
        let soonest = next_attempt(now, self.last_attempt, now_window, &mut self.rng);
        let until = soonest.max(self.not_before);
        self.phase = Phase::Waiting { until, held: false };
    }
}
