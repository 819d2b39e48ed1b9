//! What a client is told, as numbers: what, the key of what it belongs to, and up to two numbers, `at` (often a slot) and
//! `number` (often an offset). The few inputs with more have the rest read by `bridge::more`. The list is also in
//! bridge.js, in the same order.

use rejoin_session::{
    Epoch, Health, Id, Joined, Millis, PageEvent, Position, PublishError, Refusal, Session, Slot,
    SocketId, Token, Verdict, Welcome, Why, Window,
};

use crate::bridge::{self, more};

// Frames, whose key is the socket. They are also told that it lives.
pub(crate) const MESSAGE: i32 = 0; // slot, offset → verdict
const PING: i32 = 1; // epoch, sum; retry window
pub(crate) const OK: i32 = 2; // id, offset; epoch, since, duplicate
const ERROR: i32 = 3; // id, retry
const LIVE: i32 = 4; // slot
const GAP: i32 = 5; // slot, offset; epoch, why
const KICK: i32 = 6; // slot; also for a channel that the welcome refuses
const WELCOME: i32 = 7; // epoch, ping; retry window, node, grace → 1 when it was waited for
const REINIT: i32 = 8; // epoch; window
const BYE: i32 = 9; // code; window
const JOINED: i32 = 10; // slot, offset; epoch, since: a channel in the welcome
const WELCOMED: i32 = 11; // the last of the welcome
const OTHER: i32 = 12; // → 1 when the socket is the one that is listened to
// What else happens, with the key that the order had.
const UNLISTED: i32 = 13; // slot: it lacks in the server's list
const OPENED: i32 = 14;
const CLOSED: i32 = 15; // code
const PROBED: i32 = 16; // ms to wait, health
const WITNESSED: i32 = 17; // answered
const TOKEN: i32 = 18; // what became of it
const PAGE: i32 = 19; // page event
pub(crate) const TIMEOUT: i32 = 20;
// What the page wants.
const START: i32 = 21;
const HELD: i32 = 22; // slot, offset → verdict: from a history, or held behind a hole
const UNSUBSCRIBE: i32 = 23; // slot
const RETRY: i32 = 24;
pub(crate) const CLOSE: i32 = 25;
const FLUSH: i32 = 26; // does what those below asked for
// What the page wants to know first; what follows is done at `FLUSH`.
pub(crate) const SUBSCRIBE: i32 = 27; // hash → slot, to be named before `FLUSH`
const PUBLISH: i32 = 28; // key: bytes; queue → id, or -1 not connected, -2 queue full, -3 ended
const REQUEST: i32 = 29; // → id; 0 while not connected
const OUTAGE: i32 = 30; // → 1 when there is one, which `learn` then told

