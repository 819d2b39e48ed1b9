use rejoin_tests::{Client, Profile, SUBPROTOCOL, Server, dial_with};
use serde_json::{Value, json};

on_shards!(
    hello_is_answered_by_welcome,
    one_refused_channel_does_not_touch_the_others,
    a_member_is_derived_from_its_client,
    welcome_tells_the_highest_sequence_number,
    more_channels_than_the_limit_are_refused,
);

#[tokio::test]
async fn the_server_chooses_the_subprotocol() {
    let server = Server::test(1).await;
    let offered = format!("other.v9, {SUBPROTOCOL}");
    let socket = dial_with(server.address(), &[("Sec-WebSocket-Protocol", &offered)]).await;
    // The library refuses an answer that was not offered; what is left is to see that hello works.
    let mut client = Client::on(socket.expect("accepted"), true);
    client.send(json!({"type": "hello", "client": "c"}));
    client.expect("welcome").await;
}

#[tokio::test]
async fn defaults_are_those_of_the_documentation() {
    let server = Server::start(Profile::bare()).await;
    let (_client, welcome) = Client::hello(&server, json!({"client": "c"})).await;
    assert_eq!(welcome["ping"], 25_000);
    assert_eq!(welcome["grace"], 10_000);
    assert_eq!(welcome["retry"], json!({"window": [0, 200]}));
    assert_eq!(
        welcome["limits"],
        json!({
            "frame": 1_048_576, "channels": 128, "name": 255, "info": 1024, "nesting": 64,
            "queue": 1_048_576, "publish_window": 300_000, "publishes_kept": 1000
        })
    );
}

async fn hello_is_answered_by_welcome(shards: usize) {
    let server = Server::test(shards).await;
    let (_client, welcome) = Client::hello(
        &server,
        json!({
            "client": "k3f9", "producer": "p81c", "token": "any", "info": {"name": "Ana"},
            "channels": [{"channel": "orders"}, {"channel": "rooms/1:lobby", "from": "last", "presence": true}],
            "why": {"cause": "silent", "code": 1006, "ms": 8120, "attempts": 2},
            "something": "unknown"
        }),
    )
    .await;
    for name in ["session", "member", "epoch", "node"] {
        assert_token_like(&welcome[name]);
    }
    assert_eq!(welcome["user"], Value::Null);
    assert_eq!(welcome["ping"], 500);
    assert_eq!(welcome["grace"], 750);
    assert_eq!(welcome["retry"], json!({"window": [0, 500]}));
    assert_eq!(welcome["seq"], 0);
    let orders = &welcome["channels"]["orders"];
    assert_token_like(&orders["epoch"]);
    assert_eq!(orders["since"], 0);
    assert_eq!(orders["offset"], 0);
    assert_eq!(orders["recovered"], false);
    assert_eq!(orders.get("members"), None);
    let lobby = &welcome["channels"]["rooms/1:lobby"];
    assert_eq!(lobby["members"][0]["info"], json!({"name": "Ana"}));

    let (_other, other) = Client::hello(&server, json!({"client": "other"})).await;
    assert_ne!(other["session"], welcome["session"]);
    assert_ne!(other["member"], welcome["member"]);
    assert_eq!(other["epoch"], welcome["epoch"]);
    assert_eq!(other["node"], welcome["node"]);
}

async fn one_refused_channel_does_not_touch_the_others(shards: usize) {
    let server = Server::test(shards).await;
    let (mut client, welcome) = Client::hello(
        &server,
        json!({"client": "c", "channels": [
            {"channel": "no spaces"}, {"channel": "a.*"}, {"channel": "half", "offset": 3}, {"channel": "good"}
        ]}),
    )
    .await;
    let channels = &welcome["channels"];
    assert_eq!(channels["no spaces"]["error"]["code"], "bad_channel");
    assert!(channels["no spaces"]["error"]["message"].is_string());
    assert_eq!(channels["a.*"]["error"]["code"], "bad_channel");
    assert_eq!(channels["half"]["error"]["code"], "bad_request");
    assert_eq!(channels["good"]["offset"], 0);
    client.publish("good", json!(1)).await;
    assert_eq!(client.messages("good", 1).await, [(1, json!(1))]);
}

async fn a_member_is_derived_from_its_client(shards: usize) {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../protocol/vectors/members.json"))
            .expect("vectors are JSON");
    let server = Server::test(shards).await;
    for vector in vectors {
        let (_client, welcome) = Client::hello(&server, json!({"client": vector["client"]})).await;
        assert_eq!(welcome["member"], vector["member"], "{vector}");
    }
}

async fn welcome_tells_the_highest_sequence_number(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    for seq in [3, 17, 5] {
        client
            .ok(json!({"type": "publish", "channel": "a", "seq": seq, "data": seq}))
            .await;
    }
    client.cut();
    let (_client, welcome) = Client::hello(&server, json!({"client": "c", "producer": "c"})).await;
    assert_eq!(welcome["seq"], 17);
}

async fn more_channels_than_the_limit_are_refused(shards: usize) {
    let server = Server::test(shards).await;
    let channels: Vec<_> = (0..129)
        .map(|n| json!({"channel": format!("c{n}")}))
        .collect();
    let (mut client, welcome) =
        Client::hello(&server, json!({"client": "c", "channels": channels})).await;
    assert_eq!(welcome["channels"]["c127"]["offset"], 0);
    assert_eq!(welcome["channels"]["c128"]["error"]["code"], "limit");
    let subscribe = json!({"type": "subscribe", "channel": "one-more"});
    assert_eq!(client.error(subscribe.clone()).await, "limit");
    client
        .ok(json!({"type": "unsubscribe", "channel": "c0"}))
        .await;
    client.ok(subscribe).await;
}

fn assert_token_like(value: &Value) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"));
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    assert!(
        (1..=64).contains(&text.len()) && text.bytes().all(allowed),
        "{text}"
    );
}
