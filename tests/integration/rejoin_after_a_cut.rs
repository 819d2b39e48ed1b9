use futures_util::{SinkExt, StreamExt};
use rejoin_tests::{Client, Server, dial, within};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

on_shards!(
    what_was_missed_is_replayed_once_in_order_before_anything_live,
    a_client_that_missed_nothing_gets_no_replay,
    a_cut_in_the_middle_of_a_replay_loses_nothing,
    rejoining_while_others_publish_leaves_no_hole,
    subscribing_again_changes_nothing,
    a_subscription_begins_where_it_is_told_to,
    a_position_beyond_the_end_is_not_believed,
    a_long_replay_comes_in_batches_of_bounded_size,
);

/// What a client knows of a channel: its epoch, and every message taken.
struct Reader {
    name: &'static str,
    channel: &'static str,
    position: Value,
    offset: u64,
    taken: Vec<Value>,
}

impl Reader {
    async fn join(name: &'static str, channel: &'static str, server: &Server) -> (Self, Client) {
        let mut reader = Self {
            name,
            channel,
            position: json!({"channel": channel}),
            offset: 0,
            taken: Vec::new(),
        };
        let (client, welcome) = reader.rejoin(server).await;
        reader.offset = welcome["since"].as_u64().expect("an offset");
        reader.position["epoch"] = welcome["epoch"].clone();
        (reader, client)
    }

    /// Connects with the position reached and returns the channel's part of the welcome.
    async fn rejoin(&self, server: &Server) -> (Client, Value) {
        let mut entry = self.position.clone();
        if entry.get("epoch").is_some() {
            entry["offset"] = json!(self.offset);
        }
        let hello = json!({"client": self.name, "channels": [entry]});
        let (client, welcome) = Client::hello(server, hello).await;
        (client, welcome["channels"][self.channel].clone())
    }

    /// Takes the next message, which must be the next one.
    async fn take(&mut self, client: &mut Client) {
        let (offset, data) = client.messages(self.channel, 1).await.remove(0);
        assert_eq!(offset, self.offset + 1, "a hole or a repeat");
        self.offset = offset;
        self.taken.push(data);
    }
}

async fn what_was_missed_is_replayed_once_in_order_before_anything_live(shards: usize) {
    let server = Server::test(shards).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    let (mut reader, mut client) = Reader::join("reader", "a", &server).await;
    for n in 1..=10 {
        publisher.publish("a", json!(n)).await;
        reader.take(&mut client).await;
    }
    client.cut();
    for n in 11..=40 {
        publisher.publish("a", json!(n)).await;
    }
    let (mut client, joined) = reader.rejoin(&server).await;
    assert_eq!(joined["since"], 10);
    assert_eq!(joined["offset"], 40);
    assert_eq!(joined["recovered"], true);
    publisher.publish("a", json!("live")).await;
    for _ in 11..=40 {
        reader.take(&mut client).await;
    }
    // The live one may be there before or behind `live`, and is the next one in either case.
    let frames = [client.next().await, client.next().await];
    let live = frames.iter().find(|f| f["type"] == "live").expect("`live`");
    let message = frames.iter().find(|f| f["type"] == "message").expect("it");
    assert!(live["offset"].as_u64() >= Some(40), "{live}");
    assert_eq!(live["channel"], "a");
    assert_eq!(message["offset"], 41);
    assert_eq!(reader.taken, (1..=40).map(|n| json!(n)).collect::<Vec<_>>());
    client.nothing_more().await;
}

async fn a_client_that_missed_nothing_gets_no_replay(shards: usize) {
    let server = Server::test(shards).await;
    let (mut reader, mut client) = Reader::join("reader", "a", &server).await;
    client.publish("a", json!(1)).await;
    reader.take(&mut client).await;
    client.cut();
    let (mut client, joined) = reader.rejoin(&server).await;
    assert_eq!(joined["since"], 1);
    assert_eq!(joined["offset"], 1);
    assert_eq!(joined["recovered"], true);
    client.nothing_more().await;
}

async fn a_cut_in_the_middle_of_a_replay_loses_nothing(shards: usize) {
    let server = Server::test(shards).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    let (mut reader, client) = Reader::join("reader", "a", &server).await;
    client.cut();
    for n in 1..=60 {
        publisher.publish("a", json!(n)).await;
    }
    // A position that was told and never moved still recovers everything.
    for part in [7, 13, 40] {
        let (mut client, joined) = reader.rejoin(&server).await;
        assert_eq!(joined["recovered"], true);
        assert_eq!(joined["since"], reader.offset);
        for _ in 0..part {
            reader.take(&mut client).await;
        }
        client.cut();
    }
    assert_eq!(reader.taken, (1..=60).map(|n| json!(n)).collect::<Vec<_>>());
}

