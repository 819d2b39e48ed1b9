//! Client to server: [`Command`].
//!
//! **Invariant:** decoding reads a frame's text once. Whatever is borrowed from it (`data`, `info`) has been checked to be JSON, and
//! is never serialised again.

use crate::code::{CloseCode, ErrorCode};
use crate::json::{self, Shape};
use crate::limits::{self, Limits};
use crate::position::{From, Position, Start, is_channel_name};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One command of a client. Encode with [`Command::encode`], decode with [`Commands::decode`].
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// The first frame.
    Hello(Box<Hello<'a>>),
    /// Joins a channel.
    Subscribe(Subscribe<'a>),
    /// Leaves a channel.
    Unsubscribe(OnChannel<'a>),
    /// Publishes a message.
    Publish(Publish<'a>),
    /// Asks for retained messages.
    History(History<'a>),
    /// Asks for the server's list of this connection's subscriptions.
    Subscriptions(Plain),
    /// Asks who is in a channel.
    Presence(PresenceQuery<'a>),
    /// Calls a method of the application.
    Call(Call<'a>),
    /// Refreshes the token in place.
    Token(Token<'a>),
    /// A probe. Without an `id` there is no answer.
    Ping(Ping),
    /// The answer to the server's `ping`.
    Pong,
    /// The client leaves for good.
    Bye,
    /// A type that this version does not know and that asks for no answer.
    Unknown,
}

/// `hello`: connects, rejoins every channel, and says why the last connection ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "hello")]
pub struct Hello<'a> {
    /// Names this client through all its connections. A secret.
    pub client: Cow<'a, str>,
    /// Names this client's numbering of publishes. A secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<Cow<'a, str>>,
    /// The channels to join; a name occurs once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Entry<'a>>,
    /// Entries that decoding refused; none when encoding.
    #[serde(skip)]
    pub refused: Vec<RefusedEntry>,
    /// What presence shows of this client: a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<&'a RawValue>,
    /// Credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Cow<'a, str>>,
    /// How the last connection ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why<'a>>,
}

/// How the last connection ended, for the server's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Why<'a> {
    /// From the list of causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cow<'a, str>>,
    /// The close code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u64>,
    /// Milliseconds since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Dials since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
}

/// A channel to join, in `hello` and `subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entry<'a> {
    /// Its name.
    pub channel: Cow<'a, str>,
    /// The position's epoch; present exactly when `offset` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Cow<'a, str>>,
    /// The position's offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Where to begin without a position.
    #[serde(skip_serializing_if = "is_now")]
    pub from: From,
    /// Credentials for this channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Cow<'a, str>>,
    /// Whether to send `join` and `leave`, and the members in the answer.
    #[serde(skip_serializing_if = "is_false")]
    pub presence: bool,
}

impl Entry<'_> {
    /// Where this subscription begins.
    pub fn start(&self) -> Start {
        match (&self.epoch, self.offset) {
            (Some(epoch), Some(offset)) => Start::After(Position {
                epoch: epoch.to_string(),
                offset,
            }),
            _ => Start::From(self.from),
        }
    }
}

/// An entry of `hello.channels` that cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// The name given.
    pub channel: String,
    /// Why.
    pub code: ErrorCode,
    /// The same for a developer.
    pub message: Cow<'static, str>,
}

/// `subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Names the answer.
    pub id: u64,
    /// What to join.
    pub entry: Entry<'a>,
}

/// A command about one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnChannel<'a> {
    /// Names the answer.
    pub id: u64,
    /// The channel.
    pub channel: Cow<'a, str>,
}

/// `publish`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "publish")]
pub struct Publish<'a> {
    /// Names the answer; without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The channel.
    pub channel: Cow<'a, str>,
    /// This publish's number among its producer's, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// A repeat: milliseconds since it was sent for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<u64>,
    /// Any JSON, as written by the publisher.
    pub data: &'a RawValue,
}

