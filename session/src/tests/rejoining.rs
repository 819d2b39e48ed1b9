//! Attempts: when, how many, and with what.

use super::*;

#[test]
fn a_first_connection_is_two_states_and_no_outage() {
    let mut script = Script::new(config());
    let slot = script.session.subscribe(script.now, 11);
    script.session.start(script.now);
    assert_eq!(script.drain(), [Output::Open(SocketId(0))]);
    script.connect(&[(slot, 4, 4)]);
    let status = Status::Subscribed;
    assert_eq!(
        script.drain(),
        [
            Output::Hello,
            Output::Event(Event::State {
                state: State::Connected,
                previous: State::Connecting,
                cause: None
            }),
            Output::Event(Event::Status { slot, status }),
        ]
    );
}

#[test]
fn a_cut_is_told_once_and_rejoined_inside_the_servers_window() {
    let (mut script, slot) = Script::online(4);
    script.close(1006);
    assert_eq!(
        script.drain(),
        [
            Output::Event(Event::Status {
                slot,
                status: Status::Subscribing
            }),
            Output::Event(Event::State {
                state: State::Reconnecting,
                previous: State::Connected,
                cause: Some(Cause::Lost)
            }),
            Output::Event(Event::Disconnect),
        ]
    );
    assert!(script.session.retry_in(script.now).unwrap() <= STANDING.max);
    script.wait_for_deadline();
    assert_eq!(script.drain(), [Output::Open(SocketId(1))]);
    let position = Position {
        epoch: HISTORY,
        offset: 4,
    };
    let rejoining: Vec<_> = script.session.rejoining().collect();
    assert_eq!(
        rejoining,
        [(slot, Some(position))],
        "after the last one delivered"
    );
}

#[test]
fn reconnect_waits_until_the_replay_is_complete() {
    let (mut script, slot) = Script::online(10);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 10, 12)]);
    let told = |events: &[Event]| events.contains(&Event::Reconnect);
    assert!(!told(&script.events()));
    assert_eq!(
        script.session.accept(script.now, slot, 11),
        Verdict::Deliver
    );
    assert_eq!(
        script.session.accept(script.now, slot, 12),
        Verdict::Deliver
    );
    assert!(!told(&script.events()));
    script.session.handle_live(script.now, slot);
    assert!(told(&script.events()));
    let outage = script.session.last_outage().unwrap();
    assert_eq!((outage.recovered, outage.gaps, outage.attempts), (2, 0, 1));
    assert!(script.session.outage().is_none());
}

#[test]
fn a_replay_that_has_reached_its_end_is_over_without_the_servers_word() {
    let (mut script, slot) = Script::online(10);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 10, 11)]);
    script.session.accept(script.now, slot, 11);
    assert!(
        !script.events().contains(&Event::Reconnect),
        "not before the last one is delivered"
    );
    script.session.handle_alive(script.now, script.socket);
    assert!(script.events().contains(&Event::Reconnect));
}

#[test]
fn a_drop_in_the_middle_of_a_replay_goes_on_where_it_was() {
    let (mut script, slot) = Script::online(10);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 10, 12)]);
    script.session.accept(script.now, slot, 11);
    script.events();
    script.close(1006);
    let events = script.events();
    assert!(
        !events.contains(&Event::Disconnect),
        "one outage: {events:?}"
    );
    let position = script.session.position(slot).unwrap();
    assert_eq!(position.offset, 11);
}

#[test]
fn ceilings_grow_with_failed_dials_and_attempts_keep_their_distance() {
    let (mut script, _) = Script::online(0);
    script.close(1006);
    script.wait_for_deadline();
    let mut last_dial = script.now;
    for failed in 1..20u32 {
        script.drain();
        script.close(1006);
        let wait = script.session.retry_in(script.now).unwrap();
        let ceiling = (100u64 << failed.min(10)).min(1_000);
        assert!(wait <= ceiling, "attempt {failed}: {wait} within {ceiling}");
        script.wait_for_deadline();
        assert!(script.now - last_dial >= ATTEMPT_FLOOR_MS);
        last_dial = script.now;
    }
}

