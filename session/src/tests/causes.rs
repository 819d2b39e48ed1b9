//! What each piece of evidence may claim, and what it may not.

use super::*;

/// Cut, and one dial failed: its probe is under way.
fn probing() -> Script {
    probing_with(config())
}

fn probing_with(config: Config) -> Script {
    let (mut script, _) = Script::online_with(config, 4);
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.close(1006);
    assert_eq!(script.cause(), (Cause::Lost, Confidence::Guess));
    script.drain();
    script
}

fn probe(script: &mut Script, health: Health) -> Vec<Event> {
    let number = script.probe;
    script.session.handle_probe(script.now, number, health);
    script.events()
}

#[test]
fn a_probe_that_is_refused_at_once_is_a_server_that_cannot_be_reached() {
    let mut script = probing();
    script.now = script.now + 5;
    assert_eq!(probe(&mut script, Health::Failed), [Event::Cause]);
    assert_eq!(script.cause(), (Cause::Unreachable, Confidence::Likely));
    assert_eq!(
        script.session.outage().unwrap().evidence.probe,
        Probed::Refused
    );
    assert_eq!(probe(&mut script, Health::Failed), [], "told once");
}

#[test]
fn a_dial_and_a_probe_that_time_out_prove_nothing_against_the_server() {
    let mut script = probing();
    script.now = script.now + 2_000;
    assert_eq!(probe(&mut script, Health::Timeout), []);
    assert_eq!(script.cause().0, Cause::Lost);
    let mut script = probing();
    script.now = script.now + REFUSED_MS + 1;
    assert_eq!(
        probe(&mut script, Health::Failed),
        [],
        "a slow failure is none"
    );
}

#[test]
fn the_witness_tells_our_uplink_from_their_server() {
    for (answers, cause) in [(true, Cause::Unreachable), (false, Cause::Lost)] {
        let mut script = probing_with(Config {
            witness: true,
            ..config()
        });
        let number = script.probe;
        script
            .session
            .handle_probe(script.now, number, Health::Timeout);
        assert_eq!(script.drain(), [Output::Witness(number)]);
        script.session.handle_witness(number, answers);
        assert_eq!(script.cause().0, cause);
    }
}

#[test]
fn a_probe_that_takes_longer_than_the_next_dial_is_still_an_answer() {
    let mut script = probing_with(Config {
        witness: true,
        ..config()
    });
    let number = script.probe;
    for _ in 0..2 {
        script.wait_for_deadline();
        script.drain();
        script.close(1006);
        script.drain();
    }
    assert_eq!(script.probe, number, "one at a time");
    script
        .session
        .handle_probe(script.now, number, Health::Timeout);
    assert_eq!(script.drain(), [Output::Witness(number)]);
    script.session.handle_witness(number, true);
    assert_eq!(script.cause().0, Cause::Unreachable);
}

#[test]
fn blocked_needs_three_dials_that_fail_while_the_server_accepts() {
    let mut script = probing();
    for _ in 1..BLOCKED_DIALS {
        assert_eq!(probe(&mut script, Health::Accepting), []);
        script.wait_for_deadline();
        script.drain();
        script.close(1006);
        script.drain();
    }
    assert_eq!(probe(&mut script, Health::Accepting), [Event::Cause]);
    assert_eq!(script.cause(), (Cause::Blocked, Confidence::Likely));
}

#[test]
fn a_server_that_says_not_now_is_believed_and_obeyed() {
    let mut script = probing();
    let health = Health::Refusing {
        why: Refusal::NotReady,
        retry: 4_000,
    };
    assert_eq!(probe(&mut script, health), [Event::Cause]);
    assert_eq!(script.cause(), (Cause::NotReady, Confidence::Certain));
    assert!(script.session.retry_in(script.now).unwrap() >= 4_000);
    script.session.retry(script.now);
    assert!(script.session.retry_in(script.now).unwrap() >= 4_000);
}

#[test]
fn a_polite_restart_stays_a_restart_while_the_server_is_down() {
    let (mut script, _) = Script::online(4);
    let socket = script.socket;
    script.session.handle_bye(script.now, socket, 4201, None);
    script.wait_for_deadline();
    script.drain();
    script.close(1006);
    script.drain();
    assert_eq!(probe(&mut script, Health::Failed), []);
    assert_eq!(script.cause(), (Cause::Restart, Confidence::Certain));
}