/// `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "history")]
pub struct History<'a> {
    /// Names the answer.
    pub id: u64,
    /// The channel.
    pub channel: Cow<'a, str>,
    /// The incarnation that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Cow<'a, str>>,
    /// Only offsets above this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only offsets below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many messages, 1–1000.
    pub limit: u64,
    /// Newest first.
    #[serde(skip_serializing_if = "is_false")]
    pub reverse: bool,
}

/// A command with nothing but an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plain {
    /// Names the answer.
    pub id: u64,
}

/// `presence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "presence")]
pub struct PresenceQuery<'a> {
    /// Names the answer.
    pub id: u64,
    /// The channel.
    pub channel: Cow<'a, str>,
    /// Only the number.
    #[serde(skip_serializing_if = "is_false")]
    pub count: bool,
}

/// `call`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "call")]
pub struct Call<'a> {
    /// Names the answer.
    pub id: u64,
    /// The method.
    pub method: Cow<'a, str>,
    /// Its argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
}

/// `token`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "token")]
pub struct Token<'a> {
    /// Names the answer.
    pub id: u64,
    /// The credentials.
    pub token: Cow<'a, str>,
}

impl fmt::Debug for Token<'_> {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// `ping`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "ping")]
pub struct Ping {
    /// Names the answer; without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
}

impl Command<'_> {
    /// The frame's text: one JSON object.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("commands always serialise")
    }
}

impl Serialize for Command<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// A value behind a `type`.
        #[derive(Serialize)]
        struct Typed<'t, T> {
            r#type: &'t str,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<u64>,
            #[serde(flatten)]
            rest: Option<T>,
        }
        let plain = |r#type, id| Typed::<()> {
            r#type,
            id,
            rest: None,
        };
        match self {
            Self::Hello(hello) => hello.serialize(serializer),
            Self::Subscribe(Subscribe { id, entry }) => Typed {
                r#type: "subscribe",
                id: Some(*id),
                rest: Some(entry),
            }
            .serialize(serializer),
            Self::Unsubscribe(command) => Typed {
                r#type: "unsubscribe",
                id: None,
                rest: Some(command),
            }
            .serialize(serializer),
            Self::Publish(publish) => publish.serialize(serializer),
            Self::History(history) => history.serialize(serializer),
            Self::Subscriptions(Plain { id }) => {
                plain("subscriptions", Some(*id)).serialize(serializer)
            }
            Self::Presence(presence) => presence.serialize(serializer),
            Self::Call(call) => call.serialize(serializer),
            Self::Token(token) => token.serialize(serializer),
            Self::Ping(ping) => ping.serialize(serializer),
            Self::Pong => plain("pong", None).serialize(serializer),
            Self::Bye => plain("bye", None).serialize(serializer),
            Self::Unknown => plain("unknown", None).serialize(serializer),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_now(from: &From) -> bool {
    *from == From::Now
}

/// A whole frame that cannot be accepted: the connection ends with [`FrameError::close_code`], and the text is the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON.
    #[error("not JSON")]
    NotJson,
    /// JSON, but neither an object nor an array of objects.
    #[error("not an object or an array of objects")]
    NotObject,
    /// An object without a string `type`.
    #[error("an object without a string \"type\"")]
    NoType,
    /// Something else than `data` is nested too deep.
    #[error("nested too deep")]
    TooDeep,
    /// A member of `hello` is missing or wrong.
    #[error("hello: {0}")]
    Hello(Cow<'static, str>),
    /// `info` of `hello` is too large or nested too deep.
    #[error("hello: \"info\" is larger than {0} bytes or nested too deep")]
    Info(u64),
}

impl FrameError {
    /// The code to close with.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Info(_) => CloseCode::TOO_LARGE,
            _ => CloseCode::BAD_PROTOCOL,
        }
    }
}

