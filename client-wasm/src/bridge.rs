//! What `js/bridge.js` does for the driver: it reads and writes frames and keeps names, payloads and epochs, so that
//! only numbers and opaque handles cross the border. Every function is one small import; bytes are counted here.

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

/// Types of frames that the driver knows, in the order of `KINDS` in bridge.js.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Message,
    Ping,
    Ok,
    Error,
    Live,
    Gap,
    Join,
    Leave,
    Kick,
    Welcome,
    Reinit,
    Bye,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Message,
        Self::Ping,
        Self::Ok,
        Self::Error,
        Self::Live,
        Self::Gap,
        Self::Join,
        Self::Leave,
        Self::Kick,
        Self::Welcome,
        Self::Reinit,
        Self::Bye,
    ];

    /// `None`: a type that this version does not know, to be ignored.
    pub(crate) fn of(number: i32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// Numbers of a frame, in the order of `FIELDS` in bridge.js.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Field {
    Id,
    Offset,
    Since,
    To,
    Code,
    Sum,
    Ping,
    Grace,
    Retry,
    WindowMin,
    WindowMax,
    RetryMin,
    RetryMax,
    Why,
    Duplicate,
    Epoch,
    Node,
}

/// Frames to send, in the order of `FRAMES` in bridge.js.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Send {
    Hello,
    Subscribe,
    Unsubscribe,
    Publish,
    History,
    Subscriptions,
    Ping,
    Pong,
    Bye,
}

/// What the page is told, in the order of `TOLD` in bridge.js.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Tell {
    State,
    Disconnect,
    Cause,
    Reconnect,
    Gap,
    Status,
    Settled,
    Forget,
    Error,
}

#[wasm_bindgen(module = "/js/bridge.js")]
extern "C" {
    /// The page's side of one client: see `Host` in bridge.js.
    #[derive(Clone)]
    pub(crate) type Host;

    /// Wall-clock milliseconds that never run backwards and do not stand still while the machine sleeps.
    pub(crate) fn clock() -> f64;
    /// A random number below 2^53.
    pub(crate) fn seed() -> f64;
    /// `wake` with its first two arguments given.
    pub(crate) fn bind(wake: &Function, op: u32, id: u32) -> Function;
    /// A new socket, kept as the one to send on. `None` when the browser throws: that is told to the page as an error,
    /// and is a dial that failed.
    pub(crate) fn construct(host: &Host) -> Option<WebSocket>;
    /// Listens to the events of the page's life: `wake` is called with `first` and more for each, in the order of
    /// `PAGE_EVENTS`.
    pub(crate) fn watch(host: &Host, wake: &Function, first: u32);
    /// Listens no more.
    pub(crate) fn unwatch(host: &Host);
    /// Whether the browser says that there is a network; true where it says nothing.
    pub(crate) fn is_online() -> bool;
    /// Whether the page can be seen; true where there is none.
    pub(crate) fn is_visible() -> bool;
    /// The frames in an event's text; empty when it is not what a server sends.
    pub(crate) fn frames(event: &JsValue) -> Array;
    /// The frame's [`Kind`], negative when unknown. The frame becomes the one that details are taken from.
    pub(crate) fn kind(host: &Host, frame: &JsValue) -> i32;
    /// A number of a frame; NaN when it has none.
    pub(crate) fn number(host: &Host, frame: &JsValue, field: i32) -> f64;
    /// The slot of the frame's channel; negative when it is not ours.
    pub(crate) fn slot(host: &Host, frame: &JsValue) -> i32;
    /// What a frame with `channels` says of a slot's channel; from now on details are taken from it. `None`: nothing.
    pub(crate) fn entry(host: &Host, frame: &JsValue, slot: u32) -> Option<JsValue>;
    /// Whether an entry is a refusal.
    pub(crate) fn refused(entry: &JsValue) -> bool;
    /// The publications in the answer to `history`.
    pub(crate) fn messages(frame: &JsValue) -> Array;
    /// Takes names, limits and the like from a welcome.
    pub(crate) fn welcome(host: &Host, frame: &JsValue);
    /// Gives up, on the wire, what the server lists and nobody here knows.
    pub(crate) fn give_up(host: &Host, frame: &JsValue);
    /// Adds a channel to the next hello or subscribe. `epoch` 0: no position.
    pub(crate) fn rejoining(host: &Host, slot: u32, epoch: u32, offset: f64);
    /// Sends one frame.
    pub(crate) fn send(host: &Host, what: i32, a: u32, b: u32, c: f64, d: f64);
    /// Gives a publication, a join or a leave to the listeners of a slot.
    pub(crate) fn deliver(host: &Host, slot: u32, frame: &JsValue);
    /// Keeps a publication that is behind a hole.
    pub(crate) fn hold(host: &Host, slot: u32, frame: &JsValue);
    /// Takes out what was held.
    pub(crate) fn release(host: &Host, slot: u32) -> Array;
    /// Asks the health URL, or the witness; the answer comes through `wake`.
    pub(crate) fn probe(host: &Host, witness: bool, ms: f64, wake: &Function);
    /// Asks the page for its token; the answer comes through `wake`.
    pub(crate) fn token(host: &Host, wake: &Function);
    /// Tells the page.
    pub(crate) fn tell(host: &Host, what: i32, a: f64, b: f64, c: f64, d: f64, e: f64);
}
