use super::*;
use crate::broker::PublishKey;
use crate::config::Raw;
use rejoin_protocol::position::{From, Start};

fn broker(file: &str) -> MemoryBroker {
    let mut raw = Raw::default();
    raw.read_toml("test", file).unwrap();
    MemoryBroker::new(Arc::new(Config::try_from(raw).unwrap()), Millis(0))
}

fn publication(channel: &str, key: Option<(&str, u64, Option<u64>)>) -> Publication {
    let key = key.map(|(producer, seq, again)| PublishKey {
        producer: producer.into(),
        seq,
        again,
    });
    Publication {
        channel: channel.into(),
        from: "m1".into(),
        data: Bytes::from_static(b"{}"),
        key,
    }
}

fn attach(channel: &str, shard: usize, member: &str) -> Attach {
    Attach {
        channel: channel.into(),
        shard,
        session: format!("session of {member}").into(),
        member: member.into(),
        info: None,
        start: Start::From(From::Now),
        presence: true,
    }
}

fn detach(channel: &str, shard: usize, member: &str, wanted: bool) -> Detach {
    Detach {
        channel: channel.into(),
        shard,
        session: format!("session of {member}").into(),
        member: member.into(),
        wanted,
        last_of_shard: true,
    }
}

#[test]
fn only_shards_with_subscribers_are_told() {
    let mut broker = broker("");
    let (_, delivery) = broker.publish(Millis(1), publication("a", None)).unwrap();
    assert!(delivery.is_none());
    broker.attach(Millis(2), attach("a", 2, "ana"));
    broker.attach(Millis(2), attach("a", 0, "ben"));
    broker.detach(Millis(3), detach("a", 0, "ben", true));
    let (published, delivery) = broker.publish(Millis(4), publication("a", None)).unwrap();
    assert_eq!((published.offset, published.duplicate), (2, false));
    assert_eq!(delivery.unwrap().shards.iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_repeat_is_not_delivered_and_a_doubtful_one_not_accepted() {
    let mut broker = broker("");
    broker.attach(Millis(0), attach("a", 0, "ana"));
    assert!(
        broker
            .publish(Millis(10), publication("a", Some(("p", 1, None))))
            .unwrap()
            .1
            .is_some()
    );
    let (published, delivery) = broker
        .publish(Millis(20), publication("a", Some(("p", 1, Some(10)))))
        .unwrap();
    assert_eq!(
        (published.offset, published.duplicate, delivery.is_none()),
        (1, true, true)
    );
    broker.replace(Millis(30));
    let again = broker.publish(Millis(40), publication("a", Some(("p", 1, Some(30)))));
    assert_eq!(again.unwrap_err(), PublishError::Expired);
    assert_eq!(broker.highest_seq("p"), 0);
}

#[test]
fn a_channel_keeps_its_epoch_while_it_has_a_subscriber_or_history() {
    let mut broker = broker("[[channel]]\nhistory_ttl = \"10s\"\npresence = false\n");
    let mut epoch = |now| {
        let (attached, _) = broker.attach(Millis(now), attach("a", 0, "ana"));
        broker.publish(Millis(now), publication("a", None)).unwrap();
        broker.sweep(Millis(now + 9_999));
        broker.detach(Millis(now + 9_999), detach("a", 0, "ana", true));
        attached.begin
    };
    let first = epoch(0);
    let second = epoch(9_999);
    assert_eq!((&first.epoch, second.since), (&second.epoch, 1));
    broker.sweep(Millis(100_000));
    assert!(broker.channels.is_empty());
    let (third, _) = broker.attach(Millis(100_000), attach("a", 0, "ana"));
    assert_ne!(third.begin.epoch, first.epoch);
    assert_eq!(third.begin.since, 0);
}

#[test]
fn idle_channels_are_bounded_and_busy_ones_stay() {
    let mut broker = broker("");
    broker.attach(Millis(0), attach("busy", 0, "ana"));
    for index in 0..limits::IDLE_CHANNELS * 2 {
        broker
            .publish(
                Millis(index as u64),
                publication(&format!("idle{index}"), None),
            )
            .unwrap();
        assert!(broker.channels.len() <= limits::IDLE_CHANNELS * 3 / 2 + 2);
    }
    broker.sweep(Millis(1));
    assert_eq!(broker.channels.len(), limits::IDLE_CHANNELS + 1);
    assert!(broker.channels.contains_key("busy"));
    assert!(
        !broker.channels.contains_key("idle0"),
        "the least used goes first"
    );
}

#[test]
fn a_lost_member_leaves_after_the_grace_of_its_channel() {
    let mut broker = broker("[[channel]]\npresence_grace = \"5s\"\n");
    assert!(broker.attach(Millis(0), attach("a", 0, "ana")).1.is_some());
    broker.attach(Millis(0), attach("a", 1, "ben"));
    assert!(
        broker
            .detach(Millis(100), detach("a", 0, "ana", false))
            .is_none()
    );
    assert_eq!(broker.next_departure(), Some(Millis(5_100)));
    assert!(broker.depart_due(Millis(5_099)).is_empty());
    let leaves = broker.depart_due(Millis(5_100));
    assert_eq!(leaves.len(), 1);
    assert!(
        leaves[0]
            .message
            .starts_with(br#"{"type":"leave","channel":"a","member":"ana""#)
    );
    assert_eq!(leaves[0].shards.iter().collect::<Vec<_>>(), [1]);
    assert_eq!(broker.presence("a").unwrap().count, 1);
    assert!(
        broker
            .detach(Millis(6_000), detach("a", 1, "ben", true))
            .is_some()
    );
}

#[test]
fn a_channel_without_presence_tells_nobody() {
    let mut broker = broker("[[channel]]\npresence = false\n");
    let (attached, push) = broker.attach(Millis(0), attach("a", 0, "ana"));
    assert!(attached.snapshot.is_none() && push.is_none());
    assert!(
        broker
            .detach(Millis(0), detach("a", 0, "ana", false))
            .is_none()
    );
    assert_eq!(broker.next_departure(), None);
    assert!(broker.presence("a").is_none());
}
