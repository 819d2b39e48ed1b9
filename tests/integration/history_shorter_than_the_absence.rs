use rejoin_tests::{Client, Profile, Server, within};
use serde_json::{Value, json};

on_shards!(
    what_history_no_longer_has_is_told_by_since,
    what_is_too_old_is_forgotten,
    history_is_read_in_both_directions,
    a_long_history_comes_in_parts,
    a_channel_nobody_uses_is_never_numbered_twice,
);

const TEN: &str = "[[channel]]\npattern = \"none/*\"\nhistory = 0\n\n[[channel]]\npattern = \"*\"\nhistory = 10\n";

async fn what_history_no_longer_has_is_told_by_since(shards: usize) {
    let server = Server::start(Profile::test(shards).config(TEN)).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (client, before) = Client::hello(&server, hello).await;
    client.cut();
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    for n in 1..=25 {
        publisher.publish("a", json!(n)).await;
    }
    let epoch = &before["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": epoch, "offset": 0}]});
    let (mut client, after) = Client::hello(&server, hello).await;
    let a = &after["channels"]["a"];
    assert_eq!(&a["epoch"], epoch);
    assert_eq!(a["recovered"], false);
    assert_eq!(a["since"], 15);
    assert_eq!(a["offset"], 25);
    let held: Vec<_> = (16..=25).map(|n| (n, json!(n))).collect();
    assert_eq!(client.messages("a", 10).await, held);
    client.expect("live").await;
    client.nothing_more().await;
}

async fn what_is_too_old_is_forgotten(shards: usize) {
    let config = "[[channel]]\npattern = \"*\"\nhistory_ttl = \"300ms\"\n";
    let server = Server::start(Profile::test(shards).config(config)).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (mut client, welcome) = Client::hello(&server, hello).await;
    for n in 1..=3 {
        client.publish("a", json!(n)).await;
    }
    client.messages("a", 3).await;
    let history = json!({"type": "history", "channel": "a"});
    within("the history to be empty", async {
        loop {
            let ok = client.ok(history.clone()).await;
            if ok["messages"] == json!([]) {
                assert_eq!(ok["offset"], 3, "the numbering stays");
                return;
            }
        }
    })
    .await;
    let mut late = Client::connect(&server, "late", &[]).await;
    let epoch = &welcome["channels"]["a"]["epoch"];
    let ok = late
        .ok(json!({"type": "subscribe", "channel": "a", "epoch": epoch, "offset": 1}))
        .await;
    assert_eq!(ok["recovered"], false);
    assert_eq!((&ok["since"], &ok["offset"]), (&json!(3), &json!(3)));
    late.nothing_more().await;
}

async fn history_is_read_in_both_directions(shards: usize) {
    let server = Server::start(Profile::test(shards).config(TEN)).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    for n in 1..=25 {
        client.publish("a", json!(n)).await;
    }
    client.messages("a", 25).await;
    for (query, expected) in [
        (json!({}), (16..=25).collect::<Vec<u64>>()),
        (json!({"after": 20}), (21..=25).collect()),
        (json!({"after": 20, "before": 23}), vec![21, 22]),
        (json!({"after": 3, "limit": 2}), vec![16, 17]),
        (json!({"reverse": true, "limit": 3}), vec![25, 24, 23]),
        (json!({"reverse": true, "before": 18}), vec![17, 16]),
        (json!({"after": 25}), vec![]),
        (json!({"before": 5}), vec![]),
    ] {
        let mut command = query.clone();
        command["type"] = json!("history");
        command["channel"] = json!("a");
        let ok = client.ok(command).await;
        assert_eq!(ok["offset"], 25, "{query}");
        let messages = ok["messages"].as_array().expect("messages");
        let offsets: Vec<_> = messages.iter().map(|m| m["offset"].as_u64()).collect();
        assert_eq!(
            offsets,
            expected.into_iter().map(Some).collect::<Vec<_>>(),
            "{query}"
        );
        for message in messages {
            assert_eq!(message["type"], "message");
            assert_eq!(message["channel"], "a");
            assert_eq!(message["data"], message["offset"]);
        }
    }
    let wrong = json!({"type": "history", "channel": "a", "epoch": "another"});
    assert_eq!(client.error(wrong).await, "epoch");
    let elsewhere = json!({"type": "history", "channel": "b"});
    assert_eq!(client.error(elsewhere).await, "not_subscribed");
}

async fn a_long_history_comes_in_parts(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    let text = "x".repeat(10_000);
    for _ in 0..20 {
        client.publish("a", json!(text)).await;
    }
    client.messages("a", 20).await;
    let mut after = 0;
    let mut parts = 0;
    while after < 20 {
        let command = json!({"type": "history", "channel": "a", "after": after});
        let ok = client.ok(command).await;
        let messages = ok["messages"].as_array().expect("messages");
        assert!(ok.to_string().len() <= 64 * 1024, "kept below 64 KiB");
        assert_eq!(
            messages[0]["offset"],
            after + 1,
            "at least one, and the next"
        );
        after += messages.len() as u64;
        parts += 1;
    }
    assert!(parts > 1, "200 KB do not come in one part");
}

async fn a_channel_nobody_uses_is_never_numbered_twice(shards: usize) {
    let server = Server::start(Profile::test(shards).config(TEN)).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    let mut reader = Client::connect(&server, "reader", &[]).await;
    let subscribe = json!({"type": "subscribe", "channel": "none/1"});
    let first = reader.ok(subscribe.clone()).await;
    assert_eq!(publisher.publish("none/1", json!(1)).await, 1);
    assert_eq!(publisher.publish("none/1", json!(2)).await, 2);
    reader.messages("none/1", 2).await;
    // Nobody is subscribed and there is no history: the server may forget the numbering, or not have done it yet. What it
    // may not do is to number anew in the old epoch.
    reader
        .ok(json!({"type": "unsubscribe", "channel": "none/1"}))
        .await;
    let second = reader.ok(subscribe).await;
    let goes_on = first["epoch"] == second["epoch"];
    assert_eq!(second["offset"], Value::from(if goes_on { 2 } else { 0 }));
}
