use rejoin_tests::{Client, Profile, Server};
use serde_json::{Value, json};

on_shards!(
    a_repeat_is_answered_by_the_first_offset,
    a_repeat_that_may_have_been_forgotten_is_refused,
    a_higher_number_does_not_make_a_lower_one_a_repeat,
    a_refused_publish_leaves_no_record,
    a_restarted_server_publishes_nothing_twice,
    producers_do_not_share_numbers,
);

fn publish(seq: u64, again: Option<u64>) -> Value {
    let mut publish = json!({"type": "publish", "channel": "a", "seq": seq, "data": seq});
    if let Some(again) = again {
        publish["again"] = json!(again);
    }
    publish
}

async fn a_repeat_is_answered_by_the_first_offset(shards: usize) {
    let server = Server::test(shards).await;
    let mut watcher = Client::connect(&server, "watcher", &["a"]).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    assert_eq!(client.ok(publish(1, None)).await.get("duplicate"), None);
    assert_eq!(client.ok(publish(2, None)).await["offset"], 2);
    // The answer was lost with the connection; the repeat comes over another one, then twice over the same.
    client.cut();
    let mut client = Client::connect(&server, "c", &[]).await;
    for again in [Some(120), Some(0), None] {
        let ok = client.ok(publish(1, again)).await;
        assert_eq!(ok["offset"], 1);
        assert_eq!(ok["duplicate"], true);
    }
    assert_eq!(client.ok(publish(3, None)).await["offset"], 3);
    assert_eq!(
        watcher.messages("a", 3).await,
        [1, 2, 3].map(|n| (n, json!(n)))
    );
    watcher.nothing_more().await;
}

async fn a_repeat_that_may_have_been_forgotten_is_refused(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    // Never seen, but first sent before the server's memory begins.
    assert_eq!(client.error(publish(1, Some(86_400_000))).await, "expired");
    // First sent less than the table's age ago, and not in it: certainly new.
    assert_eq!(client.ok(publish(2, Some(0))).await["offset"], 1);
    client.messages("a", 1).await;
    client.nothing_more().await;
}

async fn a_higher_number_does_not_make_a_lower_one_a_repeat(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    assert_eq!(client.ok(publish(10, None)).await["offset"], 1);
    let ok = client.ok(publish(4, None)).await;
    assert_eq!(ok["offset"], 2);
    assert_eq!(ok.get("duplicate"), None);
}

async fn a_refused_publish_leaves_no_record(shards: usize) {
    let server = Server::test(shards).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    let bad = json!({"type": "publish", "channel": "a b", "seq": 1, "data": 1});
    assert_eq!(client.error(bad).await, "bad_channel");
    let ok = client.ok(publish(1, None)).await;
    assert_eq!(ok["offset"], 1);
    assert_eq!(ok.get("duplicate"), None);
}

async fn a_restarted_server_publishes_nothing_twice(shards: usize) {
    let mut server = Server::start(Profile::test(shards)).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    client.ok(publish(1, None)).await;
    server.kill_and_restart().await;
    let mut client = Client::connect(&server, "c", &["a"]).await;
    // First sent before this process began: nobody can know. Sent since: new.
    assert_eq!(client.error(publish(1, Some(60_000))).await, "expired");
    assert_eq!(client.ok(publish(2, None)).await["offset"], 1);
    client.messages("a", 1).await;
    client.nothing_more().await;
}

async fn producers_do_not_share_numbers(shards: usize) {
    let server = Server::test(shards).await;
    let mut one = Client::connect(&server, "one", &[]).await;
    let mut two = Client::connect(&server, "two", &[]).await;
    assert_eq!(one.ok(publish(1, None)).await["offset"], 1);
    let ok = two.ok(publish(1, None)).await;
    assert_eq!(ok["offset"], 2);
    assert_eq!(ok.get("duplicate"), None);
}

#[tokio::test]
async fn only_so_many_results_are_kept() {
    let server = Server::test(1).await;
    let mut client = Client::connect(&server, "c", &[]).await;
    for seq in 1..=1001 {
        client.send(
            json!({"type": "publish", "id": 10_000 + seq, "channel": "a", "seq": seq, "data": 0}),
        );
    }
    client.answer(11_001).await;
    assert_eq!(client.error(publish(1, Some(0))).await, "expired");
    assert_eq!(client.ok(publish(2, Some(0))).await["duplicate"], true);
}

#[tokio::test]
async fn a_number_without_a_producer_is_refused() {
    let server = Server::test(1).await;
    let (mut client, _) = Client::hello(&server, json!({"client": "c"})).await;
    assert_eq!(client.error(publish(1, None)).await, "bad_request");
}
