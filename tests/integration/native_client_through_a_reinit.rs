use rejoin_client_native::{Cause, Event, Item, Why};
use rejoin_tests::{Server, within};
use serde_json::{Value, json};

use crate::native_client_through_a_restart::{connected, data, event};

on_shards!(
    announced_it_loses_nothing,
    in_silence_it_is_noticed_and_the_loss_is_told,
    a_lost_subscription_is_repaired_on_the_same_connection,
);

async fn announced_it_loses_nothing(shards: usize) {
    let server = Server::test(shards).await;
    let client = connected(&server.url()).await;
    let session = client.status().session;
    let mut events = client.events();
    let mut chat = client.subscribe("chat").await.expect("a good name");
    chat.ready().await.expect("subscribed");
    client.publish("chat", &1).await.expect("accepted");
    server.post("/api/reinit", Value::Null).await;
    client.publish("chat", &2).await.expect("accepted");
    let back = event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    let Event::Reconnect { outage, .. } = back else {
        unreachable!()
    };
    assert_eq!((outage.cause, outage.gaps), (Cause::Reinit, 0));
    assert_ne!(client.status().session, session);
    client.publish("chat", &3).await.expect("accepted");
    for n in 1..=3 {
        assert_eq!(data(&mut chat).await, (n, json!(n)));
    }
}

async fn in_silence_it_is_noticed_and_the_loss_is_told(shards: usize) {
    let server = Server::test(shards).await;
    let client = connected(&server.url()).await;
    let mut events = client.events();
    let mut chat = client.subscribe("chat").await.expect("a good name");
    chat.ready().await.expect("subscribed");
    client.publish("chat", &1).await.expect("accepted");
    assert_eq!(data(&mut chat).await, (1, json!(1)));
    server.post("/api/test/replace", Value::Null).await;
    let back = event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    let Event::Reconnect { outage, .. } = back else {
        unreachable!()
    };
    assert_eq!((outage.cause, outage.gaps), (Cause::Reinit, 1));
    match within("the gap", chat.next()).await {
        Some(Item::Gap(gap)) => assert_eq!((gap.from, gap.to, gap.why), (2, None, Why::Epoch)),
        other => panic!("expected the gap, got {other:?}"),
    }
    client.publish("chat", &2).await.expect("accepted");
    assert_eq!(data(&mut chat).await, (1, json!(2)));
}

async fn a_lost_subscription_is_repaired_on_the_same_connection(shards: usize) {
    let server = Server::test(shards).await;
    let client = connected(&server.url()).await;
    let session = client.status().session.expect("connected");
    let mut events = client.events();
    let mut chat = client.subscribe("chat").await.expect("a good name");
    let mut other = client.subscribe("other").await.expect("a good name");
    chat.ready().await.expect("subscribed");
    other.ready().await.expect("subscribed");
    let lost = json!({"session": session, "channel": "chat"});
    assert_eq!(server.post("/api/test/drop", lost).await.status, 200);
    for n in 1..=3 {
        client.publish("chat", &n).await.expect("accepted");
    }
    for n in 1..=3 {
        assert_eq!(data(&mut chat).await, (n, json!(n)));
    }
    client.publish("other", &0).await.expect("accepted");
    assert_eq!(data(&mut other).await, (1, json!(0)));
    assert_eq!(client.status().session, Some(session));
    assert!(
        events.try_recv().is_err(),
        "nothing that a user should hear of"
    );
}
