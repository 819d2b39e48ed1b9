//! Server to client, unasked: `message`, `live`, `gap`, `join`, `leave`, `kick`, `reinit`, `ping`, `bye`; and [`ServerFrame`], all of them.

use crate::command::FrameError;
use crate::json::{Shape, as_string, push_integer, push_string};
use crate::reply::{self, Info, Retry, Window, deserialize_info, serialize_info};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `message`: one publication. The same bytes for everyone; a server builds it with [`encode_message`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "message")]
pub struct Message {
    /// The channel.
    pub channel: String,
    /// Its number in the channel, from 1.
    pub offset: u64,
    /// The publisher's member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When the server accepted it, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The very text that the publisher sent.
    pub data: Box<RawValue>,
}

/// A `message` built by pasting: `data` must have been checked to be JSON, and is not looked at again.
pub fn encode_message(
    channel: &str,
    offset: u64,
    from: Option<&str>,
    at: Option<u64>,
    data: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + channel.len() + data.len());
    out.extend_from_slice(br#"{"type":"message","channel":"#);
    push_string(&mut out, channel);
    out.extend_from_slice(br#","offset":"#);
    push_integer(&mut out, offset);
    if let Some(from) = from {
        out.extend_from_slice(br#","from":"#);
        push_string(&mut out, from);
    }
    if let Some(at) = at {
        out.extend_from_slice(br#","at":"#);
        push_integer(&mut out, at);
    }
    out.extend_from_slice(br#","data":"#);
    out.extend_from_slice(data);
    out.push(b'}');
    out
}

/// `live`: a replay has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "live")]
pub struct Live {
    /// The channel.
    pub channel: String,
    /// The last offset of the replay.
    pub offset: u64,
}

/// `gap`: messages of a live subscription that will not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "gap")]
pub struct Gap {
    /// The channel.
    pub channel: String,
    /// The first offset missed.
    pub from: u64,
    /// The last offset missed; `None` when nobody can know.
    pub to: Option<u64>,
    /// `expired`, `slow` or `epoch`; another is treated like `slow`.
    pub why: String,
    /// The new epoch, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The new position's offset, if the epoch changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// `join`: a member came.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "join")]
pub struct Join {
    /// The channel.
    pub channel: String,
    /// Who.
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
    /// Counts the channel's changes.
    pub version: u64,
}

/// `leave`: a member went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "leave")]
pub struct Leave {
    /// The channel.
    pub channel: String,
    /// Who.
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
    /// Counts the channel's changes.
    pub version: u64,
}

/// `kick`: removed from one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "kick")]
pub struct Kick {
    /// The channel.
    pub channel: String,
    /// An error code.
    pub code: String,
    /// For a developer.
    pub message: String,
}

/// `reinit`: the application was re-initialised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "reinit")]
pub struct Reinit {
    /// The application's new epoch.
    pub epoch: String,
    /// When to come back.
    pub window: Window,
}

/// `ping`: liveness, the application's epoch, the digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "ping")]
pub struct Ping {
    /// Of the application, now.
    pub epoch: String,
    /// The digest of this connection's subscriptions.
    pub sum: u32,
    /// The standing retry window, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// `bye`: a close follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "bye")]
pub struct Bye {
    /// The close code that follows.
    pub code: u16,
    /// For a developer.
    #[serde(default)]
    pub reason: String,
    /// When to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<bool>,
    /// Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

macro_rules! frames {
    ($($(#[$doc:meta])* $variant:ident($type:ty) = $name:literal,)*) => {
        /// One object from the server.
        #[derive(Clone, Debug, Serialize)]
        #[serde(untagged)]
        pub enum ServerFrame {
            $($(#[$doc])* $variant($type),)*
            /// A type of a later version: to be ignored.
            #[serde(skip)]
            Unknown,
        }

        $(impl From<$type> for ServerFrame {
            fn from(frame: $type) -> Self {
                Self::$variant(frame)
            }
        })*

        fn decode_object(text: &str) -> Result<ServerFrame, FrameError> {
            if Shape::of(text) != Shape::Object {
                return Err(FrameError::NotObject);
            }
            let tag: Tag<'_> = serde_json::from_str(text).map_err(|_| FrameError::NoType)?;
            let name = as_string(tag.r#type).ok_or(FrameError::NoType)?;
            let wrong = |_| FrameError::NotObject;
            match &*name {
                $($name => serde_json::from_str(text).map(ServerFrame::$variant).map_err(wrong),)*
                _ => Ok(ServerFrame::Unknown),
            }
        }
    };
}

frames! {
    /// The answer to `hello`.
    Welcome(Box<reply::Welcome>) = "welcome",
    /// A command succeeded.
    Ok(reply::Ok) = "ok",
    /// A command failed.
    Error(reply::Error) = "error",
    /// A publication.
    Message(Message) = "message",
    /// The end of a replay.
    Live(Live) = "live",
    /// Loss.
    Gap(Gap) = "gap",
    /// A member came.
    Join(Join) = "join",
    /// A member went.
    Leave(Leave) = "leave",
    /// Removed from one channel.
    Kick(Kick) = "kick",
    /// The application was re-initialised.
    Reinit(Reinit) = "reinit",
    /// Liveness.
    Ping(Ping) = "ping",
    /// A close follows.
    Bye(Bye) = "bye",
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: &'a RawValue,
}

impl ServerFrame {
    /// The frame's text: one JSON object.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("frames always serialise")
    }

    /// Every object of a frame's text, in order.
    ///
    /// # Errors
    /// [`FrameError`] when the text is no object or array of objects, or a member has another type than specified.
    pub fn decode(text: &str) -> Result<Vec<Self>, FrameError> {
        match Shape::of(text) {
            Shape::Object => Ok(vec![decode_object(text)?]),
            Shape::Array => {
                let elements: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|_| FrameError::NotJson)?;
                elements
                    .into_iter()
                    .map(|element| decode_object(element.get()))
                    .collect()
            }
            Shape::Other => Err(FrameError::NotJson),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(text: &str) {
        let frames = ServerFrame::decode(text).unwrap();
        assert_eq!(frames.len(), 1, "{text}");
        let back = frames[0].encode();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(text), value(&back));
    }

    #[test]
    fn frames_survive_decode_and_encode() {
        for text in [
            r#"{"type":"welcome","session":"s1","user":null,"member":"m4","epoch":"a7","node":"n1","ping":25000,"grace":10000,"retry":{"window":[0,200]},"limits":{"frame":1048576,"channels":128,"name":255,"info":1024,"nesting":64,"queue":1048576,"publish_window":300000,"publishes_kept":1000},"channels":{"orders":{"epoch":"e5","since":1042,"offset":1044,"recovered":true},"x y":{"error":{"code":"bad_channel","message":"no"}},"lobby":{"epoch":"e","since":0,"offset":0,"recovered":false,"members":[{"member":"m1","user":null,"info":{"name":"Ana"}}],"version":1}},"seq":17}"#,
            r#"{"type":"ok","id":5,"offset":1045,"duplicate":true}"#,
            r#"{"type":"error","id":3,"code":"expired","message":"gone","retry":false}"#,
            r#"{"type":"error","code":"rate","message":"slow down","retry":250}"#,
            r#"{"type":"gap","channel":"orders","from":1062,"to":null,"why":"epoch","epoch":"e6","offset":0}"#,
            r#"{"type":"join","channel":"lobby","member":"m2","user":null,"info":null,"version":2}"#,
            r#"{"type":"ping","epoch":"a7","sum":2417323847,"retry":{"window":[0,900]}}"#,
            r#"{"type":"bye","code":4201,"reason":"restart","window":[0,12000]}"#,
            r#"{"type":"kick","channel":"orders","code":"denied","message":"moderated"}"#,
        ] {
            round_trip(text);
        }
        assert!(matches!(
            ServerFrame::decode(r#"{"type":"later","x":1}"#).unwrap()[..],
            [ServerFrame::Unknown]
        ));
        assert_eq!(ServerFrame::decode("[]").unwrap().len(), 0);
    }

    #[test]
    fn history_is_pasted_as_valid_json() {
        let messages = [
            encode_message("a", 1, Some("m"), Some(7), b"{}"),
            encode_message("a", 2, None, None, b"null"),
        ];
        let text = reply::encode_history(3, "e", 2, messages.iter().map(Vec::as_slice));
        let frames = ServerFrame::decode(std::str::from_utf8(&text).unwrap()).unwrap();
        let [ServerFrame::Ok(ok)] = &frames[..] else {
            panic!()
        };
        assert_eq!(
            (ok.id, ok.offset, ok.messages.as_ref().unwrap().len()),
            (3, Some(2), 2)
        );
    }

    proptest! {
        #[test]
        fn a_pasted_message_decodes_to_what_was_pasted(
            channel in "\\PC{0,20}", offset in 0u64..1 << 53, from in proptest::option::of("\\PC{0,10}"), data in "\\PC{0,30}"
        ) {
            let data = serde_json::to_string(&data).unwrap();
            let text = String::from_utf8(encode_message(&channel, offset, from.as_deref(), Some(5), data.as_bytes())).unwrap();
            let frames = ServerFrame::decode(&text).unwrap();
            let [ServerFrame::Message(message)] = &frames[..] else { panic!("{text}") };
            prop_assert_eq!(&message.channel, &channel);
            prop_assert_eq!((message.offset, message.at), (offset, Some(5)));
            prop_assert_eq!(&message.from, &from);
            prop_assert_eq!(message.data.get(), &data);
            round_trip(&text);
        }
    }
}
