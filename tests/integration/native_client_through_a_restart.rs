use rejoin_client_native::{
    Backoff, Cause, Client, Event, Item, Kind, Options, State, Subscription, Why, connect,
};
use rejoin_tests::{Server, Signal, within};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

on_shards!(
    it_comes_back_and_tells_what_is_missing,
    a_polite_stop_is_called_by_its_name,
);

/// The test profile's options.
pub(crate) fn options() -> Options {
    Options {
        backoff: Backoff {
            base: 100,
            cap: 1_000,
        },
        connect_timeout: std::time::Duration::from_millis(750),
        ..Options::default()
    }
}

/// A client that is connected.
pub(crate) async fn connected(url: &str) -> Client {
    let client = connect(url, options()).expect("the URL is right");
    within("the connection", client.wait_for(State::Connected))
        .await
        .expect("not closed");
    client
}

/// The next item of a subscription: a message's data.
pub(crate) async fn data(subscription: &mut Subscription) -> (u64, Value) {
    match within("a message", subscription.next()).await {
        Some(Item::Message(message)) => {
            let data = serde_json::from_str(message.data.get()).expect("data is JSON");
            (message.offset, data)
        }
        other => panic!("expected a message, got {other:?}"),
    }
}

/// The first event that `wanted` accepts.
pub(crate) async fn event(events: &mut Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    within("an event", async {
        loop {
            let event = events.recv().await.expect("not closed, and not too many");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

async fn it_comes_back_and_tells_what_is_missing(shards: usize) {
    let mut server = Server::test(shards).await;
    let client = connected(&server.url()).await;
    let member = client.status().member;
    let mut events = client.events();
    let mut chat = client.subscribe("chat").await.expect("a good name");
    chat.ready().await.expect("subscribed");
    assert_eq!(
        client
            .publish("chat", "one")
            .await
            .expect("accepted")
            .offset,
        1
    );
    assert_eq!(data(&mut chat).await, (1, "one".into()));

    server.signal(Signal::Kill);
    server.exit().await;
    let disconnect = event(&mut events, |e| matches!(e, Event::Disconnect(_))).await;
    let Event::Disconnect(outage) = disconnect else {
        unreachable!()
    };
    assert_eq!(outage.cause, Cause::Lost);
    assert!(outage.will_retry);
    let precise = event(&mut events, |e| matches!(e, Event::Cause(_))).await;
    let Event::Cause(outage) = precise else {
        unreachable!()
    };
    assert_eq!(
        (outage.cause, outage.cause.kind()),
        (Cause::Unreachable, Kind::Server)
    );
    assert_eq!(client.status().state, State::Reconnecting);

    // Published while there is nobody: it waits. `publish_now` does not.
    let queued = client.clone();
    let queued = tokio::spawn(async move { queued.publish("chat", "two").await });
    assert!(client.publish_now("chat", "no").await.is_err());
    server.start_again().await;
    let back = event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    let Event::Reconnect { outage, downtime } = back else {
        unreachable!()
    };
    assert!(outage.attempts >= 2 && downtime > 0, "{outage:?}");
    assert_eq!(outage.gaps, 1, "its history died with the server");
    match within("the gap", chat.next()).await {
        Some(Item::Gap(gap)) => assert_eq!((gap.from, gap.to, gap.why), (2, None, Why::Epoch)),
        other => panic!("expected the gap, got {other:?}"),
    }
    let published = queued.await.expect("no panic").expect("accepted");
    assert_eq!((published.offset, published.duplicate), (1, false));
    assert_eq!(data(&mut chat).await, (1, "two".into()));
    assert_eq!(client.status().member, member);
    assert_eq!(client.status().pending, 0);

    client.close().await;
    assert_eq!(client.status().state, State::Closed);
    assert!(chat.next().await.is_none());
    assert!(client.publish("chat", "three").await.is_err());
}

async fn a_polite_stop_is_called_by_its_name(shards: usize) {
    let mut server = Server::test(shards).await;
    let client = connected(&server.url()).await;
    let mut events = client.events();
    server.signal(Signal::Term);
    let disconnect = event(&mut events, |e| matches!(e, Event::Disconnect(_))).await;
    let Event::Disconnect(outage) = disconnect else {
        unreachable!()
    };
    assert_eq!((outage.cause, outage.evidence.code), (Cause::Restart, 4201));
    server.exit().await;
    server.start_again().await;
    let back = event(&mut events, |e| matches!(e, Event::Reconnect { .. })).await;
    let Event::Reconnect { outage, .. } = back else {
        unreachable!()
    };
    assert_eq!(
        outage.cause,
        Cause::Restart,
        "it stays what the server said"
    );
}
