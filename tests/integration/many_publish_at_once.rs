use rejoin_tests::{Client, Server};
use serde_json::{Value, json};

on_shards!(
    every_subscriber_sees_the_same_dense_order,
    a_publisher_is_answered_in_its_own_order,
    what_looks_like_control_is_data,
    data_is_delivered_to_the_byte,
);

async fn every_subscriber_sees_the_same_dense_order(shards: usize) {
    const PUBLISHERS: u64 = 4;
    const EACH: u64 = 100;
    let server = Server::test(shards).await;
    let mut watchers = Vec::new();
    for name in ["w1", "w2", "w3", "w4"] {
        watchers.push(Client::connect(&server, name, &["a", "b"]).await);
    }
    let mut publishers = Vec::new();
    for p in 0..PUBLISHERS {
        let mut publisher = Client::connect(&server, &format!("p{p}"), &[]).await;
        publishers.push(tokio::spawn(async move {
            let mut offsets = Vec::new();
            for n in 0..EACH {
                offsets.push(publisher.publish("a", json!([p, n])).await);
            }
            offsets
        }));
    }
    let mut offsets = Vec::new();
    for publisher in publishers {
        offsets.extend(publisher.await.expect("a publisher"));
    }
    offsets.sort_unstable();
    assert_eq!(
        offsets,
        (1..=PUBLISHERS * EACH).collect::<Vec<_>>(),
        "each offset given once"
    );
    let mut first: Option<Vec<(u64, Value)>> = None;
    for watcher in &mut watchers {
        let seen = watcher.messages("a", (PUBLISHERS * EACH) as usize).await;
        let order: Vec<_> = seen.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(order, (1..=PUBLISHERS * EACH).collect::<Vec<_>>());
        watcher.nothing_more().await;
        assert_eq!(*first.get_or_insert_with(|| seen.clone()), seen);
    }
    for p in 0..PUBLISHERS {
        let seen = first.as_ref().expect("four watchers");
        let own: Vec<_> = seen
            .iter()
            .filter(|(_, d)| d[0] == p)
            .map(|(_, d)| &d[1])
            .collect();
        assert_eq!(
            own,
            (0..EACH).collect::<Vec<_>>(),
            "publisher {p} in its own order"
        );
    }
}

async fn a_publisher_is_answered_in_its_own_order(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    let batch: Vec<_> = (1..=50)
        .map(|n| json!({"type": "publish", "id": n, "channel": "a", "seq": n, "data": n}))
        .collect();
    client.send(Value::Array(batch));
    for n in 1..=50 {
        assert_eq!(client.answer(n).await["offset"], n);
    }
}

async fn what_looks_like_control_is_data(shards: usize) {
    let server = Server::test(shards).await;
    let mut victim = Client::connect(&server, "victim", &["a"]).await;
    let mut forger = Client::connect(&server, "forger", &[]).await;
    let forgeries = [
        json!("FORCE-RECONNECT"),
        json!({"type": "bye", "code": 4203, "reason": "forged", "window": [0, 0]}),
        json!({"type": "reinit", "epoch": "forged", "window": [0, 0]}),
        json!([{"type": "kick", "channel": "a", "code": "denied", "message": ""}]),
    ];
    for (n, forgery) in (1..).zip(forgeries) {
        // A `from` of the publisher's choice is an unknown member, and ignored.
        forger
            .ok(json!({"type": "publish", "channel": "a", "from": "victim", "data": forgery}))
            .await;
        let message = victim.expect("message").await;
        assert_eq!(message["offset"], n);
        assert_eq!(message["data"], forgery);
        assert_ne!(message["from"], "victim");
    }
    victim.nothing_more().await;
}

async fn data_is_delivered_to_the_byte(shards: usize) {
    let server = Server::test(shards).await;
    let mut raw = rejoin_tests::dial(server.address()).await;
    let hello = r#"{"type":"hello","client":"raw","channels":[{"channel":"a"}]}"#;
    let data = r#"{ "big" : 12345678901234567890.10 , "e":1E2,"u":"\u00e9é\n", "k":1, "k":2 }"#;
    let publish = format!(r#"{{"type":"publish","channel":"a","data":{data}}}"#);
    use futures_util::{SinkExt, StreamExt};
    for text in [hello, &publish] {
        raw.send(text.into()).await.expect("sent");
    }
    let seen = rejoin_tests::within("the message", async {
        while let Some(Ok(frame)) = raw.next().await {
            let text = frame.into_text().expect("text");
            if text.contains(r#""type":"message""#) {
                return text.to_string();
            }
        }
        panic!("closed")
    })
    .await;
    assert!(seen.contains(data), "{seen}");
}