#[test]
fn a_flapping_connection_does_not_reset_the_exponent() {
    let (mut script, slot) = Script::online(0);
    let mut longest = 0;
    for _ in 0..12 {
        script.close(1006);
        longest = longest.max(script.wait_for_deadline());
        script.drain();
        script.connect(&[(slot, 0, 0)]);
    }
    assert!(
        longest > STANDING.max,
        "waits grew past the standing window: {longest}"
    );
    script.wait(1_000);
    for _ in 0..30 {
        let socket = script.socket;
        script.session.handle_alive(script.now, socket);
        script.wait(500);
    }
    script.close(1006);
    assert!(
        script.session.retry_in(script.now).unwrap() <= STANDING.max,
        "stable: all is forgotten"
    );
}

#[test]
fn late_events_of_an_old_socket_change_nothing() {
    let (mut script, _) = Script::online(4);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.session.handle_opened(SocketId(0));
    script.session.handle_closed(script.now, SocketId(0), 4503);
    script
        .session
        .handle_bye(script.now, SocketId(0), 4400, None);
    assert!(
        !script
            .session
            .handle_welcome(script.now, SocketId(0), welcome())
    );
    assert_eq!(script.drain(), []);
    assert_eq!(script.session.state(), State::Reconnecting);
}

#[test]
fn a_dial_that_hangs_is_left_before_the_next() {
    let (mut script, _) = Script::online(4);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    assert_eq!(script.wait_for_deadline(), 750);
    let outputs = script.drain();
    assert_eq!(outputs[0], Output::Abandon(SocketId(1)));
    assert_eq!(
        outputs.last(),
        Some(&Output::Probe(2)),
        "the welcome before was 1"
    );
    assert_eq!(dials(&outputs), 0);
}

#[test]
fn a_window_of_a_restart_is_not_skipped() {
    let (mut script, _) = Script::online(4);
    let socket = script.socket;
    let window = Window {
        min: 2_000,
        max: 3_000,
    };
    script
        .session
        .handle_bye(script.now, socket, 4201, Some(window));
    assert_eq!(script.cause(), (Cause::Restart, Confidence::Certain));
    script.now = script.now + 200;
    script.session.retry(script.now);
    script.session.handle_page(script.now, PageEvent::Visible);
    let wait = script.session.retry_in(script.now).unwrap();
    assert!((1_800..=2_800).contains(&wait), "{wait}");
}

#[test]
fn retry_brings_the_next_attempt_forward_once_a_second() {
    let (mut script, _) = Script::online(4);
    for _ in 0..6 {
        script.close(1006);
        script.wait_for_deadline();
    }
    script.close(1006);
    script.now = script.now + 100;
    script.session.retry(script.now);
    assert_eq!(script.session.retry_in(script.now), Some(0));
    script.wait(0);
    script.close(1006);
    let before = script.session.retry_in(script.now);
    script.session.retry(script.now);
    assert_eq!(script.session.retry_in(script.now), before, "too soon");
}

#[test]
fn offline_holds_attempts_but_for_one_a_minute_and_online_ends_it() {
    let (mut script, _) = Script::online(4);
    script.close(1006);
    script.session.handle_page(script.now, PageEvent::Offline);
    assert_eq!(script.cause(), (Cause::Offline, Confidence::Certain));
    script.drain();
    assert_eq!(script.wait_for_deadline(), OFFLINE_ATTEMPT_MS);
    assert_eq!(dials(&script.drain()), 1);
    script.close(1006);
    assert!(
        script
            .drain()
            .iter()
            .all(|output| !matches!(output, Output::Probe(_)))
    );
    assert_eq!(
        script.session.retry_in(script.now),
        Some(OFFLINE_ATTEMPT_MS)
    );
    script.now = script.now + 300;
    script.session.handle_page(script.now, PageEvent::Online);
    assert_eq!(script.session.retry_in(script.now), Some(0));
}

#[test]
fn the_first_attempt_of_a_page_is_made_though_the_browser_says_offline() {
    let mut session = Session::new(config(), SEED, false, true);
    session.start(Millis(0));
    assert_eq!(session.poll_output(), Some(Output::Open(SocketId(0))));
}

