use std::time::{Duration, Instant};

use rejoin_tests::{Client, Profile, Server, Signal};
use serde_json::{Value, json};

on_shards!(
    it_is_announced_over_http,
    it_is_announced_at_the_signal,
    who_stays_is_closed_at_the_end_of_the_window,
    who_left_in_time_is_left_alone,
);

async fn it_is_announced_over_http(shards: usize) {
    // A window that does not end within the test.
    let profile = Profile::test(shards).set("--connection-reinit-window", "0s,1h");
    let server = Server::start(profile).await;
    let hello = json!({"client": "c", "channels": [{"channel": "a"}]});
    let (mut client, before) = Client::hello(&server, hello).await;
    let mut other = Client::connect(&server, "other", &[]).await;
    client.publish("a", json!(1)).await;
    client.messages("a", 1).await;
    let answer = server.post("/api/reinit", Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["connections"], 2);
    let epoch = &answer.json()["epoch"];
    for client in [&mut client, &mut other] {
        let reinit = client.expect("reinit").await;
        assert_eq!(&reinit["epoch"], epoch);
        assert_ne!(reinit["epoch"], before["epoch"]);
        assert_eq!(reinit["window"], json!([0, 3_600_000]));
    }
    // The connection works on, its ping tells the new epoch, and channels have not changed.
    client.ping_with(|ping| &ping["epoch"] == epoch).await;
    client.publish("a", json!(2)).await;
    assert_eq!(client.messages("a", 1).await, [(2, json!(2))]);
    client.cut();
    let old = &before["channels"]["a"]["epoch"];
    let hello = json!({"client": "c", "channels": [{"channel": "a", "epoch": old, "offset": 1}]});
    let (mut client, after) = Client::hello(&server, hello).await;
    assert_eq!(&after["epoch"], epoch);
    assert_eq!(&after["channels"]["a"]["epoch"], old);
    assert_eq!(after["channels"]["a"]["recovered"], true);
    assert_eq!(client.messages("a", 1).await, [(2, json!(2))]);
}

async fn it_is_announced_at_the_signal(shards: usize) {
    let mut server = Server::test(shards).await;
    let (mut client, before) = Client::hello(&server, json!({"client": "c"})).await;
    server.signal(Signal::Usr1);
    let reinit = client.expect("reinit").await;
    assert_ne!(reinit["epoch"], before["epoch"]);
    assert_eq!(reinit["window"], json!([0, 300]));
    let (_next, after) = Client::hello(&server, json!({"client": "c"})).await;
    assert_eq!(after["epoch"], reinit["epoch"]);
    assert!(server.is_running());
}

async fn who_stays_is_closed_at_the_end_of_the_window(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    let mut other = Client::connect(&server, "other", &[]).await;
    let begun = Instant::now();
    server.post("/api/reinit", Value::Null).await;
    for client in [&mut client, &mut other] {
        client.expect("reinit").await;
        assert_eq!(client.closed().await.code, 4203);
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    let bye = client.expect("bye").await;
    assert_eq!(bye["code"], 4203);
}

async fn who_left_in_time_is_left_alone(shards: usize) {
    let server = Server::test(shards).await;
    let mut stays = Client::connect(&server, "stays", &[]).await;
    let mut leaves = Client::connect(&server, "leaves", &[]).await;
    server.post("/api/reinit", Value::Null).await;
    leaves.expect("reinit").await;
    leaves.cut();
    let mut back = Client::connect(&server, "leaves", &[]).await;
    stays.expect("reinit").await;
    assert_eq!(stays.closed().await.code, 4203);
    // Past the window's end, and the one that came back is still there.
    back.nothing_more().await;
}
