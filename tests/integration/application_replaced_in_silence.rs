use rejoin_tests::{Client, Server};
use serde_json::{Value, json};

on_shards!(the_next_ping_carries_another_epoch);

async fn the_next_ping_carries_another_epoch(shards: usize) {
    let server = Server::test(shards).await;
    let hello = json!({"client": "c", "producer": "p", "channels": [{"channel": "a"}]});
    let (mut client, before) = Client::hello(&server, hello).await;
    let publish = json!({"type": "publish", "channel": "a", "seq": 1, "data": 1});
    client.ok(publish.clone()).await;
    client.messages("a", 1).await;

    let answer = server.post("/api/test/replace", Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let replaced = answer.json();
    assert_ne!(replaced["epoch"], before["epoch"]);
    // In silence: no frame but the ping, and the connection stays.
    let ping = client
        .ping_with(|ping| ping["epoch"] != before["epoch"])
        .await;
    assert_eq!(ping["epoch"], replaced["epoch"]);
    assert_eq!(ping["sum"], 0);
    client.nothing_more().await;
    let known = client.ok(json!({"type": "subscriptions"})).await;
    assert_eq!(known["channels"], json!({}));
    // Records of publishes are gone too: it is new, and a repeat of the old time is refused.
    let mut repeat = publish;
    repeat["again"] = json!(600_000);
    assert_eq!(client.error(repeat).await, "expired");

    let epoch = &before["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": epoch, "offset": 1}]});
    let (mut client, after) = Client::hello(&server, hello).await;
    assert_eq!(after["epoch"], replaced["epoch"]);
    assert_eq!(after["node"], before["node"]);
    assert_ne!(&after["channels"]["a"]["epoch"], epoch);
    assert_eq!(after["channels"]["a"]["recovered"], false);
    assert_eq!(after["channels"]["a"]["since"], 0);
    client.nothing_more().await;
}