#[test]
fn a_lost_connection_that_comes_back_to_another_application_was_a_reinit_or_a_restart() {
    for (node, cause) in [(NODE, Cause::Reinit), (Epoch(8), Cause::Restart)] {
        let (mut script, slot) = Script::online(4);
        script.close(1006);
        script.wait_for_deadline();
        script.events();
        let other = Welcome {
            epoch: Epoch(9),
            node,
            ..welcome()
        };
        script.connect_as(other, &[(slot, 4, 4)]);
        assert_eq!(script.events().first(), Some(&Event::Cause));
        assert_eq!(script.session.last_outage().unwrap().cause, cause);
    }
}

#[test]
fn silence_past_the_deadline_ends_it_without_a_close() {
    let (mut script, _) = Script::online(4);
    assert_eq!(script.wait_for_deadline(), 1_250);
    assert_eq!(script.drain()[0], Output::Abandon(SocketId(0)));
    assert_eq!(script.cause(), (Cause::Silent, Confidence::Likely));
}

#[test]
fn a_timer_that_comes_late_proves_nothing() {
    let (mut script, _) = Script::online(4);
    script.session.handle_page(script.now, PageEvent::Hidden);
    script.wait(60_000);
    assert!(matches!(script.drain()[..], [Output::Ping(_)]), "it asks");
    let socket = script.socket;
    script.session.handle_alive(script.now, socket);
    script.wait(2_000 - 1_000);
    assert_eq!(script.drain(), [], "and any frame is an answer");
    assert_eq!(script.session.state(), State::Connected);
}

#[test]
fn a_busy_page_reads_what_has_come_before_it_calls_a_server_silent() {
    let (mut script, _) = Script::online(4);
    script.session.handle_page(script.now, PageEvent::Visible);
    script.drain();
    script.wait(2_700);
    assert_eq!(script.drain(), [], "700 ms late: the answer may be here");
    script.session.handle_alive(script.now, script.socket);
    assert_eq!(script.session.state(), State::Connected);
    let (mut script, _) = Script::online(4);
    script.wait(1_250 + 700);
    assert_eq!(script.drain(), []);
    script.wait_for_deadline();
    assert_eq!(
        script.cause().0,
        Cause::Silent,
        "one moment, not one after another"
    );
}

#[test]
fn a_machine_that_slept_says_so() {
    let (mut script, _) = Script::online(4);
    script.wait(60_000);
    script.drain();
    script.close(1006);
    assert_eq!(script.cause(), (Cause::Slept, Confidence::Likely));
    assert_eq!(script.cause().0.kind(), Kind::Page);
    assert_eq!(script.session.retry_in(script.now), Some(0));
}

#[test]
fn a_false_offline_is_asked_in_band_and_survives() {
    let (mut script, _) = Script::online(4);
    script.session.handle_page(script.now, PageEvent::Offline);
    assert!(matches!(script.drain()[..], [Output::Ping(_)]));
    let socket = script.socket;
    script.session.handle_alive(script.now, socket);
    script.session.handle_page(script.now, PageEvent::Online);
    assert!(matches!(script.drain()[..], [Output::Ping(_)]));
    assert_eq!(script.session.state(), State::Connected);
}

#[test]
fn a_true_offline_is_a_probe_without_an_answer() {
    let (mut script, _) = Script::online(4);
    script.session.handle_page(script.now, PageEvent::Offline);
    script.drain();
    assert_eq!(script.wait_for_deadline(), 2_000);
    assert_eq!(script.cause(), (Cause::Offline, Confidence::Certain));
}

#[test]
fn the_pages_own_absence_is_no_fault_of_the_network() {
    for (away, back, cause) in [
        (PageEvent::Freeze, PageEvent::Resume, Cause::Frozen),
        (PageEvent::Cached, PageEvent::Restored, Cause::PageCache),
    ] {
        let (mut script, _) = Script::online(4);
        script.session.handle_page(script.now, away);
        script.now = script.now + 100_000;
        script.session.handle_page(script.now, back);
        script.close(1006);
        assert_eq!(script.cause(), (cause, Confidence::Likely));
    }
}