/// One command that cannot be accepted; the connection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCommand {
    /// Of the command, where it had a usable one.
    pub id: Option<u64>,
    /// Whether an answer is due: not to a `publish` without an `id`.
    pub answer: bool,
    /// Why.
    pub code: ErrorCode,
    /// The same for a developer.
    pub message: Cow<'static, str>,
}

/// Why an object of a frame is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The connection ends.
    Frame(FrameError),
    /// One `error`, and the connection lives.
    Command(BadCommand),
}

impl std::convert::From<FrameError> for DecodeError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// The commands of one frame, in order.
///
/// A batch means the same as its elements one by one: what stands before a bad element is still good.
#[derive(Debug)]
pub struct Commands<'a> {
    limits: &'a Limits,
    rest: Rest<'a>,
}

#[derive(Debug)]
enum Rest<'a> {
    One(Option<&'a str>),
    Many(std::vec::IntoIter<&'a RawValue>),
}

impl<'a> Commands<'a> {
    /// Reads a frame's text.
    ///
    /// # Errors
    /// [`FrameError`] when it is not JSON or is neither an object nor an array.
    pub fn decode(text: &'a str, limits: &'a Limits) -> Result<Self, FrameError> {
        let rest = match Shape::of(text) {
            Shape::Object => Rest::One(Some(text)),
            Shape::Array => {
                let elements: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|_| FrameError::NotJson)?;
                Rest::Many(elements.into_iter())
            }
            Shape::Other if serde_json::from_str::<&RawValue>(text).is_ok() => {
                return Err(FrameError::NotObject);
            }
            Shape::Other => return Err(FrameError::NotJson),
        };
        Ok(Self { limits, rest })
    }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = match &mut self.rest {
            Rest::One(text) => text.take()?,
            Rest::Many(elements) => elements.next()?.get(),
        };
        Some(decode_object(text, self.limits))
    }
}

fn decode_object<'a>(text: &'a str, limits: &Limits) -> Result<Command<'a>, DecodeError> {
    if Shape::of(text) != Shape::Object {
        return Err(FrameError::NotObject.into());
    }
    let fields: Fields<'a> = serde_json::from_str(text).map_err(|_| FrameError::NotJson)?;
    let kind = fields
        .get(Field::Type)
        .and_then(json::as_string)
        .ok_or(FrameError::NoType)?;
    if fields.too_deep(limits) {
        return Err(FrameError::TooDeep.into());
    }
    if kind == "hello" {
        return decode_hello(&fields, limits)
            .map(|hello| Command::Hello(Box::new(hello)))
            .map_err(DecodeError::Frame);
    }
    let id = fields.integer(Field::Id).ok().flatten();
    let answer = kind != "publish" || id.is_some();
    decode_command(&kind, id, &fields, limits).map_err(|Bad(code, message)| {
        DecodeError::Command(BadCommand {
            id,
            answer,
            code,
            message,
        })
    })
}

/// What is wrong with one command, before it is known whose.
struct Bad(ErrorCode, Cow<'static, str>);

impl Bad {
    fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self(ErrorCode::BadRequest, message.into())
    }

    fn plain(code: ErrorCode) -> Self {
        Self(code, code.message().into())
    }
}