/// Gives the session one input and returns the answer.
pub(super) fn take(
    session: &mut Session,
    client: i32,
    what: i32,
    key: u32,
    at: u32,
    number: f64,
) -> f64 {
    let now = super::now();
    let socket = SocketId(key);
    if what <= OTHER {
        if !session.is_current(socket) {
            return 0.0;
        }
        session.handle_alive(now, socket);
    }
    let slot = Slot(at); // beyond every slot when the channel is not ours
    let (id, epoch) = (Id(at), Epoch(at));
    let offset = number as u64;
    match what {
        MESSAGE => return verdict(session.accept(now, slot, offset)),
        HELD => return verdict(session.accept_held(now, slot, offset)),
        PING => session.handle_ping(now, epoch, some(number).map(|sum| sum as u32), window()),
        OK => session.handle_ok(now, id, Some(joined(offset)), offset, more(2) > 0.0),
        ERROR => session.handle_error(now, id, (number > 0.0).then_some(number as u64)),
        LIVE => session.handle_live(now, slot),
        GAP => handle_gap(session, slot, offset),
        KICK => session.handle_refused(now, slot),
        WELCOME => {
            let welcome = Welcome {
                epoch,
                node: Epoch(more(2) as u32),
                ping: number as u64,
                grace: more(3) as u64,
                retry: window().unwrap_or(AT_ONCE),
            };
            return session.handle_welcome(now, socket, welcome).into();
        }
        REINIT => session.handle_reinit(now, epoch, window().unwrap_or(AT_ONCE)),
        BYE => session.handle_bye(now, socket, at as u16, window()),
        JOINED => session.handle_joined(slot, joined(offset)),
        WELCOMED => session.handle_welcomed(now),
        UNLISTED => session.handle_unlisted(now, slot),
        OTHER => return 1.0,
        OPENED => session.handle_opened(socket),
        CLOSED => session.handle_closed(now, socket, at as u16),
        PROBED => session.handle_probe(now, key, health(number as u32, at)),
        WITNESSED => session.handle_witness(key, at != 0),
        TOKEN => session.handle_token(now, token(at)),
        PAGE => {
            if let Some(event) = page_event(at) {
                session.handle_page(now, event);
            }
        }
        TIMEOUT => session.handle_timeout(now),
        START => session.start(now),
        UNSUBSCRIBE => session.unsubscribe(now, slot),
        RETRY => session.retry(now),
        CLOSE => session.close(),
        FLUSH => {}
        SUBSCRIBE => return session.subscribe(now, at).0.into(),
        PUBLISH => {
            return match session.publish(now, key, at != 0) {
                Ok(id) => id.0.into(),
                Err(PublishError::NotConnected) => -1.0,
                Err(PublishError::QueueFull) => -2.0,
                Err(PublishError::Ended(_)) => -3.0,
            };
        }
        REQUEST => return session.page_request(now).map_or(0.0, |id| id.0.into()),
        OUTAGE => return tell_outage(session, now, client).into(),
        _ => {}
    }
    0.0
}

const AT_ONCE: Window = Window { min: 0, max: 0 };

/// What a frame does not have arrives as NaN, which every cast to an integer takes for 0.
fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

/// The window of a frame.
fn window() -> Option<Window> {
    some(more(0)).map(|min| Window {
        min: min as u64,
        max: more(1) as u64,
    })
}

fn joined(offset: u64) -> Joined {
    Joined {
        epoch: Epoch(more(0) as u32),
        since: more(1) as u64,
        offset,
    }
}

fn verdict(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Repeat => 0.0,
        Verdict::Deliver => 1.0,
        Verdict::Hold => 2.0,
        Verdict::Again => 3.0,
    }
}

fn handle_gap(session: &mut Session, slot: Slot, offset: u64) {
    let Some(old) = session.position(slot) else {
        return;
    };
    let epoch = match more(0) as u32 {
        0 => old.epoch,
        epoch => Epoch(epoch),
    };
    let why = match more(1) as i32 {
        1 => Why::Slow,
        2 => Why::Epoch,
        _ => Why::Expired,
    };
    session.handle_gap(slot, Position { epoch, offset }, why);
}

/// `Health` in the numbers of `HEALTH` in bridge.js; `retry` in ms.
fn health(code: u32, retry: u32) -> Health {
    let refusing = |why| Health::Refusing {
        why,
        retry: retry.into(),
    };
    match code {
        1 => Health::Accepting,
        2 => Health::ServerError,
        3 => Health::Failed,
        4 => Health::Timeout,
        5 => refusing(Refusal::Origin),
        6 => refusing(Refusal::Overload),
        7 => refusing(Refusal::NotReady),
        _ => Health::Unknown,
    }
}

fn token(code: u32) -> Token {
    match code {
        0 => Token::Ready,
        1 => Token::Missing,
        _ => Token::Failed,
    }
}

fn page_event(number: u32) -> Option<PageEvent> {
    Some(match number {
        0 => PageEvent::Online,
        1 => PageEvent::Offline,
        2 => PageEvent::Visible,
        3 => PageEvent::Hidden,
        4 => PageEvent::Freeze,
        5 => PageEvent::Resume,
        6 => PageEvent::Cached,
        7 => PageEvent::Restored,
        _ => return None,
    })
}

/// Hands over what is known of the outage. Returns whether there is one.
fn tell_outage(session: &Session, now: Millis, client: i32) -> bool {
    let Some(outage) = session.outage() else {
        return false;
    };
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