#[test]
fn a_changed_epoch_in_a_ping_is_a_reinit_that_nobody_announced() {
    let (mut script, _) = Script::online(4);
    script.session.handle_ping(script.now, Epoch(9), None, None);
    assert_eq!(script.drain()[0], Output::Abandon(SocketId(0)));
    assert_eq!(script.cause(), (Cause::Reinit, Confidence::Certain));
}

#[test]
fn who_draws_a_late_instant_and_is_told_to_go_is_still_reinitialised() {
    let (mut script, _) = Script::online(4);
    let window = Window { min: 300, max: 300 };
    script.session.handle_reinit(script.now, Epoch(9), window);
    script
        .session
        .handle_bye(script.now, script.socket, 4203, Some(window));
    assert_eq!(script.cause(), (Cause::Reinit, Confidence::Certain));
    assert_eq!(script.session.retry_in(script.now), Some(ATTEMPT_FLOOR_MS));
}

#[test]
fn a_refusal_right_after_a_dial_without_an_answer_may_be_the_end_of_the_hole() {
    let mut script = probing();
    probe(&mut script, Health::Timeout);
    for told in [vec![], vec![Event::Cause]] {
        script.wait_for_deadline();
        script.drain();
        assert_eq!(script.wait_for_deadline(), 750, "the dial hangs");
        script.drain();
        script.now = script.now + 400;
        assert_eq!(
            probe(&mut script, Health::Failed),
            told,
            "twice in a row is no accident"
        );
    }
    assert_eq!(script.cause().0, Cause::Unreachable);
}

#[test]
fn an_application_that_is_not_ready_during_its_reinit_is_still_reinitialised() {
    let (mut script, _) = Script::online(4);
    script.session.handle_ping(script.now, Epoch(9), None, None);
    script.wait_for_deadline();
    script.drain();
    let retry = Window { min: 400, max: 400 };
    script
        .session
        .handle_bye(script.now, script.socket, 4202, Some(retry));
    assert_eq!(script.cause(), (Cause::Reinit, Confidence::Certain));
    assert_eq!(script.session.retry_in(script.now), Some(400));
}

#[test]
fn who_stays_past_a_reinits_window_is_still_reinitialised() {
    let (mut script, _) = Script::online(4);
    let window = Window {
        min: 9_000,
        max: 9_000,
    };
    script.session.handle_reinit(script.now, Epoch(9), window);
    script.close(4203);
    assert_eq!(script.cause(), (Cause::Reinit, Confidence::Certain));
}

#[test]
fn every_close_code_has_its_action() {
    let ends = [
        (1000, Cause::Lost, true),
        (1001, Cause::Restart, true),
        (1006, Cause::Lost, true),
        (1008, Cause::Lost, true),
        (1009, Cause::TooLarge, false),
        (1011, Cause::Error, true),
        (1012, Cause::Restart, true),
        (1013, Cause::Overload, true),
        (1002, Cause::Protocol, false),
        (4100, Cause::Error, true),
        (4101, Cause::Silent, true),
        (4102, Cause::TooSlow, true),
        (4103, Cause::Protocol, true),
        (4142, Cause::Error, true),
        (4200, Cause::Overload, true),
        (4202, Cause::NotReady, true),
        (4203, Cause::Forced, true),
        (4311, Cause::Forced, true),
        (4400, Cause::Required, false),
        (4403, Cause::Denied, false),
        (4500, Cause::Protocol, false),
        (4502, Cause::TooLarge, false),
        (4504, Cause::Replaced, false),
        (4600, Cause::Lost, true),
    ];
    for (code, cause, retries) in ends {
        let (mut script, _) = Script::online(4);
        script.close(code);
        assert_eq!(script.cause().0, cause, "{code}");
        assert_eq!(script.session.poll_timeout().is_some(), retries, "{code}");
        assert_eq!(script.session.outage().unwrap().evidence.code, code);
    }
}

#[test]
fn a_page_trigger_leaves_a_dial_that_hangs_since_before_it() {
    let (mut script, _) = Script::online_with(
        Config {
            connect_timeout: 10_000,
            ..config()
        },
        4,
    );
    script.close(1006);
    script.wait_for_deadline();
    script.drain();
    script.now = script.now + 3_000;
    script.session.handle_page(script.now, PageEvent::Online);
    assert_eq!(script.drain(), [Output::Abandon(SocketId(1))]);
    assert_eq!(script.wait_for_deadline(), 0);
    assert_eq!(script.drain(), [Output::Open(SocketId(2))]);
}
