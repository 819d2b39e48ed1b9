//! What a client is told, as numbers: each input by its number, a key and up to six more. The list is also in bridge.js,
//! in the same order.

use rejoin_session::{
    Epoch, Health, Id, Joined, Millis, PageEvent, Position, PublishError, Refusal, Session, Slot,
    SocketId, Token, Verdict, Welcome, Why, Window,
};

use crate::bridge;

// Frames, whose key is the socket. They are also told that it lives.
pub(crate) const MESSAGE: i32 = 0; // slot, offset → verdict
pub(crate) const PING: i32 = 1; // epoch, sum, retry window
pub(crate) const OK: i32 = 2; // id, offset, duplicate, epoch, since
pub(crate) const ERROR: i32 = 3; // id, retry
pub(crate) const LIVE: i32 = 4; // slot
pub(crate) const GAP: i32 = 5; // slot, epoch, offset, why
pub(crate) const KICK: i32 = 6; // slot; also for a channel that the welcome refuses
pub(crate) const WELCOME: i32 = 7; // epoch, node, ping, grace, retry window → 1 when it was waited for
pub(crate) const REINIT: i32 = 8; // epoch, window
pub(crate) const BYE: i32 = 9; // code, window
pub(crate) const JOINED: i32 = 10; // slot, epoch, since, offset: a channel in the welcome
pub(crate) const WELCOMED: i32 = 11; // the last of the welcome
pub(crate) const OTHER: i32 = 12; // → 1 when the socket is the one that is listened to
// What else happens, with the key that the order had.
pub(crate) const UNLISTED: i32 = 13; // slot: it lacks in the server's list
pub(crate) const OPENED: i32 = 14;
pub(crate) const CLOSED: i32 = 15; // code
pub(crate) const PROBED: i32 = 16; // health
pub(crate) const WITNESSED: i32 = 17; // answered
pub(crate) const TOKEN: i32 = 18; // what became of it
pub(crate) const PAGE: i32 = 19; // page event, in the order of `PAGE_EVENTS`
pub(crate) const TIMEOUT: i32 = 20;
// What the page wants.
pub(crate) const START: i32 = 21;
pub(crate) const HELD: i32 = 22; // slot, offset → verdict: from a history, or held behind a hole
pub(crate) const UNSUBSCRIBE: i32 = 23; // slot
pub(crate) const RETRY: i32 = 24;
pub(crate) const CLOSE: i32 = 25;
pub(crate) const FLUSH: i32 = 26; // does what those below asked for
// What the page wants to know first; what follows is done at `FLUSH`.
pub(crate) const SUBSCRIBE: i32 = 27; // key: hash → slot, to be named before `FLUSH`
pub(crate) const PUBLISH: i32 = 28; // key: bytes; queue → id, or -1 not connected, -2 queue full, -3 ended
pub(crate) const REQUEST: i32 = 29; // → id; 0 while not connected
pub(crate) const OUTAGE: i32 = 30; // → 1 when there is one, which `learn` then told

/// Gives the session one input and returns the answer.
pub(super) fn take(session: &mut Session, now: Millis, client: i32, what: i32, key: u32, n: [f64; 6]) -> f64 {
    let socket = SocketId(key);
    if what <= OTHER {
        if !session.is_current(socket) {
            return 0.0;
        }
        session.handle_alive(now, socket);
    }
    let slot = Slot(n[0] as u32); // beyond every slot when the channel is not ours
    let id = Id(n[0] as u32);
    let epoch = |at: usize| Epoch(n[at] as u32);
    match what {
        MESSAGE => return verdict(session.accept(now, slot, n[1] as u64)),
        HELD => return verdict(session.accept_held(now, slot, n[1] as u64)),
        PING => session.handle_ping(now, epoch(0), some(n[1]).map(|sum| sum as u32), window(n[2], n[3])),
        OK => {
            let joined = joined(n[3], n[4], n[1]);
            session.handle_ok(now, id, Some(joined), n[1] as u64, n[2] > 0.0);
        }
        ERROR => session.handle_error(now, id, (n[1] > 0.0).then_some(n[1] as u64)),
        LIVE => session.handle_live(now, slot),
        GAP => handle_gap(session, slot, epoch(1), n[2] as u64, n[3]),
        KICK => session.handle_refused(now, slot),
        WELCOME => {
            let welcome = Welcome {
                epoch: epoch(0),
                node: epoch(1),
                ping: n[2] as u64,
                grace: n[3] as u64,
                retry: window(n[4], n[5]).unwrap_or(AT_ONCE),
            };
            return session.handle_welcome(now, socket, welcome).into();
        }
        REINIT => session.handle_reinit(now, epoch(0), window(n[1], n[2]).unwrap_or(AT_ONCE)),
        BYE => session.handle_bye(now, socket, n[0] as u16, window(n[1], n[2])),
        JOINED => session.handle_joined(slot, joined(n[1], n[2], n[3])),
        WELCOMED => session.handle_welcomed(now),
        UNLISTED => session.handle_unlisted(now, slot),
        OTHER => return 1.0,
        OPENED => session.handle_opened(socket),
        CLOSED => session.handle_closed(now, socket, n[0] as u16),
        PROBED => session.handle_probe(now, key, health(n[0])),
        WITNESSED => session.handle_witness(key, n[0] > 0.0),
        TOKEN => session.handle_token(now, token(n[0])),
        PAGE => {
            if let Some(event) = page_event(n[0] as u32) {
                session.handle_page(now, event);
            }
        }
        TIMEOUT => session.handle_timeout(now),
        START => session.start(now),
        UNSUBSCRIBE => session.unsubscribe(now, slot),
        RETRY => session.retry(now),
        CLOSE => session.close(),
        SUBSCRIBE => return session.subscribe(now, key).0.into(),
        PUBLISH => {
            return match session.publish(now, key, n[0] > 0.0) {
                Ok(id) => id.0.into(),
                Err(PublishError::NotConnected) => -1.0,
                Err(PublishError::QueueFull) => -2.0,
                Err(PublishError::Ended(_)) => -3.0,
            };
        }
        REQUEST => return session.page_request(now).map_or(0.0, |id| id.0.into()),
        OUTAGE => return tell_outage(session, now, client).into(),
        _ => {} // FLUSH
    }
    0.0
}

