//! Server to client, answers: `welcome`, `ok`, `error`.

use crate::code::ErrorCode;
use crate::json::{push_integer, push_string};
use crate::limits::Limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A window `[min, max]` in milliseconds to choose an instant from.
pub type Window = [u64; 2];

/// `welcome`: the answer to `hello`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "welcome")]
pub struct Welcome {
    /// This connection's name.
    pub session: String,
    /// The signed-in user; `None` is anonymous.
    pub user: Option<String>,
    /// How others see this client.
    pub member: String,
    /// Of the application.
    pub epoch: String,
    /// The server process.
    pub node: String,
    /// Of the token, in milliseconds from now. Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Milliseconds between pings, ± 10 %.
    pub ping: u64,
    /// Milliseconds beyond `ping` after which silence is suspect.
    pub grace: u64,
    /// How to come back after an unannounced loss.
    pub retry: Retry,
    /// What this server allows.
    pub limits: Limits,
    /// The result for every channel of `hello`.
    pub channels: BTreeMap<String, ChannelResult>,
    /// The highest `seq` accepted of this producer, 0 when none is known: a hint.
    #[serde(default)]
    pub seq: u64,
}

/// The standing retry window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// `[min, max]` ms, the wait before the first attempt.
    pub window: Window,
}

/// The result of subscribing to one channel, or its refusal. In the `ok` of `subscriptions` only `epoch` and `offset`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelResult {
    /// The channel's epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Delivery begins behind this offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The channel's last offset at this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// A position was given, and nothing between it and `since` is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
    /// Who is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// How many are there, where they are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Counts the changes of presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The channel was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
}

/// Why a channel was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// From [`ErrorCode`], or one of a later version.
    pub code: String,
    /// For a developer.
    pub message: String,
}

/// One member of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its name, the same in all its messages.
    pub member: String,
    /// The signed-in user; `None` is anonymous.
    pub user: Option<String>,
    /// The object given in its `hello`.
    #[serde(
        serialize_with = "serialize_info",
        deserialize_with = "deserialize_info",
        default
    )]
    pub info: Option<Info>,
}

/// A JSON object as text, shared.
pub type Info = Arc<RawValue>;

pub(crate) fn serialize_info<S: Serializer>(
    info: &Option<Info>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    info.as_deref().serialize(serializer)
}

pub(crate) fn deserialize_info<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Info>, D::Error> {
    Ok(Option::<Box<RawValue>>::deserialize(deserializer)?.map(Arc::from))
}

/// `ok`: a command succeeded. Which members are there depends on the command.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename = "ok", default)]
pub struct Ok {
    /// Of the command.
    pub id: u64,
    /// `subscribe`, `history`: the channel's epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// `subscribe`: delivery begins behind this offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// `subscribe`, `history`: the channel's last; `publish`: the message's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// `subscribe`: nothing is missing behind the position given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
    /// `publish`: it had been accepted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
    /// `history`: `message` objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Box<RawValue>>>,
    /// `subscribe`, `presence`: who is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// `subscribe`, `presence`: how many are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// `subscribe`, `presence`: counts the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// `subscriptions`: every subscription with its position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeMap<String, ChannelResult>>,
    /// `call`: the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl Ok {
    /// An `ok` without members.
    pub fn to(id: u64) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// The `ok` of `subscribe`.
    pub fn subscribed(id: u64, result: ChannelResult) -> Self {
        let ChannelResult {
            epoch,
            since,
            offset,
            recovered,
            members,
            count,
            version,
            error: _,
        } = result;
        Self {
            epoch,
            since,
            offset,
            recovered,
            members,
            count,
            version,
            ..Self::to(id)
        }
    }
}

/// `error`: a command failed, or something about the connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "error")]
pub struct Error {
    /// Of the command; `None`: about the connection, or the command had no usable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// From [`ErrorCode`], or one of a later version.
    pub code: String,
    /// For a developer; not for comparing.
    pub message: String,
    /// Whether the same command may succeed later.
    #[serde(default)]
    pub retry: RetryHint,
}

impl Error {
    /// An error with a message of its own.
    pub fn new(id: Option<u64>, code: ErrorCode, message: impl Into<String>) -> Self {
        let retry = RetryHint::Whether(code.is_temporary());
        Self {
            id,
            code: code.name().into(),
            message: message.into(),
            retry,
        }
    }

    /// An error with the usual message of its code.
    pub fn plain(id: Option<u64>, code: ErrorCode) -> Self {
        Self::new(id, code, code.message())
    }
}

/// Whether, or after how many milliseconds, the same command may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryHint {
    /// Never, or at any time.
    Whether(bool),
    /// After so many milliseconds.
    After(u64),
}

impl Default for RetryHint {
    fn default() -> Self {
        Self::Whether(false)
    }
}

/// The `ok` of `history`, with `messages` pasted as they are.
pub fn encode_history<'m>(
    id: u64,
    epoch: &str,
    offset: u64,
    messages: impl Iterator<Item = &'m [u8]>,
) -> Vec<u8> {
    let mut out = Vec::from(&br#"{"type":"ok","id":"#[..]);
    push_integer(&mut out, id);
    out.extend_from_slice(br#","epoch":"#);
    push_string(&mut out, epoch);
    out.extend_from_slice(br#","offset":"#);
    push_integer(&mut out, offset);
    out.extend_from_slice(br#","messages":["#);
    for (index, message) in messages.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(message);
    }
    out.extend_from_slice(b"]}");
    out
}
