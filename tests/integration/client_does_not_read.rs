//! A client that stops reading while others publish more than fits anywhere on the way.

use futures_util::{SinkExt, StreamExt};
use rejoin_tests::{Client, Profile, Server, Socket, dial, within};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

on_shards!(
    with_history_it_misses_only_what_history_lost,
    with_a_long_history_it_misses_nothing,
    without_history_it_is_closed,
);

/// More than the buffers of two kernels and the server's queue hold.
const FLOOD: u64 = 400;
const PAYLOAD: usize = 64_000;

/// Long pings: this client does not answer them.
fn patient(shards: usize, config: &str) -> Profile {
    Profile::test(shards)
        .config(config)
        .set("--connection-ping", "20s")
        .set("--connection-grace", "20s")
}

async fn subscribe_and_stop_reading(server: &Server, channel: &str) -> Socket {
    let mut socket = dial(server.address()).await;
    let hello = json!({"type": "hello", "client": "slow", "channels": [{"channel": channel}]});
    socket
        .send(Message::text(hello.to_string()))
        .await
        .expect("sent");
    let welcome = within("the welcome", socket.next())
        .await
        .expect("a frame")
        .expect("open");
    assert!(welcome.to_text().expect("text").contains("welcome"));
    socket
}

async fn flood(server: &Server, channel: &str) {
    let mut publisher = Client::connect(server, "publisher", &[]).await;
    let text = "x".repeat(PAYLOAD);
    for _ in 0..FLOOD {
        publisher.publish(channel, json!(text)).await;
    }
}

/// Reads until offset `FLOOD`: every object with its payload's length in the place of the payload.
async fn read_all(socket: &mut Socket) -> Vec<Value> {
    let mut seen = Vec::new();
    within("everything", async {
        loop {
            let frame = socket.next().await.expect("no end").expect("open");
            let Message::Text(text) = frame else { continue };
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let objects = match value {
                Value::Array(batch) => batch,
                object => vec![object],
            };
            for mut object in objects {
                object["data"] = json!(object["data"].as_str().map(str::len));
                let last = object["offset"] == FLOOD && object["type"] == "message";
                seen.push(object);
                if last {
                    return;
                }
            }
        }
    })
    .await;
    seen
}

async fn with_history_it_misses_only_what_history_lost(shards: usize) {
    let config = "[[channel]]\npattern = \"*\"\nhistory = 20\n";
    let server = Server::start(patient(shards, config)).await;
    let mut socket = subscribe_and_stop_reading(&server, "a").await;
    flood(&server, "a").await;
    let mut position = 0;
    let mut gaps = 0;
    for object in read_all(&mut socket).await {
        match object["type"].as_str() {
            Some("message") => {
                assert_eq!(object["offset"], position + 1, "told by a gap, or there");
                assert_eq!(object["data"], PAYLOAD);
                position += 1;
            }
            Some("gap") => {
                assert_eq!(object["channel"], "a");
                assert_eq!(object["from"], position + 1);
                assert_eq!(object["why"], "slow");
                position = object["to"].as_u64().expect("its end is known");
                gaps += 1;
            }
            Some("live" | "ping") => {}
            _ => panic!("unexpected {object}"),
        }
    }
    assert_eq!(position, FLOOD);
    assert!(gaps >= 1, "history held 20 of {FLOOD}");
}

async fn with_a_long_history_it_misses_nothing(shards: usize) {
    let server = Server::start(patient(
        shards,
        "[[channel]]\npattern = \"*\"\nhistory = 1000\n",
    ))
    .await;
    let mut socket = subscribe_and_stop_reading(&server, "a").await;
    flood(&server, "a").await;
    let objects = read_all(&mut socket).await;
    let offsets: Vec<_> = objects
        .iter()
        .filter(|object| object["type"] == "message")
        .map(|object| object["offset"].as_u64())
        .collect();
    assert_eq!(offsets, (1..=FLOOD).map(Some).collect::<Vec<_>>());
    assert!(objects.iter().all(|object| object["type"] != "gap"));
}

async fn without_history_it_is_closed(shards: usize) {
    let config = "[[channel]]\npattern = \"*\"\nhistory = 0\n";
    let server = Server::start(patient(shards, config)).await;
    let mut bystander = Client::connect(&server, "bystander", &["b"]).await;
    let mut socket = subscribe_and_stop_reading(&server, "a").await;
    flood(&server, "a").await;
    let code = within("the close", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                // The server does not wait for ever for somebody who does not read his close.
                Some(Err(_)) | None => return None,
            }
        }
    })
    .await;
    assert!(matches!(code, Some(4102) | None), "{code:?}");
    bystander.nothing_more().await;
}