fn decode_command<'a>(
    kind: &str,
    id: Option<u64>,
    fields: &Fields<'a>,
    limits: &Limits,
) -> Result<Command<'a>, Bad> {
    let need_id = || id.ok_or_else(|| Bad::request("\"id\" must be an integer from 0 to 2^53 - 1"));
    Ok(match kind {
        "subscribe" => Command::Subscribe(Subscribe {
            id: need_id()?,
            entry: decode_entry(fields)?,
        }),
        "unsubscribe" => Command::Unsubscribe(OnChannel {
            id: need_id()?,
            channel: fields.channel()?,
        }),
        "publish" => Command::Publish(decode_publish(fields, limits)?),
        "history" => Command::History(decode_history(need_id()?, fields)?),
        "subscriptions" => Command::Subscriptions(Plain { id: need_id()? }),
        "presence" => Command::Presence(PresenceQuery {
            id: need_id()?,
            channel: fields.channel()?,
            count: fields.boolean(Field::Count)?,
        }),
        "call" => Command::Call(Call {
            id: need_id()?,
            method: fields
                .string(Field::Method)?
                .ok_or_else(|| missing(Field::Method))?,
            data: fields.data(limits)?,
        }),
        "token" => Command::Token(Token {
            id: need_id()?,
            token: fields
                .string(Field::Token)?
                .ok_or_else(|| missing(Field::Token))?,
        }),
        "ping" => Command::Ping(Ping {
            id: fields.integer(Field::Id)?,
        }),
        "pong" => Command::Pong,
        "bye" => Command::Bye,
        _ if id.is_some() => return Err(Bad::plain(ErrorCode::UnknownType)),
        _ => Command::Unknown,
    })
}

fn missing(field: Field) -> Bad {
    Bad::request(format!("\"{}\" is missing", field.name()))
}

fn decode_publish<'a>(fields: &Fields<'a>, limits: &Limits) -> Result<Publish<'a>, Bad> {
    let publish = Publish {
        id: fields.integer(Field::Id)?,
        channel: fields.channel()?,
        seq: fields.integer(Field::Seq)?,
        again: fields.integer(Field::Again)?,
        data: fields.data(limits)?.ok_or_else(|| missing(Field::Data))?,
    };
    match (publish.seq, publish.again) {
        (Some(0), _) => Err(Bad::request("\"seq\" must be at least 1")),
        (None, Some(_)) => Err(Bad::request("\"again\" needs \"seq\"")),
        _ => Ok(publish),
    }
}

fn decode_history<'a>(id: u64, fields: &Fields<'a>) -> Result<History<'a>, Bad> {
    let limit = fields
        .integer(Field::Limit)?
        .unwrap_or(limits::HISTORY_LIMIT_DEFAULT);
    if !(1..=limits::HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(Bad::request("\"limit\" must be from 1 to 1000"));
    }
    Ok(History {
        id,
        channel: fields.channel()?,
        epoch: fields.epoch()?,
        after: fields.integer(Field::After)?,
        before: fields.integer(Field::Before)?,
        limit,
        reverse: fields.boolean(Field::Reverse)?,
    })
}

fn decode_entry<'a>(fields: &Fields<'a>) -> Result<Entry<'a>, Bad> {
    let entry = Entry {
        channel: fields.channel()?,
        epoch: fields.epoch()?,
        offset: fields.integer(Field::Offset)?,
        from: fields.from()?,
        token: fields.string(Field::Token)?,
        presence: fields.boolean(Field::Presence)?,
    };
    if entry.epoch.is_some() != entry.offset.is_some() {
        return Err(Bad::request("\"epoch\" and \"offset\" go together"));
    }
    Ok(entry)
}

fn decode_hello<'a>(fields: &Fields<'a>, limits: &Limits) -> Result<Hello<'a>, FrameError> {
    let as_frame_error = |Bad(_, message)| FrameError::Hello(message);
    let client = fields.string(Field::Client).map_err(as_frame_error)?;
    let producer = fields.string(Field::Producer).map_err(as_frame_error)?;
    for (name, value) in [("client", &client), ("producer", &producer)] {
        if value
            .as_ref()
            .is_some_and(|value| !(1..=limits::CLIENT_BYTES).contains(&value.len()))
        {
            return Err(FrameError::Hello(
                format!("\"{name}\" must have 1 to 128 bytes").into(),
            ));
        }
    }
    let info = fields.present(Field::Info);
    if let Some(info) = info {
        if Shape::of(info.get()) != Shape::Object {
            return Err(FrameError::Hello("\"info\" must be an object".into()));
        }
        if info.get().len() as u64 > limits.info
            || json::nesting(info.get()) as u64 > limits.nesting
        {
            return Err(FrameError::Info(limits.info));
        }
    }
    let (channels, refused) = match fields.present(Field::Channels) {
        Some(raw) => decode_entries(raw)?,
        None => (Vec::new(), Vec::new()),
    };
    Ok(Hello {
        client: client.ok_or(FrameError::Hello("\"client\" is missing".into()))?,
        producer,
        channels,
        refused,
        info,
        token: fields.string(Field::Token).map_err(as_frame_error)?,
        why: fields.present(Field::Why).map(decode_why).transpose()?,
    })
}

