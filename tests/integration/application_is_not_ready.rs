use rejoin_tests::{Client, PATIENCE, Server};
use serde_json::json;

on_shards!(everyone_is_told_when_to_come_back);

async fn everyone_is_told_when_to_come_back(shards: usize) {
    let server = Server::test(shards).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    let answer = server
        .post("/api/test/not-ready", json!({"ms": 1000, "retry": 400}))
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"ms": 1000, "retry": 400}))
    );
    let health = server.get("/health").await.json();
    assert_eq!(health["accepting"], false);
    assert_eq!(health["why"], "not-ready");
    assert_eq!(health["retry"], 400);

    let mut client = Client::dial(&server).await;
    client.send(json!({"type": "hello", "client": "c"}));
    let bye = client.expect("bye").await;
    assert_eq!(bye["code"], 4202);
    assert_eq!(bye["window"], json!([400, 400]));
    assert_eq!(client.closed().await.code, 4202);

    // It ends by itself.
    let begun = std::time::Instant::now();
    loop {
        let mut client = Client::dial(&server).await;
        client.send(json!({"type": "hello", "client": "c"}));
        let answer = client.next().await;
        if answer["type"] == "welcome" {
            break;
        }
        assert_eq!(answer["type"], "bye", "{answer}");
        client.closed().await;
        assert!(begun.elapsed() < PATIENCE, "it stays not ready");
    }
    assert_eq!(server.get("/health").await.json()["accepting"], true);
    bystander.nothing_more().await;
}
