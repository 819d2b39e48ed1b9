//! The loop between the session and the world: one input, drain the outputs, arm one timer.
//!
//! It converts and forwards: names to slots, epochs to numbers, payloads to ids, and back. What to do is the session's to
//! say; `frames` takes in what the server sends, `outputs` does what the session wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rejoin_protocol::position::{From, fnv1a};
use rejoin_protocol::push::Message;
use rejoin_session::{Cause, Health, Id, Millis, PublishError, Session, Slot, SocketId};
use serde_json::value::RawValue;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::client::{Published, Status};
use crate::error::Error;
use crate::frames::Epochs;
use crate::inbox::Inbox;
use crate::socket::{INCOMING_MAX, News, Socket, SocketEvent, Target};
use crate::{Event, Options, Subscribed};

/// A call of the application.
#[derive(Debug)]
pub(crate) enum Request {
    Subscribe {
        channel: String,
        from: From,
        inbox: Arc<Inbox>,
        reply: oneshot::Sender<watch::Receiver<Subscribed>>,
    },
    Unsubscribe {
        channel: String,
    },
    Publish {
        channel: String,
        data: Box<RawValue>,
        queue: bool,
        reply: oneshot::Sender<Result<Published, Error>>,
    },
    Retry,
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// A channel that the application reads.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) from: From,
    pub(crate) status: watch::Sender<Subscribed>,
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    /// Behind a hole that is being filled; the session bounds it.
    pub(crate) held: Vec<Message>,
}

/// A publish without an answer: what to send again, and whom to tell.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) channel: String,
    pub(crate) data: Box<RawValue>,
    pub(crate) reply: oneshot::Sender<Result<Published, Error>>,
}

/// A session with everything that it must not know.
pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) epochs: Epochs,
    pub(crate) channels: BTreeMap<Slot, Channel>,
    /// Of the channels that are wanted. A name given up may still have an older slot in `channels`.
    pub(crate) slots: BTreeMap<String, Slot>,
    pub(crate) member: Option<String>,
    pub(crate) session_name: Option<String>,
    /// The `error` that answered a request, until the session says whose it was.
    pub(crate) refusal: Option<rejoin_protocol::reply::Error>,
    pub(crate) pending: BTreeMap<Id, Pending>,
    pub(crate) socket: Option<Socket>,
    pub(crate) target: Target,
    pub(crate) options: Options,
    pub(crate) client: String,
    pub(crate) producer: String,
    pub(crate) origin: Instant,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) news: mpsc::Sender<SocketEvent>,
    pub(crate) probes: mpsc::Sender<(u32, Health)>,
}

/// Starts a driver of its own task. It ends when the application closes it or drops everything.
pub(crate) fn spawn(
    target: Target,
    options: Options,
    calls: mpsc::Receiver<Request>,
    events: broadcast::Sender<Event>,
    status: watch::Sender<Status>,
) {
    let seed = options
        .seed
        .unwrap_or_else(|| u64::from_le_bytes(entropy()));
    let (news, from_sockets) = mpsc::channel(INCOMING_MAX);
    let (probes, from_probes) = mpsc::channel(1);
    let driver = Driver {
        session: Session::new(options.config(), seed, true, true),
        epochs: Epochs::default(),
        channels: BTreeMap::new(),
        slots: BTreeMap::new(),
        member: None,
        session_name: None,
        refusal: None,
        pending: BTreeMap::new(),
        socket: None,
        target,
        client: options.client.clone().unwrap_or_else(secret),
        producer: secret(),
        options,
        origin: now(),
        events,
        status,
        news,
        probes,
    };
    tokio::spawn(driver.run(calls, from_sockets, from_probes));
}

impl Driver {
    async fn run(
        mut self,
        mut calls: mpsc::Receiver<Request>,
        mut from_sockets: mpsc::Receiver<SocketEvent>,
        mut from_probes: mpsc::Receiver<(u32, Health)>,
    ) {
        self.session.start(self.now());
        loop {
            self.drain();
            self.tell_status();
            let deadline = self.session.poll_timeout();
            let timer = sleep_until(self.origin, deadline);
            tokio::select! {
                () = timer => {
                    // What has arrived already is no silence, however late this process reads it.
                    for _ in 0..INCOMING_MAX {
                        let Ok(event) = from_sockets.try_recv() else { break };
                        self.handle_news(event);
                        self.drain();
                    }
                    self.session.handle_timeout(self.now());
                }
                Some((probe, health)) = from_probes.recv() => {
                    self.session.handle_probe(self.now(), probe, health);
                }
                Some(event) = from_sockets.recv() => self.handle_news(event),
                call = calls.recv() => match call {
                    Some(Request::Close { reply }) => {
                        self.close();
                        let _ = reply.send(());
                        return;
                    }
                    Some(call) => self.handle_call(call),
                    None => return self.close(),
                },
            }
        }
    }

