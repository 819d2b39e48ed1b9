//! What a connection's commands mean: pure. A command goes in, an effect comes out; the task performs it.
//!
//! **Invariant:** the set of subscriptions changes in the same step in which its answer is written, so the digest is always that of what
//! the client has been told.

use crate::broker::Name;
use crate::hub::Slot;
use rejoin_protocol::command::{BadCommand, Command, DecodeError, Entry, Hello, History, Publish};
use rejoin_protocol::position::Digest;
use rejoin_protocol::reply::{Error, Ok as Answer};
use rejoin_protocol::{CloseCode, ErrorCode, FrameError, Limits, ServerFrame};

/// One connection's protocol state.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    greeted: bool,
    has_producer: bool,
    /// In the order of their names.
    subscriptions: Vec<(Name, Slot)>,
    digest: Digest,
}

/// What is to be done about a command.
#[derive(Debug)]
pub enum Effect<'a> {
    /// Nothing.
    Nothing,
    /// One frame is the whole answer.
    Reply(ServerFrame),
    /// The connection ends.
    Close(CloseCode, String),
    /// Greets, and joins the channels; those beyond the limit have been moved to `refused`.
    Hello(Box<Hello<'a>>),
    /// Joins a channel.
    Subscribe {
        /// Names the answer.
        id: u64,
        /// What to join.
        entry: Entry<'a>,
    },
    /// A live subscription is asked for again.
    Repeat {
        /// Names the answer.
        id: u64,
        /// The channel.
        name: Name,
        /// Where it is.
        slot: Slot,
        /// Whether presence is wanted from now on.
        presence: bool,
    },
    /// Leaves a channel.
    Unsubscribe {
        /// Names the answer.
        id: u64,
        /// The channel.
        name: Name,
        /// Where it is.
        slot: Slot,
    },
    /// Publishes.
    Publish(Publish<'a>),
    /// Asks for retained messages.
    History(History<'a>),
    /// Lists the subscriptions.
    Subscriptions {
        /// Names the answer.
        id: u64,
    },
    /// Asks who is there.
    Presence {
        /// Names the answer.
        id: u64,
        /// The channel.
        name: Name,
        /// Only the number.
        count: bool,
    },
    /// The client leaves for good.
    Leave,
}

impl State {
    /// Of a connection that has just been opened.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            greeted: false,
            has_producer: false,
            subscriptions: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// Whether `hello` was said.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// The digest of the subscriptions.
    pub fn sum(&self) -> u32 {
        self.digest.0
    }

    /// Every subscription, in the order of their names.
    pub fn subscriptions(&self) -> &[(Name, Slot)] {
        &self.subscriptions
    }

    /// Where the subscription to `name` is.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.find(name)
            .ok()
            .map(|index| self.subscriptions[index].1)
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.subscriptions
            .binary_search_by(|(each, _)| (**each).cmp(name))
    }

    /// A subscription has been made, and its answer is written now.
    pub fn subscribed(&mut self, name: Name, slot: Slot) {
        if let Err(index) = self.find(&name) {
            self.digest.toggle(&name);
            self.subscriptions.insert(index, (name, slot));
        }
    }

    /// A subscription has ended, and its answer is written now.
    pub fn unsubscribed(&mut self, name: &str) {
        if let Ok(index) = self.find(name) {
            self.digest.toggle(name);
            self.subscriptions.remove(index);
        }
    }

    /// Drops the subscriptions that are not `held` any more.
    pub fn retain(&mut self, held: impl Fn(&Name, Slot) -> bool) {
        let gone: Vec<Name> = self
            .subscriptions
            .iter()
            .filter(|(name, slot)| !held(name, *slot))
            .map(|(name, _)| name.clone())
            .collect();
        gone.iter().for_each(|name| self.unsubscribed(name));
    }

    /// What a decoded object means here and now.
    pub fn apply<'a>(&mut self, decoded: Result<Command<'a>, DecodeError>) -> Effect<'a> {
        match decoded {
            Err(DecodeError::Frame(error)) => self.broken_frame(&error),
            Err(DecodeError::Command(_)) if !self.greeted => before_hello(),
            Err(DecodeError::Command(bad)) => refuse(bad),
            Ok(Command::Hello(hello)) => self.hello(hello),
            Ok(_) if !self.greeted => before_hello(),
            Ok(command) => self.command(command),
        }
    }

    /// A frame that is no frame of the protocol.
    pub fn broken_frame<'a>(&self, error: &FrameError) -> Effect<'a> {
        Effect::Close(error.close_code(), error.to_string())
    }

    fn hello<'a>(&mut self, mut hello: Box<Hello<'a>>) -> Effect<'a> {
        if self.greeted {
            return Effect::Close(CloseCode::BAD_PROTOCOL, "a second hello".into());
        }
        self.greeted = true;
        self.has_producer = hello.producer.is_some();
        let room = usize::try_from(self.limits.channels).unwrap_or(usize::MAX);
        if hello.channels.len() > room {
            let beyond = hello.channels.split_off(room);
            hello.refused.extend(beyond.into_iter().map(|entry| {
                rejoin_protocol::command::RefusedEntry {
                    channel: entry.channel.into_owned(),
                    code: ErrorCode::Limit,
                    message: ErrorCode::Limit.message().into(),
                }
            }));
        }
        Effect::Hello(hello)
    }

    fn command<'a>(&mut self, command: Command<'a>) -> Effect<'a> {
        match command {
            Command::Hello(hello) => self.hello(hello),
            Command::Subscribe(subscribe) => self.subscribe(subscribe.id, subscribe.entry),
            Command::Unsubscribe(command) => match self.find(&command.channel) {
                Ok(index) => {
                    let (name, slot) = self.subscriptions[index].clone();
                    Effect::Unsubscribe {
                        id: command.id,
                        name,
                        slot,
                    }
                }
                Err(_) => done(command.id),
            },
            Command::Publish(publish) if publish.seq.is_some() && !self.has_producer => {
                let message = "\"seq\" needs a \"producer\" in hello";
                publish.id.map_or(Effect::Nothing, |id| {
                    error(id, ErrorCode::BadRequest, message)
                })
            }
            Command::Publish(publish) => Effect::Publish(publish),
            Command::History(history) => match self.slot(&history.channel) {
                Some(_) => Effect::History(history),
                None => error(
                    history.id,
                    ErrorCode::NotSubscribed,
                    ErrorCode::NotSubscribed.message(),
                ),
            },
            Command::Presence(query) => match self.find(&query.channel) {
                Ok(index) => {
                    let name = self.subscriptions[index].0.clone();
                    Effect::Presence {
                        id: query.id,
                        name,
                        count: query.count,
                    }
                }
                Err(_) => error(
                    query.id,
                    ErrorCode::NotSubscribed,
                    ErrorCode::NotSubscribed.message(),
                ),
            },
            Command::Subscriptions(plain) => Effect::Subscriptions { id: plain.id },
            Command::Call(call) => {
                error(call.id, ErrorCode::NoMethod, ErrorCode::NoMethod.message())
            }
            Command::Token(token) => done(token.id),
            Command::Ping(ping) => ping.id.map_or(Effect::Nothing, done),
            Command::Bye => Effect::Leave,
            Command::Pong | Command::Unknown => Effect::Nothing,
        }
    }

    fn subscribe<'a>(&self, id: u64, entry: Entry<'a>) -> Effect<'a> {
        match self.find(&entry.channel) {
            Ok(index) => {
                let (name, slot) = self.subscriptions[index].clone();
                Effect::Repeat {
                    id,
                    name,
                    slot,
                    presence: entry.presence,
                }
            }
            Err(_) if self.subscriptions.len() as u64 >= self.limits.channels => {
                error(id, ErrorCode::Limit, ErrorCode::Limit.message())
            }
            Err(_) => Effect::Subscribe { id, entry },
        }
    }
}

