//! The task of one connection: it awaits, and performs what the state decides.

use super::handle::{Connection, End, Order};
use super::state::{Effect, State};
use super::wire::Wire;
use crate::broker::{Attached, Name, Publication, PublishError, PublishKey, Snapshot};
use crate::channel::history::Range;
use crate::clock::{as_millis, instant};
use crate::config::limits;
use crate::frame;
use crate::hub::{Replay, Slot};
use crate::node::{Identity, Node};
use crate::random::{self, Jitter};
use crate::shared::Counted;
use bytes::Bytes;
use futures_util::StreamExt;
use rejoin_protocol::command::{Entry, Hello, History, Publish};
use rejoin_protocol::push::{Bye, Gap, Ping, Reinit};
use rejoin_protocol::reply::{self, ChannelResult, Refusal, Retry, Welcome, Window};
use rejoin_protocol::{CloseCode, Commands, ErrorCode, ServerFrame};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// A handshake that has been accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Why the connection is closed at once all the same.
    pub problem: Option<&'static str>,
    /// Counts the connection while it lives.
    pub counted: Counted,
}

/// Drives a connection to its end. `head` is what was read behind the handshake.
pub async fn run(node: Rc<Node>, stream: Arc<TcpStream>, head: Vec<u8>, accepted: Accepted) {
    let connection = node.open(stream);
    let mut task = Box::new(Task::new(node, connection.clone()));
    let last = match accepted.problem {
        Some(problem) => Last::Close(End::new(CloseCode::BAD_PROTOCOL, problem)),
        None => task.turns(head).await,
    };
    task.depart();
    // Boxed, as are the rarer commands: a task is as large as its largest moment, and most of its life is spent waiting for a frame.
    Box::pin(say_last(&connection, last)).await;
    task.node.close(&connection);
    drop(accepted.counted);
}

/// What is said last on a socket.
enum Last {
    /// Nothing: the socket is gone.
    Nothing,
    /// A close of our own.
    Close(End),
    /// The answer to the client's close.
    Echo(Option<u16>),
}