    fn close(&mut self) {
        self.session.close();
        self.drain();
        self.tell_status();
        for channel in self.channels.values() {
            channel.inboxes.iter().for_each(|inbox| inbox.close());
        }
    }

    fn handle_news(&mut self, SocketEvent { socket, news }: SocketEvent) {
        match news {
            News::Opened => self.session.handle_opened(socket),
            News::Closed(code) => self.lost(socket, code),
            News::Frame(text) => self.handle_frame(socket, &text),
        }
    }

    /// The socket is gone, or useless.
    pub(crate) fn lost(&mut self, socket: SocketId, code: u16) {
        if self.session.is_current(socket) {
            self.socket = None;
        }
        self.session.handle_closed(self.now(), socket, code);
    }

    fn handle_call(&mut self, call: Request) {
        match call {
            Request::Subscribe {
                channel,
                from,
                inbox,
                reply,
            } => {
                let status = self.subscribe(channel, from, inbox);
                // Fails when the caller has gone; its inbox is closed with it.
                let _ = reply.send(status);
            }
            Request::Unsubscribe { channel } => {
                if let Some(&slot) = self.slots.get(&channel) {
                    self.prune(slot);
                }
            }
            Request::Publish {
                channel,
                data,
                queue,
                reply,
            } => {
                let bytes = u32::try_from(data.get().len()).unwrap_or(u32::MAX);
                // The session asks for the payload at the next drain, when it is in its place.
                match self.session.publish(self.now(), bytes, queue) {
                    Ok(id) => {
                        self.pending.insert(
                            id,
                            Pending {
                                channel,
                                data,
                                reply,
                            },
                        );
                    }
                    Err(error) => {
                        let _ = reply.send(Err(refused_here(error)));
                    }
                }
            }
            Request::Retry => self.session.retry(self.now()),
            Request::Close { .. } => unreachable!("closing ends the loop"),
        }
    }

    fn subscribe(
        &mut self,
        name: String,
        from: From,
        inbox: Arc<Inbox>,
    ) -> watch::Receiver<Subscribed> {
        let slot = match self.slots.get(&name) {
            Some(&slot) => slot,
            None => {
                let slot = self.session.subscribe(self.now(), fnv1a(&name));
                let (status, _) = watch::channel(Subscribed::Subscribing);
                let channel = Channel {
                    name: name.clone(),
                    from,
                    status,
                    inboxes: Vec::new(),
                    held: Vec::new(),
                };
                self.channels.insert(slot, channel);
                self.slots.insert(name, slot);
                slot
            }
        };
        let channel = self
            .channels
            .get_mut(&slot)
            .expect("a slot in use has its channel");
        channel.inboxes.push(inbox);
        channel.status.subscribe()
    }

    /// Forgets readers that have gone, and gives the channel up with the last one.
    pub(crate) fn prune(&mut self, slot: Slot) {
        let Some(channel) = self.channels.get_mut(&slot) else {
            return;
        };
        channel.inboxes.retain(|inbox| !inbox.is_closed());
        if channel.inboxes.is_empty() {
            self.slots.remove(&channel.name);
            self.session.unsubscribe(self.now(), slot);
        }
    }

    pub(crate) fn now(&self) -> Millis {
        millis_since(self.origin)
    }
}

fn refused_here(error: PublishError) -> Error {
    match error {
        PublishError::NotConnected => Error::NotConnected,
        PublishError::QueueFull => Error::QueueFull,
        PublishError::Ended(Cause::Closed) => Error::Closed,
        PublishError::Ended(cause) => Error::Ended(cause),
    }
}

async fn sleep_until(origin: Instant, deadline: Option<Millis>) {
    match deadline {
        Some(Millis(ms)) => tokio::time::sleep_until(origin + Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where the clock is read"
)]
fn now() -> Instant {
    Instant::now()
}

fn millis_since(origin: Instant) -> Millis {
    let elapsed = now().saturating_duration_since(origin).as_millis();
    Millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where entropy comes from"
)]
fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has entropy");
    bytes
}

/// 128 random bits in hexadecimal.
fn secret() -> String {
    entropy::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        assert_eq!(secret().len(), 32);
        assert_ne!(secret(), secret());
    }
}
