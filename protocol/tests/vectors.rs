//! The golden frames and tables in `vectors/` mean to this crate what they say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rejoin_protocol::code::{Action, Codes, TABLE};
use rejoin_protocol::command::{Command, Entry};
use rejoin_protocol::position::{Digest, From, Start, is_channel_name};
use rejoin_protocol::{
    Cause, CloseCode, Commands, DecodeError, ErrorCode, FrameError, Limits, ServerFrame,
};
use serde_json::{Map, Value, json};

fn read(name: &str) -> Vec<Value> {
    let path = format!("{}/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text<'v>(entry: &'v Value, member: &str) -> &'v str {
    entry[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} of {entry}"))
}

/// What a client's frame comes to, in the words of the vectors.
#[derive(Debug, PartialEq)]
enum Outcome {
    Meaning(Vec<Value>),
    Error(String, Option<u64>),
    Close(u16),
}

fn outcome(frame: &str) -> Outcome {
    let limits = Limits::default();
    let close = |error: &FrameError| Outcome::Close(error.close_code().0);
    let commands = match Commands::decode(frame, &limits) {
        Ok(commands) => commands,
        Err(error) => return close(&error),
    };
    let mut meaning = Vec::new();
    for command in commands {
        match command {
            Ok(Command::Unknown) => {}
            Ok(command) => meaning.push(describe(&command)),
            Err(DecodeError::Frame(error)) => return close(&error),
            Err(DecodeError::Command(bad)) => return Outcome::Error(bad.code.to_string(), bad.id),
        }
    }
    Outcome::Meaning(meaning)
}

/// A command as an object, with its defaults filled in.
fn describe(command: &Command<'_>) -> Value {
    let mut object: Map<String, Value> = serde_json::from_str(&command.encode()).unwrap();
    match command {
        Command::Hello(hello) => {
            let refused = hello
                .refused
                .iter()
                .map(|entry| json!({"channel": entry.channel, "error": entry.code.name()}));
            let entries: Vec<Value> = refused
                .chain(hello.channels.iter().map(describe_entry))
                .collect();
            object.insert("channels".into(), entries.into());
        }
        Command::Subscribe(subscribe) => {
            let Value::Object(entry) = describe_entry(&subscribe.entry) else {
                unreachable!("an entry is an object")
            };
            object.remove("epoch");
            object.remove("offset");
            object.extend(entry);
            if object.contains_key("position") {
                object.remove("from");
            }
        }
        Command::History(history) => {
            object.insert("reverse".into(), history.reverse.into());
        }
        Command::Presence(query) => {
            object.insert("count".into(), query.count.into());
        }
        Command::Publish(publish) => {
            object.insert("data".into(), publish.data.get().into());
        }
        Command::Call(call) => {
            if let Some(data) = call.data {
                object.insert("data".into(), data.get().into());
            }
        }
        _ => {}
    }
    object.into()
}

fn describe_entry(entry: &Entry<'_>) -> Value {
    let mut object = Map::new();
    object.insert("channel".into(), (*entry.channel).into());
    object.insert("presence".into(), entry.presence.into());
    match entry.start() {
        Start::After(position) => {
            let position = json!({"epoch": position.epoch, "offset": position.offset});
            object.insert("position".into(), position);
        }
        Start::From(From::Now) => drop(object.insert("from".into(), "now".into())),
        Start::From(From::Last) => drop(object.insert("from".into(), "last".into())),
        Start::From(From::Rewind(count)) => {
            object.insert("from".into(), json!({"rewind": count}));
        }
    }
    if let Some(token) = &entry.token {
        object.insert("token".into(), (**token).into());
    }
    object.into()
}

#[test]
fn commands() {
    for entry in read("commands.json") {
        let expected = if let Some(code) = entry["close"].as_u64() {
            Outcome::Close(code.try_into().unwrap())
        } else if let Some(code) = entry["error"].as_str() {
            Outcome::Error(code.into(), entry["id"].as_u64())
        } else {
            Outcome::Meaning(entry["meaning"].as_array().unwrap().clone())
        };
        assert_eq!(
            outcome(text(&entry, "frame")),
            expected,
            "{}",
            entry["name"]
        );
    }
}

/// `null` members that need not be written are left out on both sides.
#[test]
fn replies() {
    for entry in read("replies.json") {
        let frames = ServerFrame::decode(text(&entry, "frame"))
            .unwrap_or_else(|error| panic!("{}: {error}", entry["name"]));
        let known = frames
            .iter()
            .filter(|frame| !matches!(frame, ServerFrame::Unknown));
        let meaning: Vec<Value> = known
            .map(|frame| serde_json::from_str(&frame.encode()).unwrap())
            .collect();
        assert_eq!(Value::from(meaning), entry["meaning"], "{}", entry["name"]);
    }
}

#[test]
fn close_codes() {
    let entries = read("codes.json");
    assert_eq!(entries.len(), TABLE.len() + 1, "all rows, and `other`");
    for entry in entries {
        let code = match &entry["code"] {
            Value::Number(code) => code.as_u64().unwrap() as u16,
            Value::String(hundred) if hundred == "other" => 3999,
            Value::String(hundred) => hundred.replace('x', "9").parse().unwrap(),
            other => panic!("{other}"),
        };
        let action = match CloseCode(code).action() {
            Action::Stop => "stop",
            Action::Backoff => "backoff",
            Action::Window => "window",
            Action::Doubled => "doubled",
            Action::Handover => "handover",
            Action::Refresh => "refresh",
        };
        assert_eq!(action, text(&entry, "action"), "{entry}");
        assert_eq!(
            CloseCode(code).cause().name(),
            text(&entry, "cause"),
            "{entry}"
        );
    }
    let hundreds = TABLE
        .iter()
        .filter(|(code, ..)| matches!(code, Codes::Hundred(_)));
    assert_eq!(hundreds.count(), 5);
}

#[test]
fn causes_and_errors() {
    let causes: Vec<Value> = Cause::ALL
        .iter()
        .map(|cause| json!({"cause": cause.name(), "kind": cause.kind().name()}))
        .collect();
    assert_eq!(causes, read("causes.json"));
    let errors: Vec<Value> = ErrorCode::ALL
        .iter()
        .map(|code| json!({"code": code.name(), "retry": code.is_temporary()}))
        .collect();
    assert_eq!(errors, read("errors.json"));
}

#[test]
fn digests_and_names() {
    for entry in read("digests.json") {
        let mut digest = Digest::default();
        for name in entry["channels"].as_array().unwrap() {
            digest.toggle(name.as_str().unwrap());
        }
        assert_eq!(Value::from(digest.0), entry["sum"], "{entry}");
    }
    for entry in read("names.json") {
        assert_eq!(
            Value::from(is_channel_name(text(&entry, "channel"))),
            entry["valid"],
            "{}",
            entry["name"]
        );
    }
}