fn before_hello<'a>() -> Effect<'a> {
    Effect::Close(
        CloseCode::BAD_PROTOCOL,
        "the first frame must be hello".into(),
    )
}

fn refuse<'a>(bad: BadCommand) -> Effect<'a> {
    if bad.answer {
        Effect::Reply(Error::new(bad.id, bad.code, bad.message).into())
    } else {
        Effect::Nothing
    }
}

fn error<'a>(id: u64, code: ErrorCode, message: &str) -> Effect<'a> {
    Effect::Reply(Error::new(Some(id), code, message).into())
}

fn done<'a>(id: u64) -> Effect<'a> {
    Effect::Reply(Answer::to(id).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rejoin_protocol::Commands;

    fn apply(state: &mut State, text: &str) -> String {
        let limits = Limits {
            channels: 2,
            ..Limits::default()
        };
        let effects: Vec<String> = match Commands::decode(text, &limits) {
            Ok(commands) => commands
                .map(|command| describe(&state.apply(command)))
                .collect(),
            Err(error) => vec![describe(&state.broken_frame(&error))],
        };
        effects.join(" ")
    }

    fn describe(effect: &Effect<'_>) -> String {
        match effect {
            Effect::Nothing => "nothing".into(),
            Effect::Reply(frame) => frame.encode(),
            Effect::Close(code, _) => format!("close {}", code.0),
            Effect::Hello(hello) => {
                format!("hello {} {}", hello.channels.len(), hello.refused.len())
            }
            Effect::Subscribe { id, .. } => format!("subscribe {id}"),
            Effect::Repeat { id, .. } => format!("repeat {id}"),
            Effect::Unsubscribe { id, .. } => format!("unsubscribe {id}"),
            Effect::Publish(_) => "publish".into(),
            Effect::History(_) => "history".into(),
            Effect::Subscriptions { .. } => "subscriptions".into(),
            Effect::Presence { .. } => "presence".into(),
            Effect::Leave => "leave".into(),
        }
    }

    fn greeted() -> State {
        let mut state = State::new(Limits {
            channels: 2,
            ..Limits::default()
        });
        assert_eq!(
            apply(&mut state, r#"{"type":"hello","client":"c"}"#),
            "hello 0 0"
        );
        state
    }

    #[test]
    fn hello_comes_first_and_once() {
        let mut state = State::new(Limits::default());
        for text in [
            r#"{"type":"ping","id":1}"#,
            r#"{"type":"later"}"#,
            r#"{"type":"subscribe"}"#,
            "x",
            "[[]]",
        ] {
            assert_eq!(apply(&mut state, text), "close 4500", "{text}");
        }
        assert_eq!(apply(&mut state, "[]"), "");
        assert_eq!(
            apply(&mut greeted(), r#"{"type":"hello","client":"c"}"#),
            "close 4500"
        );
    }

    #[test]
    fn channels_beyond_the_limit_are_refused_one_by_one() {
        let mut state = State::new(Limits {
            channels: 2,
            ..Limits::default()
        });
        let hello = r#"{"type":"hello","client":"c","channels":[{"channel":"a"},{"channel":"b"},{"channel":"c"}]}"#;
        assert_eq!(apply(&mut state, hello), "hello 2 1");
        state.subscribed("a".into(), slot());
        state.subscribed("b".into(), slot());
        assert!(
            apply(&mut state, r#"{"type":"subscribe","id":3,"channel":"c"}"#)
                .contains(r#""code":"limit""#)
        );
        assert_eq!(
            apply(&mut state, r#"{"type":"subscribe","id":4,"channel":"a"}"#),
            "repeat 4"
        );
    }

    fn slot() -> Slot {
        let mut hub = crate::hub::Hub::default();
        let _runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let _guard = _runtime.enter();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = std::sync::Arc::new(tokio::net::TcpStream::from_std(stream).unwrap());
        hub.join(
            &"a".into(),
            std::rc::Rc::new(crate::connection::Connection::new(0, stream, 1)),
            false,
        )
    }

    #[test]
    fn the_digest_follows_the_set() {
        let mut state = greeted();
        state.subscribed("b".into(), slot());
        state.subscribed("a".into(), slot());
        state.subscribed("a".into(), slot());
        assert_eq!(state.sum(), 50_332_873);
        state.retain(|name, _| **name == *"a");
        assert_eq!(state.sum(), 3_826_002_220);
        state.unsubscribed("a");
        assert_eq!(state.sum(), 0);
    }

    #[test]
    fn answers_that_need_nobody_else() {
        let mut state = greeted();
        for (text, answer) in [
            (r#"{"type":"ping","id":7}"#, r#"{"type":"ok","id":7}"#),
            (
                r#"{"type":"token","id":9,"token":"none"}"#,
                r#"{"type":"ok","id":9}"#,
            ),
            (
                r#"{"type":"unsubscribe","id":5,"channel":"a"}"#,
                r#"{"type":"ok","id":5}"#,
            ),
            (
                r#"{"type":"call","id":6,"method":"sum"}"#,
                r#"{"type":"error","id":6,"code":"no_method","message":"no such method","retry":false}"#,
            ),
            (
                r#"{"type":"history","id":3,"channel":"a"}"#,
                r#"{"type":"error","id":3,"code":"not_subscribed","message":"not subscribed to this channel","retry":false}"#,
            ),
            (r#"{"type":"publish","channel":"a b","data":1}"#, "nothing"),
            (
                r#"{"type":"publish","id":1,"channel":"a","seq":1,"data":1}"#,
                r#"{"type":"error","id":1,"code":"bad_request","message":"\"seq\" needs a \"producer\" in hello","retry":false}"#,
            ),
            (r#"[{"type":"pong"},{"type":"bye"}]"#, "nothing leave"),
        ] {
            assert_eq!(apply(&mut state, text), answer);
        }
    }
}