fn decode_entries(raw: &RawValue) -> Result<(Vec<Entry<'_>>, Vec<RefusedEntry>), FrameError> {
    let wrong = || {
        FrameError::Hello(
            "\"channels\" must be an array of objects, each with a string \"channel\"".into(),
        )
    };
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let (mut channels, mut refused) = (Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    for element in elements {
        let fields: Fields<'_> = serde_json::from_str(element.get()).map_err(|_| wrong())?;
        let name = fields
            .get(Field::Channel)
            .and_then(json::as_string)
            .ok_or_else(wrong)?;
        if !seen.insert(name.clone()) {
            continue;
        }
        match decode_entry(&fields) {
            Ok(entry) => channels.push(entry),
            Err(Bad(code, message)) => refused.push(RefusedEntry {
                channel: name.into_owned(),
                code,
                message,
            }),
        }
    }
    Ok((channels, refused))
}

fn decode_why(raw: &RawValue) -> Result<Why<'_>, FrameError> {
    let wrong =
        || FrameError::Hello("\"why\" must be an object of cause, code, ms, attempts".into());
    let fields: Fields<'_> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let integer = |field| fields.integer(field).map_err(|_| wrong());
    Ok(Why {
        cause: fields.string(Field::Cause).map_err(|_| wrong())?,
        code: integer(Field::Code)?,
        ms: integer(Field::Ms)?,
        attempts: integer(Field::Attempts)?,
    })
}

