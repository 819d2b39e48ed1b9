//! The functions under the npm package: they convert values and decide nothing. A client is a number.

use rejoin_session::{Backoff, Config, Id, OutboxLimits, PublishError, Session, Slot};
use wasm_bindgen::prelude::*;

use crate::bridge::Host;
use crate::driver::{self, Client, client, now};

/// Reserves a handle for [`start`], so that the page knows it before its first callback. Nothing may come between.
#[wasm_bindgen]
pub fn create() -> u32 {
    driver::create()
}

/// Starts a client. Times in ms; `flags`: 1 token, 2 health, 4 witness.
#[wasm_bindgen]
#[allow(clippy::too_many_arguments, reason = "numbers cross the border cheaper than an object")]
pub fn start(
    handle: u32,
    host: Host,
    base: f64,
    cap: f64,
    connect_timeout: f64,
    probe_timeout: f64,
    count: u32,
    bytes: u32,
    flags: u32,
) {
    let config = Config {
        backoff: Backoff {
            base: base as u64,
            cap: cap as u64,
        },
        connect_timeout: connect_timeout as u64,
        probe_timeout: probe_timeout as u64,
        token: flags & 1 != 0,
        health: flags & 2 != 0,
        witness: flags & 4 != 0,
        outbox: OutboxLimits { count, bytes },
    };
    Client::start(handle, host, config);
}

/// Wants a channel whose name has this hash. Returns its slot, to be named before [`flush`].
#[wasm_bindgen]
pub fn subscribe(handle: u32, hash: u32) -> u32 {
    client(handle).map_or(0, |client| client.input(|session, now| session.subscribe(now, hash).0))
}

/// Gives a channel up.
#[wasm_bindgen]
pub fn unsubscribe(handle: u32, slot: u32) {
    act(handle, |session| session.unsubscribe(now(), Slot(slot)));
}

/// Takes a publish of `bytes` of payload. Returns its id, whose payload is to be kept before [`flush`]; negative when it
/// was not taken: -1 not connected, -2 queue full, -3 ended.
#[wasm_bindgen]
pub fn publish(handle: u32, bytes: u32, queue: bool) -> i32 {
    let Some(client) = client(handle) else {
        return -3;
    };
    match client.input(|session, now| session.publish(now, bytes, queue)) {
        Ok(Id(id)) => id as i32,
        Err(PublishError::NotConnected) => -1,
        Err(PublishError::QueueFull) => -2,
        Err(PublishError::Ended(_)) => -3,
    }
}

/// An id for a request of the page's own, to be sent before [`flush`]; 0 while not connected.
#[wasm_bindgen]
pub fn request(handle: u32) -> u32 {
    let id = client(handle).and_then(|client| client.input(|session, now| session.page_request(now)));
    id.map_or(0, |id| id.0)
}

/// Does what the calls before asked for.
#[wasm_bindgen]
pub fn flush(handle: u32) {
    act(handle, |_| {});
}

/// Now, please.
#[wasm_bindgen]
pub fn retry(handle: u32) {
    act(handle, |session| session.retry(now()));
}

fn act(handle: u32, input: impl FnOnce(&mut Session)) {
    if let Some(client) = client(handle) {
        client.input(|session, _| input(session));
        client.drain();
    }
}

/// The end, by the page.
#[wasm_bindgen]
pub fn close(handle: u32) {
    if let Some(client) = client(handle) {
        client.close();
    }
}

/// A fact of the outage under way, by number, in the order of `OUTAGE` in client.ts; NaN when there is none.
#[wasm_bindgen]
pub fn outage(handle: u32, fact: u32) -> f64 {
    let fact = client(handle).and_then(|client| {
        client.input(|session, now| {
            let outage = session.outage()?;
            let evidence = &outage.evidence;
            Some(match fact {
                0 => (outage.cause as u8).into(),
                1 => (outage.confidence as u8).into(),
                2 => (now - outage.since) as f64,
                3 => outage.attempts.into(),
                4 => u8::from(outage.will_retry).into(),
                5 => session.retry_in(now)? as f64,
                6 => (evidence.socket as u8).into(),
                7 => evidence.code.into(),
                8 => u8::from(evidence.online).into(),
                9 => (evidence.probe as u8).into(),
                _ => u8::from(evidence.witness?).into(),
            })
        })
    });
    fact.unwrap_or(f64::NAN)
}