#[test]
fn a_reinit_is_left_inside_its_window_once() {
    let (mut script, slot) = Script::online(4);
    let window = Window { min: 100, max: 300 };
    script.session.handle_reinit(script.now, Epoch(9), window);
    let planned = script.session.poll_timeout();
    script.session.handle_reinit(script.now, Epoch(9), window);
    script.session.handle_ping(script.now, Epoch(9), None, None);
    assert_eq!(script.drain(), [Output::Pong]);
    assert_eq!(script.session.poll_timeout(), planned, "two orders are one");
    let wait = script.wait_for_deadline();
    assert!((100..=300).contains(&wait));
    assert_eq!(script.cause(), (Cause::Reinit, Confidence::Certain));
    assert_eq!(
        script.wait_for_deadline(),
        0,
        "the window was waited for already"
    );
    script.drain();
    script.connect_as(
        Welcome {
            epoch: Epoch(9),
            ..welcome()
        },
        &[(slot, 4, 4)],
    );
    assert!(script.events().contains(&Event::Reconnect));
}

#[test]
fn a_final_end_stops_and_retry_leaves_it() {
    let (mut script, _) = Script::online(4);
    script.session.publish(script.now, 1, true).unwrap();
    script.close(4503);
    assert_eq!(script.session.state(), State::Closed);
    assert!(!script.session.outage().unwrap().will_retry);
    assert_eq!(script.session.poll_timeout(), None);
    let ended = PublishError::Ended(Cause::Kicked);
    assert_eq!(script.session.publish(script.now, 1, true), Err(ended));
    assert_eq!(script.session.pending(), 1, "what waits is kept");
    script.drain();
    script.session.retry(script.now);
    script.wait_for_deadline();
    let outputs = script.drain();
    assert_eq!(dials(&outputs), 1, "{outputs:?}");
    assert_eq!(script.session.state(), State::Reconnecting);
}

#[test]
fn nothing_follows_the_pages_own_close() {
    let (mut script, slot) = Script::online(4);
    let id = script.session.publish(script.now, 1, true).unwrap();
    script.drain();
    script.session.close();
    let outcome = Outcome::Closed;
    assert_eq!(
        script.drain(),
        [
            Output::Bye,
            Output::Event(Event::Status {
                slot,
                status: Status::Unsubscribed
            }),
            Output::Abandon(SocketId(0)),
            Output::Forget(slot),
            Output::Settled { id, outcome },
            Output::Event(Event::State {
                state: State::Closed,
                previous: State::Connected,
                cause: Some(Cause::Closed)
            }),
        ]
    );
    script.session.retry(script.now + 5_000);
    script.session.close();
    script.session.handle_page(script.now, PageEvent::Online);
    assert_eq!(
        (script.drain(), script.session.poll_timeout()),
        (vec![], None)
    );
}

#[test]
fn publishes_in_flight_go_again_first_and_keep_their_numbers() {
    let (mut script, slot) = Script::online(4);
    let id = script.session.publish(script.now, 1, true).unwrap();
    let again = None;
    assert_eq!(script.drain(), [Output::Publish { id, seq: 1, again }]);
    script.close(1006);
    let later = script.session.publish(script.now, 1, true).unwrap();
    let refused = script.session.publish(script.now, 1, false);
    assert_eq!(refused, Err(PublishError::NotConnected));
    let waited = script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 4, 4)]);
    let publishes: Vec<_> = script
        .drain()
        .into_iter()
        .filter(|output| matches!(output, Output::Publish { .. }))
        .collect();
    let first = Output::Publish {
        id,
        seq: 1,
        again: Some(waited),
    };
    let second = Output::Publish {
        id: later,
        seq: 2,
        again: None,
    };
    assert_eq!(publishes, [first, second]);
    script.session.handle_ok(script.now, id, None, 5, true);
    let outcome = Outcome::Accepted {
        offset: 5,
        duplicate: true,
    };
    assert_eq!(script.drain(), [Output::Settled { id, outcome }]);
}

