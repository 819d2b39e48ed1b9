//! Every row of PROTOCOL.md § Bad input, and every golden command, against the real server. After each: another client
//! has not noticed, and the server is alive.

use rejoin_tests::{Client, Server, dial, dial_with};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};

on_shards!(
    frames_that_are_wrong_close_the_connection,
    commands_that_are_wrong_do_not
);

/// The client that must not notice anything.
struct Bystander {
    client: Client,
    told: u64,
}

impl Bystander {
    async fn new(server: &Server) -> Self {
        let client = Client::connect(server, "bystander", &["quiet"]).await;
        Self { client, told: 0 }
    }

    /// Publishes and receives on a channel of its own, and has heard nothing else.
    async fn is_unaware(&mut self) {
        self.told += 1;
        self.client.publish("quiet", json!(self.told)).await;
        let heard = self.client.messages("quiet", 1).await;
        assert_eq!(heard, [(self.told, json!(self.told))]);
        self.client.nothing_more().await;
    }
}

async fn frames_that_are_wrong_close_the_connection(shards: usize) {
    let server = Server::test(shards).await;
    let mut bystander = Bystander::new(&server).await;
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let long = format!(r#"{{"type":"pong","x":"{}"}}"#, "x".repeat(1_048_576));
    let not_text = Frame::message(&b"{\"type\":\"\xff\"}"[..], OpCode::Data(Data::Text), true);
    let half = "x".repeat(600_000);
    let first = Frame::message(half.clone().into_bytes(), OpCode::Data(Data::Text), false);
    let second = Frame::message(half.into_bytes(), OpCode::Data(Data::Continue), true);
    let cases: Vec<(&str, Vec<Message>, u16)> = vec![
        ("no JSON", vec![Message::text("FORCE-RECONNECT")], 4500),
        ("empty text", vec![Message::text("")], 4500),
        ("a number", vec![Message::text("7")], 4500),
        ("an array of numbers", vec![Message::text("[1]")], 4500),
        ("no type", vec![Message::text(r#"{"id":1}"#)], 4500),
        ("deep nesting", vec![Message::text(deep)], 4500),
        ("binary", vec![Message::binary(vec![0, 1, 2])], 1003),
        ("no UTF-8", vec![Message::Frame(not_text)], 1007),
        ("too long", vec![Message::text(long)], 4502),
        (
            "too long in fragments",
            vec![Message::Frame(first), Message::Frame(second)],
            4502,
        ),
        (
            "a second hello",
            vec![Message::text(r#"{"type":"hello","client":"c"}"#)],
            4500,
        ),
    ];
    for (name, messages, code) in cases {
        let mut client = Client::connect(&server, "c", &["a"]).await;
        for message in messages {
            client.send_message(message);
        }
        let closed = client.closed().await;
        assert_eq!(closed.code, code, "{name}: {closed:?}");
        assert!(
            !closed.reason.is_empty() || code == 1007,
            "{name} has a reason"
        );
        bystander.is_unaware().await;
    }
}

async fn commands_that_are_wrong_do_not(shards: usize) {
    let server = Server::test(shards).await;
    let mut bystander = Bystander::new(&server).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    client.send_message(Message::text(format!(
        r#"{{"type":"publish","id":900,"channel":"a","data":{deep}}}"#
    )));
    assert_eq!(client.answer(900).await["code"], "too_large");
    for name in ["", "a b", "a.*", "*", "é", "a\n", &"x".repeat(256)] {
        for kind in ["subscribe", "unsubscribe", "publish", "history", "presence"] {
            let command = json!({"type": kind, "channel": name, "data": 1});
            assert_eq!(
                client.error(command).await,
                "bad_channel",
                "{kind} {name:?}"
            );
        }
    }
    for command in [
        json!({"type": "subscribe"}),
        json!({"type": "subscribe", "channel": 7}),
        json!({"type": "publish", "channel": "a"}),
        json!({"type": "history", "channel": "a", "limit": 0}),
        json!({"type": "token"}),
        json!({"type": "call"}),
    ] {
        let answer = client.ask(command.clone()).await;
        assert_eq!(answer["code"], "bad_request", "{command}");
        assert_eq!(answer["retry"], false, "{command}");
        assert!(answer["message"].is_string(), "{command}");
    }
    assert_eq!(
        client.error(json!({"type": "teleport"})).await,
        "unknown_type"
    );
    assert_eq!(
        client.error(json!({"type": "call", "method": "m"})).await,
        "no_method"
    );
    client.send(json!({"type": "teleport"}));
    client.send(json!([]));
    client.send(json!({"type": "subscribe", "channel": "a"}));
    let error = client.expect("error").await;
    assert_eq!(
        (error.get("id"), &error["code"]),
        (None, &json!("bad_request"))
    );
    client.nothing_more().await;
    bystander.is_unaware().await;
}

#[tokio::test]
async fn golden_commands_mean_what_the_vectors_say() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../protocol/vectors/commands.json"))
            .expect("vectors are JSON");
    let server = Server::test(1).await;
    let mut bystander = Bystander::new(&server).await;
    for (n, vector) in vectors.iter().enumerate() {
        let name = vector["name"].as_str().expect("a name");
        let frame = vector["frame"].as_str().expect("a frame");
        let is_hello = name.contains("hello") || frame.contains(r#""hello""#);
        let mut client = if is_hello {
            Client::dial(&server).await
        } else {
            Client::connect(&server, &format!("c{n}"), &["orders", "lobby", "a"]).await
        };
        client.send_message(Message::text(frame));
        if let Some(code) = vector["close"].as_u64() {
            assert_eq!(u64::from(client.closed().await.code), code, "{name}");
        } else if let Some(code) = vector.get("error") {
            let error = client.expect("error").await;
            assert_eq!(&error["code"], code, "{name}: {error}");
            assert_eq!(
                error.get("id").unwrap_or(&Value::Null),
                &vector["id"],
                "{name}"
            );
            client.nothing_more().await;
        } else {
            let meaning = vector["meaning"].as_array().expect("a meaning");
            for object in meaning {
                check_answer(&mut client, object, name).await;
            }
        }
        bystander.is_unaware().await;
    }
}

/// The answer that `meaning`, one object of a golden command, must have. Whether a position is still good is no business
/// of the vectors.
async fn check_answer(client: &mut Client, meaning: &Value, name: &str) {
    match meaning["type"].as_str().expect("a type") {
        "hello" => {
            let welcome = client.expect("welcome").await;
            let channels = meaning["channels"].as_array().expect("channels");
            assert_eq!(
                welcome["channels"].as_object().map(|c| c.len()),
                Some(channels.len()),
                "{name}"
            );
            for entry in channels {
                let result = &welcome["channels"][entry["channel"].as_str().expect("a name")];
                assert_eq!(result["error"]["code"], entry["error"], "{name}");
                assert_eq!(
                    result.get("members").is_some(),
                    entry["presence"] == true,
                    "{name}"
                );
            }
        }
        "pong" => {}
        "bye" => assert_eq!(client.closed().await.code, 1000, "{name}"),
        kind => {
            let Some(id) = meaning["id"].as_u64() else {
                return;
            };
            let answer = client.answer(id).await;
            let refused = match kind {
                "call" => Some("no_method"),
                "history" if meaning["epoch"] == "e5" => Some("epoch"),
                // First sent 0 ms ago, and certainly not forgotten.
                _ => None,
            };
            match refused {
                Some(code) => assert_eq!(answer["code"], code, "{name}: {answer}"),
                None => assert_eq!(answer["type"], "ok", "{name}: {answer}"),
            }
        }
    }
}

#[tokio::test]
async fn the_first_frame_must_be_hello() {
    let server = Server::test(1).await;
    let mut bystander = Bystander::new(&server).await;
    for frame in [
        json!({"type": "subscribe", "id": 1, "channel": "a"}),
        json!({"type": "pong"}),
        json!({"type": "teleport"}),
        json!([{"type": "ping", "id": 1}, {"type": "hello", "client": "c"}]),
    ] {
        let mut client = Client::dial(&server).await;
        client.send(frame.clone());
        let closed = client.closed().await;
        assert_eq!(closed.code, 4500, "{frame}: {closed:?}");
        bystander.is_unaware().await;
    }
    // In one batch with what follows it is first, too.
    let mut client = Client::dial(&server).await;
    client.send(json!([{"type": "hello", "client": "c"}, {"type": "ping", "id": 1}]));
    client.expect("welcome").await;
    client.expect("ok").await;
}

#[tokio::test]
async fn a_bad_hello_says_what_is_wrong() {
    let server = Server::test(1).await;
    let mut bystander = Bystander::new(&server).await;
    let large = json!({"name": "x".repeat(1100)});
    let mut deep = json!({});
    for _ in 0..70 {
        deep = json!({"a": deep});
    }
    for (hello, code) in [
        (json!({"type": "hello"}), 4500),
        (json!({"type": "hello", "client": 7}), 4500),
        (json!({"type": "hello", "client": "x".repeat(129)}), 4500),
        (json!({"type": "hello", "client": "c", "info": "Ana"}), 4500),
        (
            json!({"type": "hello", "client": "c", "channels": [{}]}),
            4500,
        ),
        (json!({"type": "hello", "client": "c", "info": large}), 4502),
        (json!({"type": "hello", "client": "c", "info": deep}), 4502),
    ] {
        let mut client = Client::dial(&server).await;
        client.send(hello.clone());
        let closed = client.closed().await;
        assert_eq!(closed.code, code, "{hello}: {closed:?}");
        assert!(!closed.reason.is_empty(), "{hello}");
        bystander.is_unaware().await;
    }
}

#[tokio::test]
async fn the_largest_frame_allowed_is_taken() {
    const FRAME: usize = 1_048_576;
    let server = Server::test(1).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    let frame = |fill| format!(r#"{{"type":"publish","id":7,"channel":"a","data":"{fill}"}}"#);
    let fill = "x".repeat(FRAME - frame(String::new()).len());
    let frame = frame(fill.clone());
    assert_eq!(frame.len(), FRAME);
    client.send_message(Message::text(frame));
    assert_eq!(client.answer(7).await["offset"], 1);
    assert_eq!(client.messages("a", 1).await, [(1, json!(fill))]);
}

#[tokio::test]
async fn a_name_listed_twice_counts_once() {
    let server = Server::test(1).await;
    let channels = json!([{"channel": "a", "presence": true}, {"channel": "a"}]);
    let (mut client, welcome) =
        Client::hello(&server, json!({"client": "c", "channels": channels})).await;
    assert!(
        welcome["channels"]["a"].get("members").is_some(),
        "the first one counts"
    );
    client.publish("a", json!(1)).await;
    client.messages("a", 1).await;
    client.nothing_more().await;
    client
        .ping_with(|ping| ping["sum"] == 3_826_002_220_u32)
        .await;
}

#[tokio::test]
async fn a_wrong_subprotocol_is_accepted_and_closed() {
    let server = Server::test(1).await;
    let mut bystander = Bystander::new(&server).await;
    for headers in [
        &[("Sec-WebSocket-Protocol", "other.v1, third")][..],
        &[("Sec-WebSocket-Protocol", "rejoin.v2.json")],
        &[],
    ] {
        let socket = dial_with(server.address(), headers)
            .await
            .expect("accepted");
        let mut client = Client::on(socket, true);
        let closed = client.closed().await;
        assert_eq!(closed.code, 4500, "{headers:?}: {closed:?}");
        bystander.is_unaware().await;
    }
}

#[tokio::test]
async fn a_client_may_close_as_it_likes() {
    let server = Server::test(1).await;
    let mut bystander = Bystander::new(&server).await;
    for code in [1000, 1001, 3000, 4999] {
        let mut client = Client::connect(&server, "c", &["a"]).await;
        client.send_message(Message::Close(Some(CloseFrame {
            code: code.into(),
            reason: "".into(),
        })));
        client.closed().await;
        bystander.is_unaware().await;
    }
    drop(dial(server.address()).await);
    bystander.is_unaware().await;
}
