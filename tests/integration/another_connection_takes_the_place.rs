use rejoin_tests::{Client, Server};
use serde_json::json;

on_shards!(
    the_old_connection_is_closed_and_nobody_sees_a_change,
    the_new_connection_has_what_the_old_one_missed,
    it_happens_again_and_again,
);

async fn the_old_connection_is_closed_and_nobody_sees_a_change(shards: usize) {
    let server = Server::test(shards).await;
    let lobby = json!([{"channel": "lobby", "presence": true}]);
    let watch = json!({"client": "watcher", "channels": lobby.clone()});
    let (mut watcher, _) = Client::hello(&server, watch).await;
    let hello = json!({"client": "c", "channels": lobby});
    let (mut old, first) = Client::hello(&server, hello.clone()).await;
    watcher.expect("join").await;
    let (mut new, second) = Client::hello(&server, hello).await;
    assert_eq!(old.closed().await.code, 4504);
    assert_eq!(first["member"], second["member"]);
    assert_ne!(first["session"], second["session"]);
    let there = &second["channels"]["lobby"]["members"];
    assert_eq!(
        there.as_array().map(Vec::len),
        Some(2),
        "one entry each: {there}"
    );
    watcher.nothing_more().await;
    new.publish("lobby", json!(1)).await;
    assert_eq!(watcher.messages("lobby", 1).await, [(1, json!(1))]);
    assert_eq!(new.messages("lobby", 1).await, [(1, json!(1))]);
}

async fn the_new_connection_has_what_the_old_one_missed(shards: usize) {
    let server = Server::test(shards).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (mut old, first) = Client::hello(&server, hello).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    publisher.publish("a", json!(1)).await;
    old.messages("a", 1).await;
    // The old connection is half dead: it stays, and its client has given it up.
    publisher.publish("a", json!(2)).await;
    let epoch = &first["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": epoch, "offset": 1}]});
    let (mut new, second) = Client::hello(&server, hello).await;
    assert_eq!(second["channels"]["a"]["since"], 1);
    assert_eq!(second["channels"]["a"]["recovered"], true);
    assert_eq!(new.messages("a", 1).await, [(2, json!(2))]);
    new.expect("live").await;
    assert_eq!(old.closed().await.code, 4504);
    // What the old one still had in its socket's buffers is no business of the new one.
    publisher.publish("a", json!(3)).await;
    assert_eq!(new.messages("a", 1).await, [(3, json!(3))]);
}

async fn it_happens_again_and_again(shards: usize) {
    let server = Server::test(shards).await;
    let mut current = Client::connect(&server, "c", &["a"]).await;
    for n in 1..=20 {
        let next = Client::connect(&server, "c", &["a"]).await;
        assert_eq!(
            current.closed().await.code,
            4504,
            "the one before takeover {n}"
        );
        current = next;
    }
    let count = json!({"type": "presence", "channel": "a", "count": true});
    let ok = current.ok(count).await;
    assert_eq!(ok["count"], 1);
    assert_eq!(ok.get("members"), None);
}
