//! Order, repeats, holes and gaps; subscriptions lost and found.

use super::*;

fn gap(slot: Slot, from: u64, to: Option<u64>, why: Why) -> Output {
    Output::Event(Event::Gap {
        slot,
        from,
        to,
        why,
    })
}

fn joined(epoch: Epoch, since: u64, offset: u64) -> Joined {
    Joined {
        epoch,
        since,
        offset,
    }
}

#[test]
fn the_next_offset_is_delivered_and_a_repeat_is_not() {
    let (mut script, slot) = Script::online(4);
    let now = script.now;
    assert_eq!(script.session.accept(now, slot, 5), Verdict::Deliver);
    assert_eq!(script.session.accept(now, slot, 5), Verdict::Repeat);
    assert_eq!(script.session.accept(now, slot, 3), Verdict::Repeat);
    assert_eq!(script.session.accept(now, slot, 6), Verdict::Deliver);
    assert_eq!(script.session.accept(now, Slot(77), 1), Verdict::Repeat);
}

#[test]
fn a_hole_is_asked_for_once_and_what_is_behind_it_waits() {
    let (mut script, slot) = Script::online(4);
    let now = script.now;
    assert_eq!(script.session.accept(now, slot, 7), Verdict::Hold);
    assert_eq!(script.session.accept(now, slot, 8), Verdict::Hold);
    let outputs = script.drain();
    let [
        Output::History {
            id, after, before, ..
        },
    ] = outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((after, before), (4, 7));
    assert_eq!(script.session.asked(id), Some(Asked::History(slot)));
    assert_eq!(script.session.accept_held(now, slot, 5), Verdict::Deliver);
    assert_eq!(script.session.accept_held(now, slot, 6), Verdict::Deliver);
    script.session.handle_ok(now, id, None, 0, false);
    assert_eq!(script.drain(), [Output::Release(slot)]);
    assert_eq!(script.session.accept_held(now, slot, 7), Verdict::Deliver);
    assert_eq!(script.session.accept_held(now, slot, 8), Verdict::Deliver);
    assert_eq!(script.drain(), [], "no gap");
}

#[test]
fn an_answer_that_brings_a_part_is_asked_for_the_rest() {
    let (mut script, slot) = Script::online(0);
    let now = script.now;
    script.session.accept(now, slot, 10);
    let [Output::History { id, .. }] = script.drain()[..] else {
        panic!()
    };
    for offset in 1..=4 {
        script.session.accept_held(now, slot, offset);
    }
    script.session.handle_ok(now, id, None, 0, false);
    let [
        Output::History {
            id, after, before, ..
        },
    ] = script.drain()[..]
    else {
        panic!()
    };
    assert_eq!((after, before), (4, 10));
    script.session.handle_ok(now, id, None, 0, false);
    assert_eq!(
        script.drain(),
        [Output::Release(slot)],
        "nothing came: the end"
    );
    script.session.accept_held(now, slot, 10);
    assert_eq!(script.drain(), [gap(slot, 5, Some(9), Why::Expired)]);
}

#[test]
fn a_hole_that_history_cannot_fill_is_a_gap_with_its_range() {
    let (mut script, slot) = Script::online(4);
    let now = script.now;
    script.session.accept(now, slot, 9);
    let [Output::History { id, .. }] = script.drain()[..] else {
        panic!()
    };
    script.session.handle_error(now, id, None);
    assert_eq!(script.drain(), [Output::Release(slot)]);
    assert_eq!(script.session.accept_held(now, slot, 9), Verdict::Deliver);
    assert_eq!(script.drain(), [gap(slot, 5, Some(8), Why::Expired)]);
}

#[test]
fn what_waits_behind_a_hole_is_bounded() {
    let (mut script, slot) = Script::online(0);
    let now = script.now;
    let last = u64::from(HELD_MAX) + 2;
    for offset in 2..last {
        assert_eq!(script.session.accept(now, slot, offset), Verdict::Hold);
    }
    let [Output::History { id, .. }] = script.drain()[..] else {
        panic!()
    };
    assert_eq!(script.session.accept(now, slot, last), Verdict::Again);
    assert_eq!(
        script.drain(),
        [Output::Release(slot)],
        "no longer waited for"
    );
    assert_eq!(script.session.accept_held(now, slot, 2), Verdict::Deliver);
    assert_eq!(script.drain(), [gap(slot, 1, Some(1), Why::Expired)]);
    for offset in 3..=last {
        assert_eq!(
            script.session.accept_held(now, slot, offset),
            Verdict::Deliver
        );
    }
    assert_eq!(
        script.session.accept_held(now, slot, 1),
        Verdict::Repeat,
        "a late answer"
    );
    script.session.handle_ok(now, id, None, 0, false);
    assert_eq!(script.drain(), []);
}

#[test]
fn what_the_answer_to_a_rejoin_skips_is_told_before_anything_follows() {
    let (mut script, slot) = Script::online(100);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 600, 1_600)]);
    let outputs = script.drain();
    assert!(
        outputs.contains(&gap(slot, 101, Some(600), Why::Expired)),
        "{outputs:?}"
    );
    assert_eq!(
        script.session.accept(script.now, slot, 601),
        Verdict::Deliver
    );
}