#[test]
fn a_token_is_fetched_once_kept_and_fetched_again_when_it_expired() {
    let mut script = Script::new(Config {
        token: true,
        ..config()
    });
    script.session.start(script.now);
    assert_eq!(script.drain(), [Output::FetchToken]);
    script.session.handle_token(script.now, Token::Ready);
    assert_eq!(script.drain(), [Output::Open(SocketId(0))]);
    script.connect(&[]);
    script.close(1006);
    script.wait_for_deadline();
    assert_eq!(dials(&script.drain()), 1, "no second fetch");
    script.close(4401);
    script.wait_for_deadline();
    assert_eq!(script.drain().last(), Some(&Output::FetchToken));
    script.session.handle_token(script.now, Token::Ready);
    script.drain();
    script.close(4401);
    assert_eq!(
        script.session.state(),
        State::Closed,
        "the fresh one was refused too"
    );
    assert_eq!(script.cause(), (Cause::Expired, Confidence::Certain));
}

#[test]
fn a_token_that_cannot_be_fetched_is_retried_and_a_missing_one_is_not() {
    let mut script = Script::new(Config {
        token: true,
        ..config()
    });
    script.session.start(script.now);
    script.session.handle_token(script.now, Token::Failed);
    assert_eq!(script.cause().0.kind(), Kind::Network);
    script.drain();
    script.wait_for_deadline();
    assert_eq!(script.drain(), [Output::FetchToken]);
    script.session.handle_token(script.now, Token::Missing);
    assert_eq!(script.session.state(), State::Closed);
    assert_eq!(script.cause().0, Cause::Required);
}

#[test]
fn a_network_that_flaps_is_followed_at_once_each_time() {
    let (mut script, _) = Script::online(4);
    script.close(1006);
    for _ in 0..5 {
        script.session.handle_page(script.now, PageEvent::Offline);
        script.now = script.now + 300;
        script.session.handle_page(script.now, PageEvent::Online);
        assert_eq!(script.session.retry_in(script.now), Some(0));
        script.wait(0);
        assert_eq!(dials(&script.drain()), 1);
        script.close(1006);
    }
    assert!(script.session.retry_in(script.now).unwrap() <= 1_000);
}

#[test]
fn retry_leaves_a_final_end_again_a_second_later() {
    let (mut script, _) = Script::online(4);
    script.close(4504);
    script.session.retry(script.now);
    script.wait_for_deadline();
    script.drain();
    script.close(4504);
    assert_eq!(script.session.state(), State::Closed);
    script.session.retry(script.now);
    let wait = script.session.retry_in(script.now).unwrap();
    assert!(
        (RETRY_FLOOR_MS - 200..=RETRY_FLOOR_MS).contains(&wait),
        "{wait}"
    );
    script.drain();
    script.wait_for_deadline();
    assert_eq!(dials(&script.drain()), 1);
}

#[test]
fn closing_in_the_midst_of_the_news_ends_the_news() {
    let (mut script, _) = Script::online(4);
    script.close(1006);
    let state = |output: &Output| matches!(output, Output::Event(Event::State { .. }));
    while !state(&script.session.poll_output().unwrap()) {}
    script.session.close();
    let events = script.events();
    assert!(!events.contains(&Event::Disconnect), "{events:?}");
    let closed = |event: &Event| {
        matches!(
            event,
            Event::State {
                state: State::Closed,
                ..
            }
        )
    };
    assert!(events.iter().any(closed));
}

#[test]
fn a_request_of_the_page_ends_with_the_connection_or_with_the_page() {
    for (ends, outcome) in [(false, Outcome::Interrupted), (true, Outcome::Closed)] {
        let (mut script, _) = Script::online(4);
        let id = script.session.page_request(script.now).unwrap();
        if ends {
            script.session.close();
        } else {
            script.close(1006);
        }
        assert!(script.drain().contains(&Output::Settled { id, outcome }));
    }
}

#[test]
fn its_own_old_hello_that_arrives_late_does_not_end_a_client() {
    let (mut script, slot) = Script::online(4);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.session.handle_opened(script.socket); // says hello, and is not welcomed in time
    script.wait_for_deadline();
    script.drain();
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 4, 4)]);
    script.drain();
    script.close(4504);
    assert_eq!(script.session.state(), State::Reconnecting);
    assert!(script.session.outage().unwrap().will_retry);
    script.wait_for_deadline();
    script.drain();
    script.connect(&[(slot, 4, 4)]);
    script.now = script.now + 300_000;
    script.close(4504);
    assert_eq!(
        script.session.state(),
        State::Closed,
        "nothing of ours is on its way any more"
    );
}
