//! Is anybody there? Time, and the life of the page around the socket.
//!
//! **Invariant:** a hint of the browser never ends a socket; it makes the session ask.

use super::{AWAY_MS, BUSY_MS, LATE_MS, Online, Phase, READ_MS, REDIAL_MS, SLEPT_MS, Session};
use crate::backoff::TRIGGER_FLOOR_MS;
use crate::cause::{Cause, Confidence, Plan, Reading, SocketEnd};
use crate::types::{Id, Millis, Output, PageEvent, Slot};

impl Session {
    /// Time passed.
    pub fn handle_timeout(&mut self, now: Millis) {
        let deadline = self.deadline();
        if now < deadline {
            return;
        }
        match self.phase {
            Phase::Ended => {}
            Phase::FetchingToken { .. } => self.dial_failed(now, SocketEnd::Token, 0),
            Phase::Waiting { .. } => self.attempt(now),
            Phase::Dialing { .. } => self.dial_failed(now, SocketEnd::Timeout, 0),
            Phase::Online(online) => {
                if self.visible && now - deadline > SLEPT_MS {
                    self.away = Some((Cause::Slept, now));
                }
                self.check_online(now, online);
            }
        }
    }

    /// The page's life around the socket.
    pub fn handle_page(&mut self, now: Millis, event: PageEvent) {
        match event {
            PageEvent::Online => {
                self.online = true;
                self.poke(now);
            }
            PageEvent::Offline => {
                self.online = false;
                self.believe_offline(now);
            }
            PageEvent::Visible => {
                self.visible = true;
                self.poke(now);
            }
            PageEvent::Hidden => self.visible = false,
            PageEvent::Freeze => self.away = Some((Cause::Frozen, now)),
            PageEvent::Cached => self.away = Some((Cause::PageCache, now)),
            PageEvent::Resume | PageEvent::Restored => {
                if let Some((_, until)) = &mut self.away {
                    *until = now;
                }
                self.poke(now);
            }
        }
    }

    /// Something happened to the page: is the connection still there?
    pub(super) fn poke(&mut self, now: Millis) {
        match self.phase {
            Phase::Online(_) => self.suspect(now),
            Phase::Waiting { held, .. } if self.online => {
                if now >= self.next_trigger {
                    self.next_trigger = now + TRIGGER_FLOOR_MS;
                    self.failures = 0;
                    self.bring_forward(now);
                } else if held {
                    // What was held for the network's sake goes when it is back, however often; the exponent stays.
                    self.bring_forward(now);
                }
            }
            Phase::Dialing { .. } if self.online => self.redial(now),
            Phase::Ended
            | Phase::FetchingToken { .. }
            | Phase::Waiting { .. }
            | Phase::Dialing { .. } => {}
        }
    }

    /// A dial that began before the trigger may hang on a path that is gone: dial anew.
    pub(super) fn redial(&mut self, now: Millis) {
        if now - self.last_attempt >= REDIAL_MS {
            self.give_up_hello(now);
            self.leave_socket(SocketEnd::Left);
            self.failures = 0;
            self.bring_forward(now);
        }
    }

    /// A hint that the network is gone. Sockets survive many of them, so a live one is asked, not ended.
    pub(super) fn believe_offline(&mut self, now: Millis) {
        match self.phase {
            Phase::Online(_) => self.suspect(now),
            Phase::Waiting { .. } => {
                self.hold(now);
                if let Some(outage) = &mut self.outage {
                    outage.evidence.online = false;
                }
                self.learn(Cause::Offline, Confidence::Certain);
            }
            // An attempt under way has its own deadline and will show.
            Phase::Ended | Phase::FetchingToken { .. } | Phase::Dialing { .. } => {}
        }
    }

    pub(super) fn suspect(&mut self, now: Millis) {
        let id = Id(self.last_id + 1);
        let until = now + self.config.probe_timeout;
        if let Phase::Online(online) = &mut self.phase
            && online.probe_until == Millis::NEVER
        {
            online.probe_until = until;
            online.silent_at = online.silent_at.max(until);
            self.last_id = id.0;
            self.outputs.push(Output::Ping(id));
        }
    }

    pub(super) fn check_online(&mut self, now: Millis, online: Online) {
        if now >= online.leave_at {
            let reading = Reading(Cause::Reinit, Confidence::Certain, Plan::Now);
            return self.end(now, SocketEnd::Left, 0, reading);
        }
        let deadline = online.probe_until.min(online.silent_at);
        if now >= deadline {
            return self.check_silence(now, online, now - deadline);
        }
        if self.requests.iter().any(|request| now >= request.until) {
            return self.end_silent(now);
        }
        for at in 0..self.channels.len() {
            let slot = Slot(at as u32);
            if self
                .channel(slot)
                .is_some_and(|channel| now >= channel.ask_at)
            {
                self.ask_subscribe(now, slot);
            }
        }
    }

    /// A timer that comes late says that the page was late, not that the server is gone.
    fn check_silence(&mut self, now: Millis, online: Online, late: u64) {
        if late > LATE_MS && online.probe_until == Millis::NEVER {
            self.suspect(now);
        } else if late > BUSY_MS && !online.reading {
            // What came meanwhile may still wait to be read.
            let until = now + READ_MS;
            self.phase = Phase::Online(Online {
                silent_at: until,
                probe_until: until,
                reading: true,
                ..online
            });
        } else {
            self.end_silent(now);
        }
    }

    pub(super) fn end_silent(&mut self, now: Millis) {
        let silent = Reading(Cause::Silent, Confidence::Likely, Plan::Backoff);
        let reading = self.read_loss(now, silent);
        self.end(now, SocketEnd::Silent, 0, reading);
    }

    /// What a loss without a word is, given what is known of the page and of the browser.
    pub(super) fn read_loss(&self, now: Millis, reading: Reading) -> Reading {
        match self.away {
            Some((cause, until)) if now - until <= AWAY_MS => {
                Reading(cause, Confidence::Likely, Plan::Now)
            }
            _ if !self.online => Reading(Cause::Offline, Confidence::Certain, reading.2),
            _ => reading,
        }
    }
}