const AT_ONCE: Window = Window { min: 0, max: 0 };

/// What a frame does not have arrives as NaN, which every cast to an integer takes for 0.
fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

fn window(min: f64, max: f64) -> Option<Window> {
    some(min).map(|min| Window {
        min: min as u64,
        max: max as u64,
    })
}

fn joined(epoch: f64, since: f64, offset: f64) -> Joined {
    Joined {
        epoch: Epoch(epoch as u32),
        since: since as u64,
        offset: offset as u64,
    }
}

fn verdict(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Repeat => 0.0,
        Verdict::Deliver => 1.0,
        Verdict::Hold => 2.0,
    }
}

fn handle_gap(session: &mut Session, slot: Slot, epoch: Epoch, offset: u64, why: f64) {
    let Some(old) = session.position(slot) else { return };
    let epoch = if epoch.0 == 0 { old.epoch } else { epoch };
    let why = match why as i32 {
        1 => Why::Slow,
        2 => Why::Epoch,
        _ => Why::Expired,
    };
    session.handle_gap(slot, Position { epoch, offset }, why);
}

/// `read` in bridge.js: 0 unknown, 1 accepting, 2 server error, 3 failed, 4 timeout, 5 origin refused; from 10 on
/// overload and from 1e9 on not ready, with the ms to wait added.
fn health(code: f64) -> Health {
    match code as u64 {
        1 => Health::Accepting,
        2 => Health::ServerError,
        3 => Health::Failed,
        4 => Health::Timeout,
        5 => Health::Refusing {
            why: Refusal::Origin,
            retry: 0,
        },
        0..10 => Health::Unknown,
        ms @ 10..1_000_000_000 => Health::Refusing {
            why: Refusal::Overload,
            retry: ms - 10,
        },
        ms => Health::Refusing {
            why: Refusal::NotReady,
            retry: ms - 1_000_000_000,
        },
    }
}

fn token(code: f64) -> Token {
    match code as u32 {
        0 => Token::Ready,
        1 => Token::Missing,
        _ => Token::Failed,
    }
}

fn page_event(number: u32) -> Option<PageEvent> {
    Some(match number {
        0 => PageEvent::Online,
        1 => PageEvent::Offline,
        2 => PageEvent::Cached,
        3 => PageEvent::Restored,
        4 => PageEvent::Hidden,
        5 => PageEvent::Visible,
        6 => PageEvent::Freeze,
        7 => PageEvent::Resume,
        _ => return None,
    })
}

/// Hands over what is known of the outage. Returns whether there is one.
fn tell_outage(session: &Session, now: Millis, client: i32) -> bool {
    let Some(outage) = session.outage() else { return false };
    let evidence = &outage.evidence;
    bridge::learn(
        client,
        outage.cause as i32,
        outage.confidence as i32,
        (now - outage.since) as f64,
        outage.attempts as i32,
        outage.will_retry.into(),
        session.retry_in(now).map_or(-1.0, |ms| ms as f64),
        evidence.socket as i32,
        evidence.code.into(),
        evidence.online.into(),
        evidence.probe as i32,
        evidence.witness.map_or(-1, i32::from),
    );
    true
}