#[test]
fn a_new_incarnation_is_a_gap_of_which_nobody_knows_the_end() {
    let (mut script, slot) = Script::online(7);
    script.session.handle_joined(slot, joined(Epoch(9), 0, 2));
    assert_eq!(script.drain(), [gap(slot, 8, None, Why::Epoch)]);
    assert_eq!(script.session.accept(script.now, slot, 1), Verdict::Deliver);
}

#[test]
fn a_gap_on_a_live_subscription_moves_the_position_once() {
    let (mut script, slot) = Script::online(7);
    let to = Position {
        epoch: HISTORY,
        offset: 20,
    };
    script.session.handle_gap(slot, to, Why::Slow);
    script.session.handle_gap(slot, to, Why::Slow);
    assert_eq!(
        script.drain(),
        [Output::Release(slot), gap(slot, 8, Some(20), Why::Slow)]
    );
    assert_eq!(
        script.session.accept(script.now, slot, 21),
        Verdict::Deliver
    );
}

#[test]
fn a_subscription_that_the_server_lost_is_repaired_alone() {
    let (mut script, slot) = Script::online(4);
    let now = script.now;
    let digest = 11;
    script.session.handle_ping(now, APP, Some(digest), None);
    assert_eq!(script.drain(), [Output::Pong]);
    script.session.handle_ping(now, APP, Some(0), None);
    let [Output::Pong, Output::Subscriptions(id)] = script.drain()[..] else {
        panic!()
    };
    script.session.handle_ping(now, APP, Some(0), None);
    assert_eq!(script.drain(), [Output::Pong], "asked once");
    script.session.handle_unlisted(now, slot);
    script.session.handle_ok(now, id, None, 0, false);
    let outputs = script.drain();
    let Some(Output::Subscribe { id, .. }) = outputs.last().copied() else {
        panic!()
    };
    script
        .session
        .handle_ok(now, id, Some(joined(HISTORY, 4, 6)), 6, false);
    assert_eq!(script.session.accept(now, slot, 5), Verdict::Deliver);
    assert_eq!(script.session.state(), State::Connected);
}

#[test]
fn a_refused_subscription_is_denied_and_not_asked_for_again() {
    let (mut script, slot) = Script::online(4);
    let other = script.session.subscribe(script.now, 5);
    let [Output::Subscribe { id, .. }] = script.drain()[..] else {
        panic!()
    };
    script.session.handle_error(script.now, id, None);
    let status = Status::Denied;
    assert!(script.events().contains(&Event::Status {
        slot: other,
        status
    }));
    script.close(1006);
    let rejoining: Vec<_> = script.session.rejoining().map(|(slot, _)| slot).collect();
    assert_eq!(rejoining, [slot]);
}

#[test]
fn a_subscription_to_be_asked_for_later_is() {
    let (mut script, _) = Script::online(4);
    let other = script.session.subscribe(script.now, 5);
    let [Output::Subscribe { id, .. }] = script.drain()[..] else {
        panic!()
    };
    script.session.handle_error(script.now, id, Some(400));
    assert_eq!(script.wait_for_deadline(), 400);
    assert!(matches!(script.drain()[..], [Output::Subscribe { slot, .. }] if slot == other));
}

#[test]
fn a_slot_is_used_again_only_when_its_name_is_forgotten() {
    let (mut script, slot) = Script::online(4);
    script.session.unsubscribe(script.now, slot);
    let outputs = script.drain();
    let Some(&Output::Unsubscribe { id, .. }) = outputs.last() else {
        panic!("{outputs:?}")
    };
    assert_eq!(script.session.accept(script.now, slot, 5), Verdict::Repeat);
    let again = script.session.subscribe(script.now, 11);
    assert_ne!(again, slot);
    script.session.handle_ok(script.now, id, None, 0, false);
    let third = script.session.subscribe(script.now, 12);
    assert_ne!(third, slot, "not told yet");
    assert!(script.drain().contains(&Output::Forget(slot)));
    assert_eq!(script.session.subscribe(script.now, 13), slot);
}

#[test]
fn a_request_without_an_answer_ends_the_connection() {
    let (mut script, _) = Script::online(4);
    script.session.subscribe(script.now, 5);
    for _ in 0..15 {
        let socket = script.socket;
        script.session.handle_alive(script.now, socket);
        script.wait(1_000);
    }
    assert_eq!(script.session.state(), State::Reconnecting);
}

#[test]
fn a_channel_wanted_in_the_midst_of_the_welcome_is_asked_for_once() {
    let mut script = Script::new(config());
    script.session.start(script.now);
    script.drain();
    let socket = script.socket;
    script.session.handle_opened(socket);
    script.session.handle_welcome(script.now, socket, welcome());
    let slot = script.session.subscribe(script.now, 11);
    script.session.handle_welcomed(script.now);
    let asks =
        |output: &&Output| matches!(output, Output::Subscribe { slot: at, .. } if *at == slot);
    assert_eq!(script.drain().iter().filter(asks).count(), 1);
}