/// Says it, and lets it arrive: a socket closed with unread input would be reset, and the close lost.
async fn say_last(connection: &Connection, last: Last) {
    let deadline = instant() + limits::LINGER;
    match last {
        Last::Nothing => return,
        Last::Close(End {
            code,
            reason,
            window,
        }) => {
            if let Some(window) = window {
                let bye = Bye {
                    code: code.0,
                    reason: reason.to_string(),
                    window: Some(window),
                    handover: None,
                    url: None,
                };
                connection.send_last(&encoded(bye.into()));
            }
            connection.send_last(&frame::close(code, &reason));
        }
        Last::Echo(Some(code)) => connection.send_last(&frame::close(CloseCode(code), "")),
        Last::Echo(None) => connection.send_last(&frame::empty_close()),
    }
    let written = async {
        while connection.has_backlog() {
            connection.drain().await?;
        }
        std::io::Result::Ok(())
    };
    if !matches!(timeout_at(deadline, written).await, Ok(Ok(()))) {
        return;
    }
    let _ = rustix::net::shutdown(connection.stream(), rustix::net::Shutdown::Write);
    let rest = async {
        let mut scratch = [0; 512];
        while connection.stream().readable().await.is_ok() {
            match connection.stream().try_read(&mut scratch) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    drop(timeout_at(deadline, rest).await);
}

fn encoded(frame: ServerFrame) -> Bytes {
    frame::text(frame.encode().as_bytes())
}

/// Who a connection is, after `hello`.
struct Session {
    who: Identity,
    client: Arc<str>,
    producer: Option<Arc<str>>,
    next_ping: Instant,
    /// The retry window last told.
    told: Window,
}

struct Task {
    node: Rc<Node>,
    connection: Rc<Connection>,
    state: State,
    session: Option<Session>,
    /// When something was last heard.
    heard: Instant,
    /// When the time for `hello`, or for leaving after a reinit, is over.
    deadline: Option<Instant>,
    jitter: Jitter,
    /// How often subscriptions had been forgotten in silence when ours were last checked.
    forgotten: u64,
    /// The client said that it leaves for good.
    leaving: bool,
}

impl Task {
    fn new(node: Rc<Node>, connection: Rc<Connection>) -> Self {
        let now = instant();
        Self {
            state: State::new(node.config.limits),
            session: None,
            heard: now,
            deadline: Some(now + node.config.connection.hello_timeout),
            jitter: Jitter::new(),
            forgotten: node.forgotten(),
            leaving: false,
            node,
            connection,
        }
    }

    async fn turns(&mut self, head: Vec<u8>) -> Last {
        let connection = self.connection.clone();
        let limit = Some(self.node.config.limits.frame as usize);
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(limit)
            .max_frame_size(limit);
        let wire = Wire(connection.clone());
        let mut socket = Box::new(
            WebSocketStream::from_partially_read(wire, head, Role::Server, Some(config)).await,
        );
        let alarm = sleep_until(self.next_alarm());
        tokio::pin!(alarm);
        loop {
            let outcome = tokio::select! {
                message = socket.next() => self.read(message).await,
                () = connection.wake.notified() => self.obey(),
                drained = connection.drain(), if connection.has_backlog() => {
                    drained.map_err(|_| Last::Nothing)
                }
                () = alarm.as_mut() => self.tick(),
                () = std::future::ready(()), if connection.wants_replay() => {
                    Box::pin(self.replay_page()).await;
                    yield_now().await;
                    Ok(())
                }
            };
            if let Err(last) = outcome {
                return last;
            }
            // An alarm that comes too early only looks again; one that comes too late must be set anew.
            let next = self.next_alarm();
            if alarm.is_elapsed() || next < alarm.deadline() {
                alarm.as_mut().reset(next);
            }
        }
    }

    // ---- time

    fn silent_at(&self) -> Instant {
        let timing = &self.node.config.connection;
        self.heard + timing.ping + timing.grace
    }

    fn next_alarm(&self) -> Instant {
        let ping = self.session.as_ref().map(|session| session.next_ping);
        let silent = self.session.as_ref().map(|_| self.silent_at());
        [ping, silent, self.deadline]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.heard)
    }

    fn tick(&mut self) -> Result<(), Last> {
        let now = instant();
        let Some(session) = &self.session else {
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(Last::Close(End::new(
                    CloseCode::NO_HELLO,
                    "no hello in time",
                )));
            }
            return Ok(());
        };
        if self.silent_at() <= now {
            return Err(Last::Close(End::new(
                CloseCode::PING_TIMEOUT,
                "nothing heard",
            )));
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let window = Some(self.node.config.connection.reinit_window);
            return Err(Last::Close(End {
                window,
                ..End::new(CloseCode::FORCED, "reinit")
            }));
        }
        if session.next_ping <= now {
            self.ping(now);
        }
        Ok(())
    }

    fn ping(&mut self, now: Instant) {
        self.forget();
        let interval = self
            .jitter
            .around(as_millis(self.node.config.connection.ping));
        let window = self.standing_window();
        let Some(session) = &mut self.session else {
            return;
        };
        session.next_ping = now + Duration::from_millis(interval);
        // A window that moved by less than a fifth is not worth telling.
        let changed = window[0] != session.told[0]
            || window[1].abs_diff(session.told[1]) * 5 > session.told[1];
        let retry = changed.then_some(Retry { window });
        if changed {
            session.told = window;
        }
        let ping = Ping {
            epoch: self.node.epoch().to_string(),
            sum: self.state.sum(),
            retry,
        };
        self.send(ping.into());
    }

    fn standing_window(&self) -> Window {
        self.node
            .config
            .connection
            .retry_window
            .told(self.node.shared.connections())
    }

    // ---- orders from others

    fn obey(&mut self) -> Result<(), Last> {
        if self.connection.is_broken() {
            return Err(Last::Nothing);
        }
        match self.connection.take_order() {
            None => Ok(()),
            Some(Order::Close(end)) => Err(Last::Close(end)),
            Some(Order::Reinit { epoch, window }) => {
                self.deadline =
                    Some(instant() + Duration::from_millis(window[1]) + limits::REINIT_SLACK);
                self.send(
                    Reinit {
                        epoch: epoch.to_string(),
                        window,
                    }
                    .into(),
                );
                Ok(())
            }
        }
    }

    /// Drops the subscriptions that were forgotten in silence.
    fn forget(&mut self) {
        if self.forgotten != self.node.forgotten() {
            self.forgotten = self.node.forgotten();
            let hub = self.node.hub().borrow();
            self.state
                .retain(|name, slot| hub.holds(name, slot, &self.connection));
        }
    }

    /// The end of all that this connection holds.
    fn depart(&mut self) {
        self.forget();
        let Some(session) = self.session.take() else {
            return;
        };
        for (name, slot) in self.state.subscriptions() {
            self.node
                .detach(name, *slot, &self.connection, &session.who, self.leaving);
        }
        tracing::debug!(session = %session.who.session, member = %session.who.member, "gone");
        self.node.release(session.client, session.who.session);
    }

    // ---- commands

    async fn read(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Last> {
        let close = |code, reason: &'static str| Err(Last::Close(End::new(code, reason)));
        self.heard = instant();
        match message {
            Some(Ok(Message::Text(text))) => self.frame(text).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => {
                close(CloseCode::UNSUPPORTED, "binary frames are not spoken here")
            }
            Some(Ok(Message::Close(frame))) => {
                Err(Last::Echo(frame.map(|frame| frame.code.into())))
            }
            Some(Err(Error::Capacity(_))) => {
                close(CloseCode::TOO_LARGE, "a frame above limits.frame")
            }
            Some(Err(Error::Utf8(_))) => close(CloseCode::INVALID_UTF8, "not UTF-8"),
            Some(Err(Error::Protocol(error))) if is_end(&error) => Err(Last::Nothing),
            Some(Err(Error::Protocol(_))) => {
                close(CloseCode::PROTOCOL_ERROR, "a broken WebSocket frame")
            }
            Some(Err(_)) | None => Err(Last::Nothing),
        }
    }

    async fn frame(&mut self, text: Utf8Bytes) -> Result<(), Last> {
        let limits = self.node.config.limits;
        let commands = match Commands::decode(text.as_str(), &limits) {
            Ok(commands) => commands,
            Err(error) => return self.perform(self.state.broken_frame(&error), &text).await,
        };
        self.forget();
        for command in commands {
            let effect = self.state.apply(command);
            self.perform(effect, &text).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, effect: Effect<'_>, text: &Utf8Bytes) -> Result<(), Last> {
        match effect {
            Effect::Nothing => {}
            Effect::Reply(frame) => self.send(frame),
            Effect::Close(code, reason) => return Err(Last::Close(End::new(code, reason))),
            Effect::Hello(hello) => return Box::pin(self.greet(*hello)).await,
            Effect::Subscribe { id, entry } => Box::pin(self.subscribe(id, entry)).await,
            Effect::Repeat {
                id,
                name,
                slot,
                presence,
            } => Box::pin(self.repeat(id, name, slot, presence)).await,
            Effect::Unsubscribe { id, name, slot } => self.unsubscribe(id, &name, slot),
            Effect::Publish(publish) => Box::pin(self.publish(publish, text)).await,
            Effect::History(history) => Box::pin(self.history(history)).await,
            Effect::Subscriptions { id } => self.list(id),
            Effect::Presence { id, name, count } => Box::pin(self.presence(id, name, count)).await,
            Effect::Leave => {
                self.leaving = true;
                return Err(Last::Close(End::new(CloseCode::NORMAL, "bye")));
            }
        }
        Ok(())
    }

    fn send(&self, frame: ServerFrame) {
        self.connection.send_or_end(&encoded(frame));
    }

    async fn greet(&mut self, hello: Hello<'_>) -> Result<(), Last> {
        if let Some(retry) = self.node.shared.not_ready() {
            let end = End {
                window: Some([retry, retry]),
                ..End::new(CloseCode::NOT_READY, "not-ready")
            };
            return Err(Last::Close(end));
        }
        let who = Identity {
            session: random::name().into(),
            member: member_of(&hello.client).into(),
            info: hello.info.map(|info| Arc::from(info.to_owned())),
        };
        let why = hello.why.unwrap_or_default();
        tracing::debug!(
            session = %who.session, member = %who.member, channels = hello.channels.len(),
            cause = why.cause.as_deref(), code = why.code, away_ms = why.ms, attempts = why.attempts, "hello"
        );
        let client: Arc<str> = (*hello.client).into();
        let producer: Option<Arc<str>> = hello.producer.as_deref().map(Arc::from);
        let told = self.standing_window();
        let ping = self
            .jitter
            .around(as_millis(self.node.config.connection.ping));
        self.node.claim(&client, &who, &self.connection).await;
        self.deadline = None;
        self.session = Some(Session {
            who: who.clone(),
            client,
            producer: producer.clone(),
            next_ping: instant() + Duration::from_millis(ping),
            told,
        });
        let seq = match &producer {
            Some(producer) => self.node.highest_seq(producer).await,
            None => 0,
        };
        let mut channels = BTreeMap::new();
        for refused in hello.refused {
            let error = Refusal {
                code: refused.code.name().into(),
                message: refused.message.into_owned(),
            };
            channels.insert(
                refused.channel,
                ChannelResult {
                    error: Some(error),
                    ..ChannelResult::default()
                },
            );
        }
        let mut joined = Vec::with_capacity(hello.channels.len());
        for entry in hello.channels {
            let (name, slot, attached) = self.attach(&entry, &who).await;
            channels.insert(name.to_string(), result_of(&attached));
            joined.push((name, slot, attached));
        }
        let welcome = Welcome {
            session: who.session.to_string(),
            user: None,
            member: who.member.to_string(),
            epoch: self.node.epoch().to_string(),
            node: self.node.shared.node.to_string(),
            expires: None,
            ping: as_millis(self.node.config.connection.ping),
            grace: as_millis(self.node.config.connection.grace),
            retry: Retry { window: told },
            limits: self.node.config.limits,
            channels,
            seq,
        };
        for (name, slot, _) in &joined {
            self.state.subscribed(name.clone(), *slot);
        }
        self.send(Box::new(welcome).into());
        for (name, slot, attached) in &joined {
            self.node.begin(name, *slot, attached);
        }
        Ok(())
    }

    async fn attach(&mut self, entry: &Entry<'_>, who: &Identity) -> (Name, Slot, Attached) {
        let name: Name = (*entry.channel).into();
        let (slot, attached) = self
            .node
            .attach(&name, &self.connection, who, entry.start(), entry.presence)
            .await;
        (name, slot, attached)
    }

    async fn subscribe(&mut self, id: u64, entry: Entry<'_>) {
        let Some(who) = self.session.as_ref().map(|session| session.who.clone()) else {
            return;
        };
        let (name, slot, attached) = self.attach(&entry, &who).await;
        self.state.subscribed(name.clone(), slot);
        self.send(reply::Ok::subscribed(id, result_of(&attached)).into());
        self.node.begin(&name, slot, &attached);
    }

    async fn repeat(&mut self, id: u64, name: Name, slot: Slot, presence: bool) {
        let Some(who) = self.session.as_ref().map(|session| session.who.clone()) else {
            return;
        };
        let snapshot = if presence {
            self.node.attach_presence(&name, slot, &who).await
        } else {
            None
        };
        let position = self.node.hub().borrow().position(&name, slot);
        let Some((epoch, offset)) = position else {
            return self.send(reply::Error::plain(Some(id), ErrorCode::Unavailable).into());
        };
        let mut result = ChannelResult {
            epoch: Some(epoch.to_string()),
            since: Some(offset),
            offset: Some(offset),
            recovered: Some(true),
            ..ChannelResult::default()
        };
        add_snapshot(&mut result, snapshot);
        self.send(reply::Ok::subscribed(id, result).into());
    }

    fn unsubscribe(&mut self, id: u64, name: &Name, slot: Slot) {
        if let Some(session) = &self.session {
            self.node
                .detach(name, slot, &self.connection, &session.who, true);
        }
        self.state.unsubscribed(name);
        self.send(reply::Ok::to(id).into());
    }

    async fn publish(&mut self, publish: Publish<'_>, text: &Utf8Bytes) {
        let Some(session) = &self.session else { return };
        let key = publish.seq.zip(session.producer.clone());
        let publication = Publication {
            channel: (*publish.channel).into(),
            from: session.who.member.clone(),
            data: AsRef::<Bytes>::as_ref(text).slice_ref(publish.data.get().as_bytes()),
            key: key.map(|(seq, producer)| PublishKey {
                producer,
                seq,
                again: publish.again,
            }),
        };
        let answer = self.node.publish(publication).await;
        let Some(id) = publish.id else { return };
        self.send(match answer {
            Ok(published) => {
                let duplicate = published.duplicate.then_some(true);
                reply::Ok {
                    offset: Some(published.offset),
                    duplicate,
                    ..reply::Ok::to(id)
                }
                .into()
            }
            Err(PublishError::Expired) => reply::Error::plain(Some(id), ErrorCode::Expired).into(),
        });
    }

    async fn history(&mut self, history: History<'_>) {
        let range = Range {
            after: history.after.unwrap_or(0),
            before: history.before.unwrap_or(u64::MAX),
            limit: history.limit as usize,
            reverse: history.reverse,
        };
        let retained = self.node.history(&(*history.channel).into(), range).await;
        let refuse = |code| self.send(reply::Error::plain(Some(history.id), code).into());
        match retained {
            None => refuse(ErrorCode::Unavailable),
            Some(retained)
                if history
                    .epoch
                    .as_deref()
                    .is_some_and(|epoch| *epoch != *retained.epoch) =>
            {
                refuse(ErrorCode::Epoch);
            }
            Some(retained) => {
                let messages = retained.messages.iter().map(|message| &message[..]);
                let answer =
                    reply::encode_history(history.id, &retained.epoch, retained.top, messages);
                self.connection.send_or_end(&frame::text(&answer));
            }
        }
    }

    fn list(&self, id: u64) {
        let hub = self.node.hub().borrow();
        let positions = self
            .state
            .subscriptions()
            .iter()
            .filter_map(|(name, slot)| {
                let (epoch, offset) = hub.position(name, *slot)?;
                let result = ChannelResult {
                    epoch: Some(epoch.to_string()),
                    offset: Some(offset),
                    ..ChannelResult::default()
                };
                Some((name.to_string(), result))
            });
        let channels = Some(positions.collect());
        drop(hub);
        self.send(
            reply::Ok {
                channels,
                ..reply::Ok::to(id)
            }
            .into(),
        );
    }

    async fn presence(&mut self, id: u64, name: Name, count: bool) {
        let Some(snapshot) = self.node.presence(&name).await else {
            let message = "this channel has no presence";
            return self.send(reply::Error::new(Some(id), ErrorCode::BadRequest, message).into());
        };
        let answer = reply::Ok {
            members: snapshot.members.filter(|_| !count),
            count: Some(snapshot.count as u64),
            version: Some(snapshot.version),
            ..reply::Ok::to(id)
        };
        self.send(answer.into());
    }

    // ---- replay

    /// Sends the next part of a replay, as much as one batch holds.
    async fn replay_page(&mut self) {
        self.forget();
        let Some(name) = self.connection.next_replay() else {
            return;
        };
        let Some(slot) = self.state.slot(&name) else {
            return;
        };
        let Some((epoch, position, why)) = self.node.hub().borrow().replay(&name, slot) else {
            return;
        };
        let page = self.node.page(&name, epoch, position).await;
        if self.node.hub().borrow().replay(&name, slot).is_none() {
            return; // Forgotten meanwhile.
        }
        let Some(page) = page else {
            return self.connection.end(End::new(
                CloseCode::INTERNAL,
                "the channel's history is gone",
            ));
        };
        if page.first > position + 1 {
            let why = match why {
                Replay::Announced => "expired",
                Replay::Slow => "slow",
            };
            let gap = Gap {
                channel: name.to_string(),
                from: position + 1,
                to: Some(page.first - 1),
                why: why.into(),
                epoch: None,
                offset: None,
            };
            self.send(gap.into());
        }
        for frame in frame::join(&page.messages) {
            self.connection.send_or_end(&frame);
        }
        let done = page.last() >= page.top;
        self.node
            .hub()
            .borrow_mut()
            .replayed(&name, slot, page.last(), done);
    }
}

fn is_end(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    matches!(
        error,
        tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
    )
}

fn result_of(attached: &Attached) -> ChannelResult {
    let begin = &attached.begin;
    let mut result = ChannelResult {
        epoch: Some(begin.epoch.to_string()),
        since: Some(begin.since),
        offset: Some(begin.offset),
        recovered: Some(begin.recovered),
        ..ChannelResult::default()
    };
    add_snapshot(&mut result, attached.snapshot.clone());
    result
}

fn add_snapshot(result: &mut ChannelResult, snapshot: Option<Snapshot>) {
    let Some(Snapshot {
        members,
        count,
        version,
    }) = snapshot
    else {
        return;
    };
    result.count = members.is_none().then_some(count as u64);
    result.members = members;
    result.version = Some(version);
}

/// How others see an anonymous client: derived one-way, so it is the same after a restart.
fn member_of(client: &str) -> String {
    use std::fmt::Write;
    let hash = Sha256::digest(format!("rejoin member\n{client}"));
    let mut member = String::from("m");
    for byte in &hash[..8] {
        write!(member, "{byte:02x}").expect("a String takes all that is written");
    }
    member
}

#[cfg(test)]
mod tests {
    #[test]
    fn members_are_those_of_the_specification() {
        assert_eq!(super::member_of("k3f9"), "m00ee632dfe827479");
    }
}
