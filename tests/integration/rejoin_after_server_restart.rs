use rejoin_tests::{Client, Server, Signal};
use serde_json::json;

on_shards!(
    a_killed_server_comes_back_with_other_epochs,
    what_was_published_meanwhile_follows_the_gap,
);

async fn a_killed_server_comes_back_with_other_epochs(shards: usize) {
    let mut server = Server::test(shards).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (mut client, before) = Client::hello(&server, hello).await;
    client.publish("a", json!(1)).await;
    client.messages("a", 1).await;
    server.kill_and_restart().await;
    assert_eq!(client.closed().await.code, 1006);

    let epoch = &before["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": epoch, "offset": 1}]});
    let (mut client, after) = Client::hello(&server, hello).await;
    assert_ne!(after["epoch"], before["epoch"]);
    assert_ne!(after["node"], before["node"]);
    assert_eq!(
        after["member"], before["member"],
        "a member outlives the server"
    );
    let a = &after["channels"]["a"];
    assert_ne!(&a["epoch"], epoch);
    assert_eq!(a["since"], 0);
    assert_eq!(a["offset"], 0);
    assert_eq!(a["recovered"], false);
    client.nothing_more().await;
}

async fn what_was_published_meanwhile_follows_the_gap(shards: usize) {
    let mut server = Server::test(shards).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (_client, before) = Client::hello(&server, hello).await;
    server.signal(Signal::Kill);
    server.exit().await;
    server.start_again().await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    for n in 1..=3 {
        publisher.publish("a", json!(n)).await;
    }
    let epoch = &before["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": epoch, "offset": 2}]});
    let (mut client, after) = Client::hello(&server, hello).await;
    assert_eq!(after["channels"]["a"]["recovered"], false);
    assert_eq!(after["channels"]["a"]["since"], 0);
    let all: Vec<_> = (1..=3).map(|n| (n, json!(n))).collect();
    assert_eq!(client.messages("a", 3).await, all);
    assert_eq!(client.expect("live").await["offset"], 3);
}
