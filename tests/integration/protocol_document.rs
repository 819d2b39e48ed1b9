//! PROTOCOL.md, its golden frames and the protocol crate say the same; and the document's own examples run.

use rejoin_protocol::command::{Command, Commands, DecodeError};
use rejoin_protocol::position::{Digest, is_channel_name};
use rejoin_protocol::{Cause, CloseCode, ErrorCode, Limits, ServerFrame};
use rejoin_tests::{Client, Profile, Server};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const DOCUMENT: &str = include_str!("../../PROTOCOL.md");

/// An example: its lines, each the client's (`>`) or the server's (`<`).
struct Example {
    replay: bool,
    lines: Vec<(Direction, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

fn examples() -> Vec<Example> {
    let blocks = DOCUMENT.split("\n```json").skip(1);
    let examples: Vec<_> = blocks
        .map(|block| {
            let (mark, rest) = block.split_once('\n').expect("a fence ends its line");
            let (body, _) = rest.split_once("\n```").expect("a fence is closed");
            Example {
                replay: mark.trim() == "replay",
                lines: body.lines().map(direction).collect(),
            }
        })
        .collect();
    assert!(examples.iter().any(|example| example.replay));
    examples
}

fn direction(line: &str) -> (Direction, &str) {
    match line.split_once(' ') {
        Some((">", frame)) => (Direction::ToServer, frame),
        Some(("<", frame)) => (Direction::ToClient, frame),
        _ => panic!("neither `> ` nor `< `: {line}"),
    }
}

/// The rows of the first table of a section, cells trimmed and without backquotes.
fn table(section: &str) -> Vec<Vec<String>> {
    let heading = format!("\n## {section}\n");
    let (_, body) = DOCUMENT.split_once(&heading).expect("the section exists");
    body.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        })
        .collect()
}

fn vectors(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("vectors are an array")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_example_decodes() {
    let limits = Limits::default();
    for (direction, frame) in examples().iter().flat_map(|example| &example.lines) {
        match direction {
            Direction::ToClient => {
                let decoded =
                    ServerFrame::decode(frame).unwrap_or_else(|error| panic!("{error}: {frame}"));
                assert!(
                    !decoded.iter().any(|f| matches!(f, ServerFrame::Unknown)),
                    "{frame}"
                );
                // Nothing in an example is lost on the crate.
                let again: Vec<_> = decoded.iter().map(|f| json(&f.encode())).collect();
                assert_eq!(as_batch(json(frame)), again);
            }
            Direction::ToServer => {
                for command in Commands::decode(frame, &limits).expect("a frame") {
                    let frame_error = matches!(command, Err(DecodeError::Frame(_)));
                    assert!(!frame_error, "{command:?}: {frame}");
                }
            }
        }
    }
}

#[tokio::test]
async fn marked_examples_run_as_they_stand() {
    for example in examples().iter().filter(|example| example.replay) {
        let server = Server::start(Profile::bare()).await;
        let mut client = Client::dial(&server).await;
        for (direction, frame) in &example.lines {
            match direction {
                Direction::ToServer => client.send_message(Message::text(*frame)),
                Direction::ToClient => {
                    for expected in as_batch(json(frame)) {
                        let actual = client.next().await;
                        assert_like(&expected, &actual, &actual.to_string());
                    }
                }
            }
        }
        client.nothing_more().await;
    }
}

fn as_batch(frame: Value) -> Vec<Value> {
    match frame {
        Value::Array(batch) => batch,
        object => vec![object],
    }
}

/// The same members, types and values; what is random, the clock's, or for people may differ in its value.
fn assert_like(expected: &Value, actual: &Value, whole: &str) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                object.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(expected), names(actual), "{whole}");
            for (name, value) in expected {
                let other = &actual[name];
                match name.as_str() {
                    "session" | "node" | "epoch" | "message" if value.is_string() => {
                        assert!(other.is_string(), "{name}: {whole}");
                    }
                    "at" => assert!(other.is_u64(), "{whole}"),
                    _ => assert_like(value, other, whole),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            assert_eq!(expected.len(), actual.len(), "{whole}");
            for (expected, actual) in expected.iter().zip(actual) {
                assert_like(expected, actual, whole);
            }
        }
        _ => assert_eq!(expected, actual, "{whole}"),
    }
}

#[test]
fn close_codes_agree() {
    let rows: Vec<_> = table("Close codes")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
        .collect();
    let golden: Vec<_> = vectors(include_str!("../../protocol/vectors/codes.json"))
        .iter()
        .map(|v| {
            let code = v["code"]
                .as_u64()
                .map_or_else(|| text(&v["code"]), |code| code.to_string());
            (code, text(&v["action"]), text(&v["cause"]))
        })
        .collect();
    assert_eq!(rows, golden);
    let named: Vec<u16> = rows
        .iter()
        .filter_map(|(code, ..)| code.parse().ok())
        .collect();
    for (code, action, cause) in &rows {
        let meant: Vec<u16> = match (code.parse(), code.strip_suffix("xx")) {
            (Ok(code), _) => vec![code],
            (_, Some(hundred)) => {
                let first = hundred.parse::<u16>().expect("two digits") * 100;
                (first..first + 100)
                    .filter(|code| !named.contains(code))
                    .collect()
            }
            _ => vec![1004, 1010, 1014, 2999, 3000, 3999, 4000, 4099, 4600, 4999],
        };
        for code in meant {
            let close = CloseCode(code);
            assert_eq!(
                format!("{:?}", close.action()).to_lowercase(),
                *action,
                "{code}"
            );
            assert_eq!(close.cause().name(), cause, "{code}");
        }
    }
}

