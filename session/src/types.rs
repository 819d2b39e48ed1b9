//! The vocabulary between a session and its driver: numbers, no strings.

use core::ops::{Add, Sub};

/// Monotonic milliseconds; the origin is the driver's business. In a browser the driver adds the time that
/// the monotonic clock stood still (a suspended machine), so that deadlines hold by wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// Later than every deadline.
    pub const NEVER: Self = Self(u64::MAX);
}

impl Add<u64> for Millis {
    type Output = Self;
    #[inline(never)] // two dozen callers: measured
    fn add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub for Millis {
    type Output = u64;
    /// Milliseconds since `earlier`; 0 when the clock went backwards.
    #[inline(never)]
    fn sub(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A channel that the page knows, by its place in the driver's table of names. Reused after [`Output::Forget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// A request of this session: never reused, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub u32);

/// An epoch string that the driver interned. 0 is never an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub u32);

/// Generation of a socket. Events of any other generation than the current one are old news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// Last publication delivered on a channel: dense `offset` within one incarnation `epoch` of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Incarnation of the history.
    pub epoch: Epoch,
    /// Last offset delivered; 0 before the first. Below 2^53.
    pub offset: u64,
}

/// Waiting time given by the server, `[min, max]` ms, drawn uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Shortest wait, ms.
    pub min: u64,
    /// Longest wait, ms.
    pub max: u64,
}

/// State of the socket as the page sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Never connected yet.
    Connecting,
    /// From the server's welcome on.
    Connected,
    /// Was connected, and will be again.
    Reconnecting,
    /// Ended: by the page, or by an end that retries cannot mend.
    Closed,
}

/// State of one subscription as the page sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Asked for, or to be asked for at the next welcome.
    Subscribing,
    /// Confirmed by the server.
    Subscribed,
    /// Refused by the server, or removed by a kick; not asked for again by itself.
    Denied,
    /// Given up by the page.
    Unsubscribed,
}

/// What to do with a publication that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one: drain the outputs, then give it to the listeners. The position has advanced already.
    Deliver,
    /// Delivered before, or not asked for: drop it.
    Repeat,
    /// Behind a hole that is being filled: keep it, in order, until [`Output::Release`] or [`Output::Discard`].
    Hold,
    /// Too much waits behind the hole: drain the outputs, which release it, then offer this one by `accept_held`.
    Again,
}

/// Why publications are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// No longer in the history.
    Expired,
    /// This client was too slow to take them.
    Slow,
    /// The history began anew: nobody can know what was missed.
    Epoch,
}

/// How the server answered a subscribe: in `welcome`, or in the `ok` of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Incarnation of the channel's history.
    pub epoch: Epoch,
    /// Where delivery begins: `since + 1` is the next offset to come.
    pub since: u64,
    /// The channel's top at that instant; replay ends there.
    pub offset: u64,
}

/// The server's timing, from `welcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Of the application.
    pub epoch: Epoch,
    /// The server process, interned like an epoch.
    pub node: Epoch,
    /// Ms between pings of the server.
    pub ping: u64,
    /// Ms after `ping` without any frame before suspicion.
    pub grace: u64,
    /// Wait before the first attempt after an unannounced drop.
    pub retry: Window,
}

/// Life of the page around the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageEvent {
    /// The browser says that there is a network.
    Online,
    /// The browser says that there is none: a hint, never a proof.
    Offline,
    /// The tab can be seen.
    Visible,
    /// The tab cannot be seen: its timers are throttled.
    Hidden,
    /// The page is about to stand still.
    Freeze,
    /// The page goes on after [`PageEvent::Freeze`].
    Resume,
    /// The page went into the back/forward cache.
    Cached,
    /// The page came back from the back/forward cache.
    Restored,
}

/// What the health probe of a failed dial found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The server lives and says that it accepts connections.
    Accepting,
    /// The server says that it would refuse a connection now.
    Refusing {
        /// What it named.
        why: Refusal,
        /// Ms until it wants to be asked again.
        retry: u64,
    },
    /// A 5xx: a proxy answers for a server that does not.
    ServerError,
    /// Something answered, and it tells nothing about the server.
    Unknown,
    /// The request failed: refused, reset, no name. How fast it failed, the session measures itself.
    Failed,
    /// No answer within the deadline.
    Timeout,
}

