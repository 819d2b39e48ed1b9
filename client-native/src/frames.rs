//! The server's frames, translated for the session.

use rejoin_protocol::ServerFrame;
use rejoin_protocol::push::{self, Message};
use rejoin_protocol::reply::{self, ChannelResult, RetryHint};
use rejoin_session::{Asked, Epoch, Id, Joined, Position, Slot, SocketId, Welcome, Why, Window};

use crate::Event;
use crate::driver::Driver;

/// The close code that stands for a server that breaks the protocol.
const PROTOCOL_ERROR: u16 = 1002;

/// Epoch strings and the numbers that the session knows them by. A few per channel and restart, over a client's life.
#[derive(Debug, Default)]
pub(crate) struct Epochs(Vec<String>);

impl Epochs {
    /// The number of a name; the same name has the same number. 0 is never one.
    pub(crate) fn intern(&mut self, name: &str) -> Epoch {
        let at = self.0.iter().position(|known| known == name);
        let at = at.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        Epoch(u32::try_from(at + 1).expect("fewer epochs than 2^32"))
    }

    pub(crate) fn name(&self, epoch: Epoch) -> &str {
        &self.0[epoch.0 as usize - 1]
    }
}

impl Driver {
    /// A text frame of this socket: one object or a batch.
    pub(crate) fn handle_frame(&mut self, socket: SocketId, text: &str) {
        self.session.handle_alive(self.now(), socket);
        let Ok(frames) = ServerFrame::decode(text) else {
            return self.lost(socket, PROTOCOL_ERROR);
        };
        for frame in frames {
            // What follows a `bye` in the same batch is old news.
            if !self.session.is_current(socket) {
                return;
            }
            self.handle_object(socket, frame);
            self.drain();
        }
    }

    fn handle_object(&mut self, socket: SocketId, frame: ServerFrame) {
        let now = self.now();
        match frame {
            ServerFrame::Welcome(welcome) => self.handle_welcome(socket, *welcome),
            ServerFrame::Ok(ok) => self.handle_ok(ok),
            ServerFrame::Error(error) => self.handle_error(error),
            ServerFrame::Message(message) => {
                if let Some(&slot) = self.slots.get(&message.channel) {
                    let verdict = self.session.accept(now, slot, message.offset);
                    self.judge(slot, message, verdict);
                }
            }
            ServerFrame::Live(live) => {
                if let Some(&slot) = self.slots.get(&live.channel) {
                    self.session.handle_live(now, slot);
                }
            }
            ServerFrame::Gap(gap) => self.handle_gap(gap),
            ServerFrame::Kick(kick) => {
                if let Some(&slot) = self.slots.get(&kick.channel) {
                    self.session.handle_refused(now, slot);
                }
                self.report_refusal(kick.code, kick.message, Some(kick.channel));
            }
            ServerFrame::Reinit(reinit) => {
                let epoch = self.epochs.intern(&reinit.epoch);
                self.session
                    .handle_reinit(now, epoch, window(reinit.window));
            }
            ServerFrame::Ping(ping) => {
                let epoch = self.epochs.intern(&ping.epoch);
                let retry = ping.retry.map(|retry| window(retry.window));
                self.session.handle_ping(now, epoch, Some(ping.sum), retry);
            }
            ServerFrame::Bye(bye) => {
                self.session
                    .handle_bye(now, socket, bye.code, bye.window.map(window));
            }
            // Presence is never asked for.
            ServerFrame::Join(_) | ServerFrame::Leave(_) | ServerFrame::Unknown => {}
        }
    }

    fn handle_welcome(&mut self, socket: SocketId, welcome: reply::Welcome) {
        let told = Welcome {
            epoch: self.epochs.intern(&welcome.epoch),
            node: self.epochs.intern(&welcome.node),
            ping: welcome.ping,
            grace: welcome.grace,
            retry: window(welcome.retry.window),
        };
        if !self.session.handle_welcome(self.now(), socket, told) {
            return;
        }
        self.member = Some(welcome.member);
        self.session_name = Some(welcome.session);
        for (name, result) in welcome.channels {
            let Some(&slot) = self.slots.get(&name) else {
                continue;
            };
            match self.joined(&result) {
                Some(joined) => self.session.handle_joined(slot, joined),
                None => {
                    self.session.handle_refused(self.now(), slot);
                    if let Some(error) = result.error {
                        self.report_refusal(error.code, error.message, Some(name));
                    }
                }
            }
        }
        self.session.handle_welcomed(self.now());
    }

