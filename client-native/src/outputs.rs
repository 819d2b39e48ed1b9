//! What the session wants done, done.

use rejoin_protocol::code;
use rejoin_protocol::command::{
    Command, Entry, Hello, History, OnChannel, Ping, Plain, Publish, Subscribe, Why,
};
use rejoin_protocol::limits::HISTORY_LIMIT_MAX;
use rejoin_protocol::push::Message;
use rejoin_protocol::reply::{self, RetryHint};
use rejoin_session::{Cause, Event as SessionEvent, Id, Outcome, Output, Slot, State, Verdict};

use crate::client::{Published, Status};
use crate::driver::Driver;
use crate::inbox::{Gap, Item};
use crate::socket::{ABNORMAL, Socket};
use crate::{Error, Event, health};

impl Driver {
    /// Does all that the session wants done.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::FetchToken | Output::Witness(_) => {
                unreachable!("the configuration has neither a token to fetch nor a witness")
            }
            Output::Open(socket) => {
                self.socket = Some(Socket::open(socket, self.target.clone(), self.news.clone()));
            }
            Output::Abandon(_) => self.socket = None,
            Output::Hello => self.send_hello(),
            Output::Subscribe { slot, id } => {
                if let Some(entry) = self.entry(slot) {
                    let text = Command::Subscribe(Subscribe {
                        id: id.0.into(),
                        entry,
                    })
                    .encode();
                    self.send(text);
                }
            }
            Output::Unsubscribe { slot, id } => {
                if let Some(channel) = self.channels.get(&slot) {
                    let command = OnChannel {
                        id: id.0.into(),
                        channel: (&*channel.name).into(),
                    };
                    self.send(Command::Unsubscribe(command).encode());
                }
            }
            Output::Publish { id, seq, again } => {
                if let Some(pending) = self.pending.get(&id) {
                    let publish = Publish {
                        id: Some(id.0.into()),
                        channel: (&*pending.channel).into(),
                        seq: Some(seq),
                        again,
                        data: &pending.data,
                    };
                    self.send(Command::Publish(publish).encode());
                }
            }
            Output::Settled { id, outcome } => self.settle(id, outcome),
            Output::History {
                slot,
                id,
                after,
                before,
            } => {
                if let Some(channel) = self.channels.get(&slot) {
                    let history = History {
                        id: id.0.into(),
                        channel: (&*channel.name).into(),
                        epoch: None,
                        after: Some(after),
                        before: Some(before),
                        limit: HISTORY_LIMIT_MAX,
                        reverse: false,
                    };
                    self.send(Command::History(history).encode());
                }
            }
            Output::Subscriptions(id) => {
                self.send(Command::Subscriptions(Plain { id: id.0.into() }).encode());
            }
            Output::Ping(id) => self.send(
                Command::Ping(Ping {
                    id: Some(id.0.into()),
                })
                .encode(),
            ),
            Output::Pong => self.send(Command::Pong.encode()),
            Output::Bye => self.send(Command::Bye.encode()),
            Output::Probe(number) => self.probe(number),
            Output::Release(slot) => self.release(slot),
            Output::Discard(slot) => {
                if let Some(channel) = self.channels.get_mut(&slot) {
                    channel.held.clear();
                }
            }
            Output::Forget(slot) => self.forget(slot),
            Output::Event(event) => self.tell(event),
        }
    }

    /// Hands a frame to the socket. One that does not keep up is given up: a frame less would go unnoticed for long.
    fn send(&mut self, frame: String) {
        if let Some(socket) = &self.socket
            && !socket.send(frame)
        {
            let id = socket.id();
            self.lost(id, ABNORMAL);
        }
    }

    fn send_hello(&mut self) {
        let why = self.session.outage().map(|outage| Why {
            cause: Some(name(outage.cause).into()),
            code: (outage.evidence.code > 0).then_some(outage.evidence.code.into()),
            ms: Some(self.now() - outage.since),
            attempts: Some(outage.attempts.into()),
        });
        let hello = Hello {
            client: (&*self.client).into(),
            producer: Some((&*self.producer).into()),
            channels: self
                .session
                .rejoining()
                .filter_map(|(slot, _)| self.entry(slot))
                .collect(),
            refused: Vec::new(),
            info: self.options.info.as_deref(),
            token: self.options.token.as_deref().map(Into::into),
            why,
        };
        self.send(Command::Hello(Box::new(hello)).encode());
    }

    /// A channel as `hello` and `subscribe` name it: from its position, or from where the application wants it.
    fn entry(&self, slot: Slot) -> Option<Entry<'_>> {
        let channel = self.channels.get(&slot)?;
        let position = self.session.position(slot);
        Some(Entry {
            channel: (&*channel.name).into(),
            epoch: position.map(|position| self.epochs.name(position.epoch).into()),
            offset: position.map(|position| position.offset),
            from: channel.from,
            token: None,
            presence: false,
        })
    }

    fn settle(&mut self, id: Id, outcome: Outcome) {
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        let result = match outcome {
            Outcome::Accepted { offset, duplicate } => Ok(Published { offset, duplicate }),
            Outcome::Refused => Err(self
                .refusal
                .take()
                .map_or(Error::NotConnected, refused_there)),
            Outcome::Interrupted => Err(Error::NotConnected),
            Outcome::Closed => Err(Error::Closed),
        };
        // Fails when nobody waits for it.
        let _ = pending.reply.send(result);
    }

    fn probe(&self, number: u32) {
        let (target, timeout, probes) = (
            self.target.clone(),
            self.options.probe_timeout,
            self.probes.clone(),
        );
        tokio::spawn(async move {
            let health = health::probe(target, timeout).await;
            // Fails when the client is gone.
            let _ = probes.send((number, health)).await;
        });
    }

    /// Offers what was held back again. A gap that the session finds on the way is told before what is behind it.
    fn release(&mut self, slot: Slot) {
        let Some(channel) = self.channels.get_mut(&slot) else {
            return;
        };
        for message in std::mem::take(&mut channel.held) {
            self.offer_held(slot, message);
        }
    }

    /// A message that was held, or that fills a hole.
    pub(crate) fn offer_held(&mut self, slot: Slot, message: Message) {
        let verdict = self.session.accept_held(self.now(), slot, message.offset);
        self.judge(slot, message, verdict);
    }

    /// Does with a message what the session said, after all that the session wants done before.
    pub(crate) fn judge(&mut self, slot: Slot, message: Message, verdict: Verdict) {
        match verdict {
            Verdict::Repeat => {}
            Verdict::Hold => {
                if let Some(channel) = self.channels.get_mut(&slot) {
                    channel.held.push(message);
                }
            }
            Verdict::Again => {
                self.drain();
                let verdict = self.session.accept_held(self.now(), slot, message.offset);
                self.judge(slot, message, verdict);
            }
            Verdict::Deliver => {
                self.drain();
                self.deliver(slot, &Item::Message(message));
            }
        }
    }

    fn deliver(&mut self, slot: Slot, item: &Item) {
        let Some(channel) = self.channels.get(&slot) else {
            return;
        };
        let mut gone = false;
        for inbox in &channel.inboxes {
            gone |= inbox.is_closed();
            inbox.push(item.clone());
        }
        if gone {
            self.prune(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let Some(channel) = self.channels.remove(&slot) else {
            return;
        };
        channel.inboxes.iter().for_each(|inbox| inbox.close());
        if self.slots.get(&channel.name) == Some(&slot) {
            self.slots.remove(&channel.name);
        }
    }

    fn tell(&mut self, event: SessionEvent) {
        let event = match event {
            SessionEvent::State {
                state,
                previous,
                cause,
            } => Event::State {
                state,
                previous,
                cause,
            },
            SessionEvent::Disconnect => match self.session.outage() {
                Some(outage) => Event::Disconnect(*outage),
                None => return,
            },
            SessionEvent::Cause => match self.session.outage() {
                Some(outage) => Event::Cause(*outage),
                None => return,
            },
            SessionEvent::Reconnect => match self.session.last_outage() {
                Some(&outage) => {
                    let downtime = self.now() - outage.since;
                    Event::Reconnect { outage, downtime }
                }
                None => return,
            },
            SessionEvent::Gap {
                slot,
                from,
                to,
                why,
            } => {
                let gap = Gap { from, to, why };
                self.deliver(slot, &Item::Gap(gap));
                match self.channels.get(&slot) {
                    Some(channel) => Event::Gap {
                        channel: channel.name.clone(),
                        gap,
                    },
                    None => return,
                }
            }
            SessionEvent::Status { slot, status } => {
                if let Some(channel) = self.channels.get(&slot) {
                    channel.status.send_replace(status);
                }
                return;
            }
        };
        self.report(event);
    }

    pub(crate) fn report(&self, event: Event) {
        // Fails when nobody listens.
        let _ = self.events.send(event);
    }

    pub(crate) fn tell_status(&self) {
        let state = self.session.state();
        let outage = self.session.outage().copied();
        let status = Status {
            state,
            cause: match state {
                State::Closed => Some(outage.map_or(Cause::Closed, |outage| outage.cause)),
                _ => outage.map(|outage| outage.cause),
            },
            outage,
            member: self.member.clone(),
            session: self.session_name.clone(),
            pending: self.session.pending(),
        };
        self.status.send_if_modified(|told| {
            let changed = *told != status;
            *told = status;
            changed
        });
    }
}

fn refused_there(error: reply::Error) -> Error {
    Error::Refused {
        temporary: error.retry != RetryHint::Whether(false),
        code: error.code,
        message: error.message,
    }
}

/// The wire's name of a cause. Both lists are PROTOCOL.md's, in its order.
fn name(cause: Cause) -> &'static str {
    code::Cause::ALL[cause as usize].name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_the_names_of_the_wire() {
        assert_eq!(name(Cause::Offline), "offline");
        assert_eq!(name(Cause::NotReady), "not-ready");
        assert_eq!(name(Cause::PageCache), "page-cache");
        assert_eq!(name(Cause::Closed), "closed");
        assert_eq!(Cause::Closed as usize, code::Cause::ALL.len() - 1);
    }
}