/// `why` of a `/health` that does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much to do.
    Overload,
    /// The application is not ready.
    NotReady,
    /// This page's origin is not allowed.
    Origin,
}

/// What became of a fetch of the page's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// There is one; the driver keeps it.
    Ready,
    /// The page has none to give: sign-in is required.
    Missing,
    /// The page could not ask: treated as a network failure.
    Failed,
}

/// Why a publish was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// `queue: false`, and there is no connection.
    NotConnected,
    /// The outbox is at its limit of count or bytes.
    QueueFull,
    /// The session has ended.
    Ended(crate::Cause),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server accepted it.
    Accepted {
        /// Of the publication; 0 for requests that have none.
        offset: u64,
        /// It had been accepted before, at that offset.
        duplicate: bool,
    },
    /// The server answered with an error; the driver has its code.
    Refused,
    /// The connection ended before the answer (requests that are not kept).
    Interrupted,
    /// The page closed the socket.
    Closed,
}

/// What the driver must do, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// Ask the page for a token, then call `handle_token`.
    FetchToken,
    /// Dial. There is never more than one socket: the previous one was closed or abandoned.
    Open(SocketId),
    /// Detach every handler, close it, forget it: its events are not waited for.
    Abandon(SocketId),
    /// Send `hello` with every channel of `Session::rejoining`.
    Hello,
    /// Send `subscribe` from the channel's position.
    Subscribe {
        /// Which channel.
        slot: Slot,
        /// Request id.
        id: Id,
    },
    /// Send `unsubscribe`.
    Unsubscribe {
        /// Which channel.
        slot: Slot,
        /// Request id.
        id: Id,
    },
    /// Send the publish that the driver keeps under this id.
    Publish {
        /// Request id; the same for a repeat.
        id: Id,
        /// Per producer.
        seq: u64,
        /// On a repeat: ms since it was first sent.
        again: Option<u64>,
    },
    /// The publish is settled: forget its payload and tell the caller.
    Settled {
        /// Which one.
        id: Id,
        /// How.
        outcome: Outcome,
    },
    /// Send `history`, exclusive on both ends, to fill a hole.
    History {
        /// Which channel.
        slot: Slot,
        /// Request id.
        id: Id,
        /// Last offset delivered.
        after: u64,
        /// First offset that is here already.
        before: u64,
    },
    /// Send `subscriptions`: the digest differs.
    Subscriptions(Id),
    /// Send `ping`: is anybody there?
    Ping(Id),
    /// Answer the server's ping.
    Pong,
    /// Send `bye`: the page closes on purpose.
    Bye,
    /// Ask the server's health URL, then call `handle_probe` with this number.
    Probe(u32),
    /// Ask the witness, then call `handle_witness` with this number.
    Witness(u32),
    /// Offer what was held back on this channel again, by `accept_held`.
    Release(Slot),
    /// Drop what was held back on this channel: it will come again.
    Discard(Slot),
    /// Nobody uses the slot any more: forget its name.
    Forget(Slot),
    /// Tell the page.
    Event(Event),
}

/// What the page is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A transition, never a repetition.
    State {
        /// The new one.
        state: State,
        /// The one before.
        previous: State,
        /// Of `reconnecting` and `closed`.
        cause: Option<crate::Cause>,
    },
    /// An outage began; what is known of it is in `Session::outage`.
    Disconnect,
    /// The outage's cause was made more precise; see `Session::outage`.
    Cause,
    /// The outage is over and every channel has caught up; the whole of it is in `Session::last_outage`.
    Reconnect,
    /// Publications are missing on a channel.
    Gap {
        /// Which channel.
        slot: Slot,
        /// First offset missed.
        from: u64,
        /// Last offset missed; `None` when nobody can know.
        to: Option<u64>,
        /// Why.
        why: Why,
    },
    /// A subscription's state changed.
    Status {
        /// Which channel.
        slot: Slot,
        /// Its new state.
        status: Status,
    },
}