macro_rules! fields {
    ($($variant:ident = $name:literal,)*) => {
        /// Members of a command's object that mean something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Field { $($variant,)* }

        const FIELDS: &[(Field, &str)] = &[$((Field::$variant, $name),)*];

        impl Field {
            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

fields! {
    Type = "type", Id = "id", Channel = "channel", Data = "data", Seq = "seq", Again = "again", Epoch = "epoch",
    Offset = "offset", From = "from", Presence = "presence", Token = "token", After = "after", Before = "before",
    Limit = "limit", Reverse = "reverse", Count = "count", Method = "method", Client = "client",
    Producer = "producer", Channels = "channels", Info = "info", Why = "why", Cause = "cause", Code = "code",
    Ms = "ms", Attempts = "attempts", Rewind = "rewind", Unknown = "",
}

/// The members of one object, each as the text it was written in. A member given twice counts as last given.
struct Fields<'a> {
    values: [Option<&'a RawValue>; FIELDS.len()],
    /// The nesting of the deepest unknown member.
    unknown_nesting: usize,
}

impl<'a> Fields<'a> {
    fn get(&self, field: Field) -> Option<&'a RawValue> {
        self.values[field as usize]
    }

    /// As [`Fields::get`], with `null` counted as absent.
    fn present(&self, field: Field) -> Option<&'a RawValue> {
        self.get(field).filter(|raw| raw.get() != "null")
    }

    fn string(&self, field: Field) -> Result<Option<Cow<'a, str>>, Bad> {
        self.typed(field, "a string", json::as_string)
    }

    fn integer(&self, field: Field) -> Result<Option<u64>, Bad> {
        self.typed(field, "an integer from 0 to 2^53 - 1", json::as_integer)
    }

    fn boolean(&self, field: Field) -> Result<bool, Bad> {
        let parse = |raw: &'a RawValue| serde_json::from_str(raw.get()).ok();
        Ok(self.typed(field, "a boolean", parse)?.unwrap_or(false))
    }

    fn from(&self) -> Result<From, Bad> {
        let what = "\"now\", \"last\" or {\"rewind\": n} with n from 1";
        Ok(self.typed(Field::From, what, as_from)?.unwrap_or_default())
    }

    fn typed<T>(
        &self,
        field: Field,
        what: &str,
        parse: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, Bad> {
        let Some(raw) = self.present(field) else {
            return Ok(None);
        };
        parse(raw)
            .map(Some)
            .ok_or_else(|| Bad::request(format!("\"{}\" must be {what}", field.name())))
    }

    fn channel(&self) -> Result<Cow<'a, str>, Bad> {
        let name = self
            .string(Field::Channel)?
            .ok_or_else(|| missing(Field::Channel))?;
        if is_channel_name(&name) {
            Ok(name)
        } else {
            Err(Bad::plain(ErrorCode::BadChannel))
        }
    }

    /// The epoch of a position: token-like, as every epoch that a server gives.
    fn epoch(&self) -> Result<Option<Cow<'a, str>>, Bad> {
        let epoch = self.string(Field::Epoch)?;
        let token_like = |text: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=64).contains(&text.len()) && text.bytes().all(letter)
        };
        if epoch.as_deref().is_some_and(|text| !token_like(text)) {
            return Err(Bad::request("\"epoch\" must be 1 to 64 of A-Z a-z 0-9 - _"));
        }
        Ok(epoch)
    }

    /// `data`, where `null` is a value like any other.
    fn data(&self, limits: &Limits) -> Result<Option<&'a RawValue>, Bad> {
        let data = self.get(Field::Data);
        if data.is_some_and(|raw| json::nesting(raw.get()) as u64 > limits.nesting) {
            let message = format!("\"data\" is nested deeper than {}", limits.nesting);
            return Err(Bad(ErrorCode::TooLarge, message.into()));
        }
        Ok(data)
    }

    /// Whether anything but `data` and `info`, which have answers of their own, is nested too deep.
    fn too_deep(&self, limits: &Limits) -> bool {
        let deepest = FIELDS
            .iter()
            .filter(|(field, _)| !matches!(field, Field::Data | Field::Info))
            .filter_map(|(field, _)| self.get(*field))
            .map(|raw| json::nesting(raw.get()))
            .fold(self.unknown_nesting, usize::max);
        deepest as u64 > limits.nesting
    }
}

fn as_from(raw: &RawValue) -> Option<From> {
    if let Some(word) = json::as_string(raw) {
        return match &*word {
            "now" => Some(From::Now),
            "last" => Some(From::Last),
            _ => None,
        };
    }
    let fields: Fields<'_> = serde_json::from_str(raw.get()).ok()?;
    json::as_integer(fields.get(Field::Rewind)?)
        .filter(|&count| count >= 1)
        .map(From::Rewind)
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields {
                    values: [None; FIELDS.len()],
                    unknown_nesting: 0,
                };
                while let Some(Key(field)) = map.next_key()? {
                    let value: &RawValue = map.next_value()?;
                    match field {
                        Field::Unknown => {
                            fields.unknown_nesting =
                                fields.unknown_nesting.max(json::nesting(value.get()));
                        }
                        known => fields.values[known as usize] = Some(value),
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A member's name.
struct Key(Field);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            /// As bytes, since a name can hold a lone surrogate; such a one is none of ours.
            fn visit_bytes<E>(self, name: &[u8]) -> Result<Key, E> {
                let known = FIELDS
                    .iter()
                    .find(|(field, known)| known.as_bytes() == name && *field != Field::Unknown);
                Ok(Key(known.map_or(Field::Unknown, |(field, _)| *field)))
            }
        }

        deserializer.deserialize_bytes(Name)
    }
}

#[cfg(test)]
mod tests;