    fn joined(&mut self, result: &ChannelResult) -> Option<Joined> {
        Some(Joined {
            epoch: self.epochs.intern(result.epoch.as_deref()?),
            since: result.since?,
            offset: result.offset?,
        })
    }

    fn handle_ok(&mut self, ok: reply::Ok) {
        let Some(id) = id(ok.id) else { return };
        let mut joined = None;
        match self.session.asked(id) {
            Some(Asked::Subscribe(_)) => {
                joined = self.joined(&ChannelResult {
                    epoch: ok.epoch,
                    since: ok.since,
                    offset: ok.offset,
                    ..ChannelResult::default()
                });
            }
            Some(Asked::History(slot)) => {
                for message in ok.messages.iter().flatten() {
                    // One that cannot be read is missing, and told as such.
                    if let Ok(message) = serde_json::from_str::<Message>(message.get()) {
                        self.offer_held(slot, message);
                    }
                }
            }
            Some(Asked::Subscriptions) => {
                let listed = ok.channels.unwrap_or_default();
                let lost: Vec<Slot> = self
                    .slots
                    .iter()
                    .filter(|(name, slot)| {
                        self.session.is_joined(**slot) && !listed.contains_key(*name)
                    })
                    .map(|(_, slot)| *slot)
                    .collect();
                for slot in lost {
                    self.session.handle_unlisted(self.now(), slot);
                }
            }
            Some(Asked::Unsubscribe(_) | Asked::Page) | None => {}
        }
        let duplicate = ok.duplicate.unwrap_or(false);
        self.session
            .handle_ok(self.now(), id, joined, ok.offset.unwrap_or(0), duplicate);
    }

    fn handle_error(&mut self, error: reply::Error) {
        let Some(id) = error.id.and_then(id) else {
            return self.report_refusal(error.code, error.message, None);
        };
        let retry = match error.retry {
            RetryHint::Whether(false) => None,
            RetryHint::Whether(true) => Some(0),
            RetryHint::After(ms) => Some(ms),
        };
        if let Some(Asked::Subscribe(slot)) = self.session.asked(id) {
            let channel = self.channels.get(&slot).map(|channel| channel.name.clone());
            self.report_refusal(error.code.clone(), error.message.clone(), channel);
        }
        self.refusal = Some(error);
        self.session.handle_error(self.now(), id, retry);
        self.drain();
        self.refusal = None;
    }

    fn handle_gap(&mut self, gap: push::Gap) {
        let Some(&slot) = self.slots.get(&gap.channel) else {
            return;
        };
        let Some(here) = self.session.position(slot) else {
            return;
        };
        let to = match (&gap.epoch, gap.offset) {
            (Some(epoch), Some(offset)) => Position {
                epoch: self.epochs.intern(epoch),
                offset,
            },
            _ => Position {
                epoch: here.epoch,
                offset: gap.to.unwrap_or(gap.from),
            },
        };
        let why = match gap.why.as_str() {
            "expired" => Why::Expired,
            "epoch" => Why::Epoch,
            _ => Why::Slow,
        };
        self.session.handle_gap(slot, to, why);
    }

    fn report_refusal(&self, code: String, message: String, channel: Option<String>) {
        self.report(Event::Error {
            code,
            message,
            channel,
        });
    }
}

/// An id of ours; another was never given.
fn id(id: u64) -> Option<Id> {
    u32::try_from(id).ok().map(Id)
}

fn window([min, max]: [u64; 2]) -> Window {
    Window { min, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_numbered_once_and_named_again() {
        let mut epochs = Epochs::default();
        let (a, b) = (epochs.intern("a"), epochs.intern("b"));
        assert_ne!(a, b);
        assert_eq!(epochs.intern("a"), a);
        assert_eq!((epochs.name(a), epochs.name(b)), ("a", "b"));
        assert_ne!(a, Epoch(0));
    }
}