/// Three publishers at full speed; a reader that is cut again and again, after every few messages.
async fn rejoining_while_others_publish_leaves_no_hole(shards: usize) {
    const EACH: u64 = 250;
    let server = Server::test(shards).await;
    let (mut reader, first) = Reader::join("reader", "a", &server).await;
    first.cut();
    let mut publishers = Vec::new();
    for name in ["p1", "p2", "p3"] {
        let mut publisher = Client::connect(&server, name, &[]).await;
        publishers.push(tokio::spawn(async move {
            for n in 0..EACH {
                publisher.publish("a", json!({"by": name, "n": n})).await;
            }
        }));
    }
    let total = 3 * EACH as usize;
    while reader.taken.len() < total {
        let (mut client, joined) = reader.rejoin(&server).await;
        assert_eq!(joined["recovered"], true);
        let (since, top) = (&joined["since"], &joined["offset"]);
        assert_eq!(since, reader.offset);
        let mut replaying = since != top;
        let wanted = (reader.taken.len() + 40).min(total);
        while reader.taken.len() < wanted {
            let next = client.next().await;
            match next["type"].as_str() {
                Some("message") => {
                    assert_eq!(next["offset"], reader.offset + 1, "a hole or a repeat");
                    reader.offset += 1;
                    reader.taken.push(next["data"].clone());
                }
                Some("live") => {
                    assert!(replaying, "`live` once, and only after a replay: {next}");
                    assert!(reader.offset >= top.as_u64().expect("an offset"));
                    replaying = false;
                }
                _ => panic!("unexpected {next}"),
            }
        }
        client.cut();
    }
    for publisher in publishers {
        publisher.await.expect("a publisher");
    }
    for name in ["p1", "p2", "p3"] {
        let by = |m: &&Value| m["by"] == name;
        let order: Vec<_> = reader.taken.iter().filter(by).map(|m| &m["n"]).collect();
        assert_eq!(
            order,
            (0..EACH).collect::<Vec<_>>(),
            "{name} in its own order"
        );
    }
}

async fn subscribing_again_changes_nothing(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    for n in 1..=3 {
        client.publish("a", json!(n)).await;
    }
    client.messages("a", 3).await;
    let ok = client
        .ok(json!({"type": "subscribe", "channel": "a", "from": {"rewind": 3}}))
        .await;
    assert_eq!(ok["since"], 3);
    assert_eq!(ok["offset"], 3);
    client.nothing_more().await;
    client.publish("a", json!(4)).await;
    assert_eq!(client.messages("a", 1).await, [(4, json!(4))]);
    client.nothing_more().await;
}

async fn a_subscription_begins_where_it_is_told_to(shards: usize) {
    let server = Server::test(shards).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    for n in 1..=5 {
        publisher.publish("a", json!(n)).await;
    }
    for (name, from, since) in [
        ("nothing", Value::Null, 5),
        ("now", json!("now"), 5),
        ("last", json!("last"), 4),
        ("three", json!({"rewind": 3}), 2),
        ("all", json!({"rewind": 500}), 0),
    ] {
        let mut client = Client::connect(&server, name, &[]).await;
        let mut subscribe = json!({"type": "subscribe", "channel": "a"});
        if !from.is_null() {
            subscribe["from"] = from;
        }
        let ok = client.ok(subscribe).await;
        assert_eq!(ok["since"], since, "{name}");
        assert_eq!(ok["offset"], 5, "{name}");
        let expected: Vec<_> = (since + 1..=5).map(|n| (n, json!(n))).collect();
        assert_eq!(
            client.messages("a", expected.len()).await,
            expected,
            "{name}"
        );
        if since < 5 {
            assert_eq!(client.expect("live").await["offset"], 5);
        }
        client.nothing_more().await;
    }
}

async fn a_position_beyond_the_end_is_not_believed(shards: usize) {
    let server = Server::test(shards).await;
    let (reader, mut client) = Reader::join("reader", "a", &server).await;
    client.publish("a", json!(1)).await;
    let epoch = &reader.position["epoch"];
    let mut other = Client::connect(&server, "other", &[]).await;
    let ok = other
        .ok(json!({"type": "subscribe", "channel": "a", "epoch": epoch, "offset": 99}))
        .await;
    assert_eq!(ok["since"], 1);
    assert_eq!(ok["offset"], 1);
    assert_eq!(ok["recovered"], false);
    other.nothing_more().await;
}

async fn a_long_replay_comes_in_batches_of_bounded_size(shards: usize) {
    const COUNT: u64 = 300;
    let server = Server::test(shards).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    let large = "x".repeat(100_000);
    publisher.publish("a", json!(large)).await;
    let text = "x".repeat(1_000);
    for _ in 1..COUNT {
        publisher.publish("a", json!(text)).await;
    }
    let mut socket = dial(server.address()).await;
    let channels = json!([{"channel": "a", "from": {"rewind": COUNT}}]);
    let hello = json!({"type": "hello", "client": "c", "channels": channels});
    socket
        .send(Message::text(hello.to_string()))
        .await
        .expect("sent");
    let mut offset = 0;
    let mut frames = 0;
    while offset < COUNT {
        let frame = within("a frame", socket.next()).await.expect("open");
        let Message::Text(text) = frame.expect("open") else {
            continue;
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        let batch = frame.as_array().cloned().unwrap_or_else(|| vec![frame]);
        let messages = batch.iter().filter(|object| object["type"] == "message");
        for message in messages {
            offset += 1;
            assert_eq!(message["offset"], offset);
            frames += u64::from(text.len() > 64 * 1024);
        }
        assert!(
            text.len() <= 64 * 1024 || batch.len() == 1,
            "{} bytes",
            text.len()
        );
    }
    assert_eq!(frames, 1, "the large one went alone");
}
