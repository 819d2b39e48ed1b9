use std::time::{Duration, Instant};

use rejoin_tests::{Client, Server, Signal};
use serde_json::json;

on_shards!(at_sigterm, at_sigint, and_not_at_sighup);

async fn at_sigterm(shards: usize) {
    stops_at(Signal::Term, shards).await;
}

async fn at_sigint(shards: usize) {
    stops_at(Signal::Int, shards).await;
}

async fn stops_at(signal: Signal, shards: usize) {
    let mut server = Server::test(shards).await;
    let mut clients = Vec::new();
    for name in ["a", "b", "c", "d"] {
        clients.push(Client::connect(&server, name, &["a"]).await);
    }
    let begun = Instant::now();
    server.signal(signal);
    for client in &mut clients {
        let bye = client.expect("bye").await;
        assert_eq!(bye["code"], 4201);
        assert_eq!(bye["reason"], "restart");
        assert_eq!(bye["window"], json!([0, 300]));
        assert_eq!(client.closed().await.code, 4201);
    }
    let status = server.exit().await;
    assert_eq!(status.code(), Some(0));
    // Two seconds are the promise; the rest is a busy machine's.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

async fn and_not_at_sighup(shards: usize) {
    let mut server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    server.signal(Signal::Hup);
    client.publish("a", json!(1)).await;
    client.messages("a", 1).await;
    assert!(server.is_running());
}

#[tokio::test]
async fn even_if_somebody_does_not_answer_the_close() {
    let mut server = Server::test(1).await;
    // Sends hello and never reads again: no answer to the close will come.
    let mut socket = rejoin_tests::dial(server.address()).await;
    futures_util::SinkExt::send(&mut socket, r#"{"type":"hello","client":"c"}"#.into())
        .await
        .expect("sent");
    let mut client = Client::connect(&server, "other", &[]).await;
    let begun = Instant::now();
    server.signal(Signal::Term);
    assert_eq!(client.closed().await.code, 4201);
    assert_eq!(server.exit().await.code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}
