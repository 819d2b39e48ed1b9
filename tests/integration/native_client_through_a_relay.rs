use rejoin_client_native::{Cause, Event, Item, State, Subscribed};
use rejoin_tests::{Client, Relay, Server, within};
use serde_json::json;

use crate::native_client_through_a_restart::{connected, data, event};

on_shards!(
    what_was_missed_comes_first_and_once,
    what_was_in_flight_is_published_once,
    silence_is_noticed,
);

async fn what_was_missed_comes_first_and_once(shards: usize) {
    let server = Server::test(shards).await;
    let relay = Relay::to(server.address()).await;
    let client = connected(&relay.url()).await;
    let mut events = client.events();
    let mut chat = client.subscribe("chat").await.expect("a good name");
    chat.ready().await.expect("subscribed");
    let mut publisher = Client::connect(&server, "publisher", &[]).await;
    for n in 1..=10 {
        publisher.publish("chat", json!(n)).await;
        assert_eq!(data(&mut chat).await, (n, json!(n)));
    }
    relay.mute(true);
    for n in 11..=40 {
        publisher.publish("chat", json!(n)).await;
    }
    relay.mute(false);
    relay.cut();
    let back = event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    let Event::Reconnect { outage, .. } = back else {
        unreachable!()
    };
    assert_eq!((outage.recovered, outage.gaps), (30, 0));
    publisher.publish("chat", json!(41)).await;
    for n in 11..=41 {
        assert_eq!(data(&mut chat).await, (n, json!(n)));
    }
}

/// The connection is cut when the server has taken a publish and its answer is lost.
async fn what_was_in_flight_is_published_once(shards: usize) {
    const CUTS: u64 = 10;
    let server = Server::test(shards).await;
    let relay = Relay::to(server.address()).await;
    let client = connected(&relay.url()).await;
    let mut watcher = Client::connect(&server, "watcher", &["chat"]).await;
    for n in 1..=CUTS {
        within("the connection", client.wait_for(State::Connected))
            .await
            .expect("not closed");
        relay.mute(true);
        let publisher = client.clone();
        let publish = tokio::spawn(async move { publisher.publish("chat", &n).await });
        // It has arrived: the answer is under way, and will not.
        assert_eq!(watcher.messages("chat", 1).await, [(n, json!(n))]);
        relay.cut();
        relay.mute(false);
        let published = within("the answer", publish).await.expect("no panic");
        let published = published.expect("accepted");
        assert_eq!((published.offset, published.duplicate), (n, true));
    }
    watcher.nothing_more().await;
}

async fn silence_is_noticed(shards: usize) {
    let server = Server::test(shards).await;
    let relay = Relay::to(server.address()).await;
    let client = connected(&relay.url()).await;
    let mut events = client.events();
    let one = client.subscribe("chat").await.expect("a good name");
    let mut two = client.subscribe("chat").await.expect("a good name");
    two.ready().await.expect("subscribed");
    relay.mute(true);
    let disconnect = event(&mut events, |e| matches!(e, Event::Disconnect(_))).await;
    let Event::Disconnect(outage) = disconnect else {
        unreachable!()
    };
    assert_eq!(outage.cause, Cause::Silent);
    assert_eq!(two.state(), Subscribed::Subscribing);
    relay.mute(false);
    event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    // One reader goes; the channel stays for the other.
    drop(one);
    client.publish("chat", "heard").await.expect("accepted");
    assert!(matches!(
        within("it", two.next()).await,
        Some(Item::Message(_))
    ));
    drop(two);
    let mut watcher = Client::connect(&server, "watcher", &["chat"]).await;
    within("the channel given up", async {
        loop {
            let count = watcher
                .ok(json!({"type": "presence", "channel": "chat", "count": true}))
                .await;
            if count["count"] == 1 {
                return;
            }
        }
    })
    .await;
}