#[test]
fn causes_agree() {
    let rows: Vec<_> = table("Causes")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let golden: Vec<_> = vectors(include_str!("../../protocol/vectors/causes.json"))
        .iter()
        .map(|v| (text(&v["cause"]), text(&v["kind"])))
        .collect();
    let known: Vec<_> = Cause::ALL
        .iter()
        .map(|cause| (cause.name().to_owned(), cause.kind().name().to_owned()))
        .collect();
    assert_eq!(rows, golden);
    assert_eq!(rows, known);
}

#[test]
fn error_codes_agree() {
    let rows: Vec<_> = table("Error codes")
        .into_iter()
        .map(|row| (row[0].clone(), row[1] == "true"))
        .collect();
    let golden: Vec<_> = vectors(include_str!("../../protocol/vectors/errors.json"))
        .iter()
        .map(|v| (text(&v["code"]), v["retry"] == true))
        .collect();
    let known: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| (code.name().to_owned(), code.is_temporary()))
        .collect();
    assert_eq!(rows, golden);
    assert_eq!(rows, known);
}

#[test]
fn limits_agree() {
    let rows: serde_json::Map<_, _> = table("Limits")
        .into_iter()
        .map(|row| {
            (
                row[0].clone(),
                json!(row[1].parse::<u64>().expect("a number")),
            )
        })
        .collect();
    let known = serde_json::to_value(Limits::default()).expect("serialisable");
    assert_eq!(Value::Object(rows), known);
}

#[test]
fn digests_and_names_agree() {
    for vector in vectors(include_str!("../../protocol/vectors/digests.json")) {
        let mut digest = Digest::default();
        for name in vector["channels"].as_array().expect("names") {
            digest.toggle(&text(name));
        }
        assert_eq!(vector["sum"], digest.0, "{vector}");
    }
    for vector in vectors(include_str!("../../protocol/vectors/names.json")) {
        assert_eq!(
            vector["valid"],
            is_channel_name(&text(&vector["channel"])),
            "{vector}"
        );
    }
}

#[test]
fn golden_commands_agree() {
    let limits = Limits::default();
    for vector in vectors(include_str!("../../protocol/vectors/commands.json")) {
        let frame = text(&vector["frame"]);
        let decoded = Commands::decode(&frame, &limits)
            .map_err(DecodeError::Frame)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match decoded {
            Ok(commands) => {
                let meaning: Vec<_> = commands.iter().filter_map(meaning_of).collect();
                let mut expected = vector["meaning"].clone();
                expected
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .for_each(sort_channels);
                assert_eq!(json!(meaning), expected, "{vector}");
            }
            Err(DecodeError::Command(bad)) => {
                assert_eq!(vector["error"], bad.code.name(), "{vector}");
                assert_eq!(vector["id"], json!(bad.id), "{vector}");
                assert!(bad.answer, "{vector}");
            }
            Err(DecodeError::Frame(error)) => {
                assert_eq!(vector["close"], error.close_code().0, "{vector}: {error}");
            }
        }
    }
}

#[test]
fn golden_replies_agree() {
    for vector in vectors(include_str!("../../protocol/vectors/replies.json")) {
        let frames = ServerFrame::decode(&text(&vector["frame"]))
            .unwrap_or_else(|error| panic!("{error}: {vector}"));
        let known = frames
            .iter()
            .filter(|frame| !matches!(frame, ServerFrame::Unknown));
        let meaning: Vec<_> = known.map(|frame| json(&frame.encode())).collect();
        assert_eq!(json!(meaning), vector["meaning"], "{vector}");
    }
}

/// A command as the vectors tell its meaning; `None` for one that is ignored.
fn meaning_of(command: &Command<'_>) -> Option<Value> {
    let mut meaning = json(&command.encode());
    let object = meaning.as_object_mut().expect("an object");
    match command {
        Command::Unknown => return None,
        Command::Hello(hello) => {
            let entries = object.entry("channels").or_insert_with(|| json!([]));
            let entries = entries.as_array_mut().expect("an array");
            entries.iter_mut().for_each(normalise_entry);
            let refused = hello.refused.iter();
            entries.extend(refused.map(|r| json!({"channel": r.channel, "error": r.code.name()})));
        }
        Command::Subscribe(_) => normalise_entry(&mut meaning),
        Command::Publish(publish) => {
            object.insert("data".into(), json!(publish.data.get()));
        }
        Command::Call(call) => {
            if let Some(data) = call.data {
                object.insert("data".into(), json!(data.get()));
            }
        }
        Command::History(history) => {
            object.insert("reverse".into(), json!(history.reverse));
        }
        Command::Presence(presence) => {
            object.insert("count".into(), json!(presence.count));
        }
        Command::Unsubscribe(_)
        | Command::Subscriptions(_)
        | Command::Token(_)
        | Command::Ping(_)
        | Command::Pong
        | Command::Bye => {}
    }
    sort_channels(&mut meaning);
    Some(meaning)
}

/// `epoch` and `offset` become `position`, or else `from` is filled in; `presence` always.
fn normalise_entry(entry: &mut Value) {
    let object = entry.as_object_mut().expect("an object");
    match (object.remove("epoch"), object.remove("offset")) {
        (Some(epoch), Some(offset)) => {
            object.remove("from");
            object.insert("position".into(), json!({"epoch": epoch, "offset": offset}));
        }
        _ => {
            object.entry("from").or_insert_with(|| json!("now"));
        }
    }
    object.entry("presence").or_insert(json!(false));
}

/// Refused channels are kept apart by the crate: their place among the others has no meaning.
fn sort_channels(meaning: &mut Value) {
    if let Some(channels) = meaning.get_mut("channels").and_then(Value::as_array_mut) {
        channels.sort_by_key(|entry| entry["channel"].as_str().map(str::to_owned));
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
