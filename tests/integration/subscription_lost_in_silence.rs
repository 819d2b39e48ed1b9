use rejoin_tests::{Client, Server};
use serde_json::json;

on_shards!(the_digest_tells_and_the_position_repairs);

async fn the_digest_tells_and_the_position_repairs(shards: usize) {
    let server = Server::test(shards).await;
    let channels = json!([{"channel": "a"}, {"channel": "b"}]);
    let (mut client, welcome) =
        Client::hello(&server, json!({"client": "c", "channels": channels})).await;
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    publisher.publish("b", json!(1)).await;
    client.messages("b", 1).await;
    client.ping_with(|ping| ping["sum"] == 50_332_873).await;

    let lost = json!({"session": welcome["session"], "channel": "b"});
    let answer = server.post("/api/test/drop", lost.clone()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"dropped": true}))
    );
    assert_eq!(
        server.post("/api/test/drop", lost).await.status,
        404,
        "it is gone"
    );

    for n in 2..=4 {
        publisher.publish("b", json!(n)).await;
    }
    publisher.publish("a", json!("still here")).await;
    assert_eq!(client.messages("a", 1).await, [(1, json!("still here"))]);
    client
        .ping_with(|ping| ping["sum"] == 3_826_002_220_u32)
        .await;
    let known = client.ok(json!({"type": "subscriptions"})).await;
    let epoch = &welcome["channels"]["a"]["epoch"];
    assert_eq!(
        known["channels"],
        json!({"a": {"epoch": epoch, "offset": 1}})
    );

    let epoch = &welcome["channels"]["b"]["epoch"];
    let ok = client
        .ok(json!({"type": "subscribe", "channel": "b", "epoch": epoch, "offset": 1}))
        .await;
    assert_eq!(ok["since"], 1);
    assert_eq!(ok["recovered"], true);
    let missed: Vec<_> = (2..=4).map(|n| (n, json!(n))).collect();
    assert_eq!(client.messages("b", 3).await, missed);
    client.expect("live").await;
    client.ping_with(|ping| ping["sum"] == 50_332_873).await;
    client.nothing_more().await;
}
