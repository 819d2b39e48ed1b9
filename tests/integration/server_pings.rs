use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rejoin_tests::{Client, Server, dial, within};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

on_shards!(
    pings_carry_the_epoch_and_the_digest,
    who_never_answers_is_closed,
    any_frame_is_a_sign_of_life,
);

#[tokio::test]
async fn digests_are_those_of_the_vectors() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../protocol/vectors/digests.json"))
            .expect("vectors are JSON");
    let server = Server::test(1).await;
    let mut clients = Vec::new();
    for (n, vector) in vectors.into_iter().enumerate() {
        let channels = vector["channels"].as_array().expect("channels").clone();
        let channels: Vec<_> = channels
            .into_iter()
            .map(|c| json!({"channel": c}))
            .collect();
        let hello = json!({"client": format!("c{n}"), "channels": channels});
        clients.push((Client::hello(&server, hello).await.0, vector));
    }
    for (mut client, vector) in clients {
        assert_eq!(client.ping().await["sum"], vector["sum"], "{vector}");
    }
}

async fn pings_carry_the_epoch_and_the_digest(shards: usize) {
    let server = Server::test(shards).await;
    let (mut client, welcome) = Client::hello(&server, json!({"client": "c"})).await;
    let begun = Instant::now();
    for _ in 0..4 {
        let ping = client.ping().await;
        assert_eq!(ping["epoch"], welcome["epoch"]);
        assert_eq!(ping["sum"], 0);
        assert_eq!(ping.get("id"), None);
    }
    // Four intervals of 500 ms - 10 %; the machine may add to them, never take from them.
    assert!(
        begun.elapsed() >= Duration::from_millis(1800),
        "{:?}",
        begun.elapsed()
    );
    client
        .ok(json!({"type": "subscribe", "channel": "a"}))
        .await;
    client
        .ping_with(|ping| ping["sum"] == 3_826_002_220_u32)
        .await;
    client
        .ok(json!({"type": "subscribe", "channel": "b"}))
        .await;
    client.ping_with(|ping| ping["sum"] == 50_332_873).await;
    client
        .ok(json!({"type": "unsubscribe", "channel": "a"}))
        .await;
    client
        .ok(json!({"type": "unsubscribe", "channel": "b"}))
        .await;
    client.ping_with(|ping| ping["sum"] == 0).await;
}

async fn who_never_answers_is_closed(shards: usize) {
    let server = Server::test(shards).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    let mut client = Client::on(dial(server.address()).await, false);
    client.send(json!({"type": "hello", "client": "c"}));
    client.expect("welcome").await;
    let begun = Instant::now();
    assert_eq!(client.closed().await.code, 4101);
    assert!(
        begun.elapsed() >= Duration::from_millis(1200),
        "{:?}",
        begun.elapsed()
    );
    bystander.nothing_more().await;
}

async fn any_frame_is_a_sign_of_life(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::on(dial(server.address()).await, false);
    client.send(json!({"type": "hello", "client": "c"}));
    client.expect("welcome").await;
    // Never a pong; but each ping is the cue for some other frame. Six pings are twice the deadline.
    for _ in 0..6 {
        client.ping().await;
        client.ok(json!({"type": "ping"})).await;
    }
}

#[tokio::test]
async fn the_websockets_own_ping_is_answered() {
    let server = Server::test(1).await;
    let mut socket = dial(server.address()).await;
    for message in [
        Message::text(r#"{"type":"hello","client":"c"}"#),
        Message::Ping("any".into()),
    ] {
        socket.send(message).await.expect("sent");
    }
    within("the pong", async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Pong(data) = message {
                assert_eq!(&data[..], b"any");
                return;
            }
        }
        panic!("closed");
    })
    .await;
}
