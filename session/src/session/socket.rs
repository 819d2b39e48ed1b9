//! What a socket brings, from its opening to its end.

use super::{Asked, Online, Phase, Session};
use crate::cause::{Cause, Confidence, Plan, Reading, SocketEnd, of_close};
use crate::types::{Epoch, Millis, Output, Slot, SocketId, State, Status, Welcome, Window};

impl Session {
    /// The socket opened: introduce ourselves, and rejoin every channel with the same frame.
    pub fn handle_opened(&mut self, socket: SocketId) {
        if socket == self.socket && matches!(self.phase, Phase::Dialing { .. }) {
            self.said_hello = true;
            self.outputs.push(Output::Hello);
        }
    }

    /// A frame arrived, whatever is in it: the connection lives.
    pub fn handle_alive(&mut self, now: Millis, socket: SocketId) {
        let Some(patience) = self.patience() else {
            return;
        };
        if let Phase::Online(online) = &mut self.phase
            && socket == self.socket
        {
            online.silent_at = now + patience;
            online.probe_until = Millis::NEVER;
            online.reading = false;
            if self.outage.is_some() {
                self.finish_replays(now);
            }
        }
    }

    /// What a close code means here. Who is told to go after a reinit was announced goes for that; and who has given
    /// up a socket before its welcome may have been replaced by its own old hello, held up on the way.
    fn read_close(&self, now: Millis, code: u16) -> Reading {
        match self.phase {
            _ if code == 4504 && now < self.own_hello_until => {
                Reading(Cause::Lost, Confidence::Guess, Plan::Backoff)
            }
            Phase::Online(online) if code == 4203 && online.leave_at != Millis::NEVER => {
                Reading(Cause::Reinit, Confidence::Certain, Plan::Now)
            }
            _ => of_close(code),
        }
    }

    /// The server's welcome. Returns false when it is old news. The driver then calls [`Session::handle_joined`] or
    /// [`Session::handle_refused`] for each channel in it, and [`Session::handle_welcomed`] last.
    pub fn handle_welcome(&mut self, now: Millis, socket: SocketId, welcome: Welcome) -> bool {
        if socket != self.socket || !matches!(self.phase, Phase::Dialing { .. }) {
            return false;
        }
        if let Some(before) = self.welcome.replace(welcome)
            && before.epoch != welcome.epoch
            && self
                .outage
                .is_some_and(|outage| outage.cause == Cause::Lost)
        {
            // Another process answers in the old one's place; or the same, with its application new.
            if before.node == welcome.node {
                self.learn(Cause::Reinit, Confidence::Certain);
            } else {
                self.learn(Cause::Restart, Confidence::Likely);
            }
        }
        self.not_before = Millis(0);
        self.refreshed = false;
        self.accepting_dials = 0;
        self.probe += 1; // an answer still under way is about the past
        self.away = None;
        self.phase = Phase::Online(Online {
            silent_at: now + welcome.ping + welcome.grace,
            probe_until: Millis::NEVER,
            reading: false,
            leave_at: Millis::NEVER,
            caught_up: Millis::NEVER,
        });
        self.set_state(State::Connected);
        true
    }

    /// The welcome is read: ask for what it did not answer, send what waits.
    pub fn handle_welcomed(&mut self, now: Millis) {
        for at in 0..self.channels.len() {
            let slot = Slot(at as u32);
            let Some(channel) = self.channel(slot) else {
                continue;
            };
            let asked = channel.joined || channel.asked.is_some();
            if channel.wanted && !asked && channel.status != Status::Denied {
                self.ask_subscribe(now, slot);
            }
        }
        self.outbox.flush(now, &mut self.outputs);
        self.check_caught_up(now);
    }

    /// The server's `ping`. A changed epoch is a reinit that nobody announced; a changed digest a subscription
    /// that one side has lost.
    pub fn handle_ping(
        &mut self,
        now: Millis,
        epoch: Epoch,
        sum: Option<u32>,
        retry: Option<Window>,
    ) {
        let (Phase::Online(_), Some(welcome)) = (self.phase, &mut self.welcome) else {
            return;
        };
        if let Some(retry) = retry {
            welcome.retry = retry;
        }
        if welcome.epoch != epoch {
            welcome.epoch = epoch;
            return self.end(
                now,
                SocketEnd::Left,
                0,
                Reading(Cause::Reinit, Confidence::Certain, Plan::Ordered),
            );
        }
        self.outputs.push(Output::Pong);
        let asking = self
            .requests
            .iter()
            .any(|request| matches!(request.asked, Asked::Subscriptions));
        if sum.is_some_and(|sum| sum != self.digest()) && !asking {
            let id = self.request(now, Asked::Subscriptions);
            self.outputs.push(Output::Subscriptions(id));
        }
    }

    /// `reinit`: leave at an instant inside the window. A repetition changes nothing.
    pub fn handle_reinit(&mut self, now: Millis, epoch: Epoch, window: Window) {
        let (Phase::Online(online), Some(welcome)) = (&mut self.phase, &mut self.welcome) else {
            return;
        };
        welcome.epoch = epoch;
        if online.leave_at == Millis::NEVER {
            online.leave_at = now + self.rng.within(window.min, window.max);
        }
    }

    /// `bye`: the server is about to close. Its word is enough; the close itself is not waited for.
    pub fn handle_bye(&mut self, now: Millis, socket: SocketId, code: u16, window: Option<Window>) {
        if socket == self.socket && matches!(self.phase, Phase::Dialing { .. } | Phase::Online(_)) {
            self.given = window;
            let reading = self.read_close(now, code);
            self.end(now, SocketEnd::Left, code, reading);
        }
    }

    /// The socket closed, or could not be opened.
    pub fn handle_closed(&mut self, now: Millis, socket: SocketId, code: u16) {
        if socket != self.socket {
            return;
        }
        let mut reading = self.read_close(now, code);
        match self.phase {
            Phase::Online(_) => {
                if reading.0 == Cause::Lost {
                    reading = self.read_loss(now, reading);
                }
                self.end(now, SocketEnd::Closed, code, reading);
            }
            Phase::Dialing { .. } if reading.0 == Cause::Lost => {
                self.dial_failed(now, SocketEnd::Failed, code);
            }
            Phase::Dialing { .. } => self.end(now, SocketEnd::Closed, code, reading),
            Phase::Ended | Phase::FetchingToken { .. } | Phase::Waiting { .. } => {}
        }
    }
}
