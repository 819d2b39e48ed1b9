//! Why a connection ended: the closed list, the evidence, and what each piece of evidence may claim.
//!
//! **Invariant:** nothing here claims more than its evidence. A browser shows every failed handshake and every
//! abrupt end as 1006, so a cause may start as `lost` and be made precise by what the next attempt and the probe
//! of the server's `/health` show; it never becomes less precise within one outage.

use crate::types::Millis;

/// Why a connection ended. The order is the wire's list in PROTOCOL.md § Causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(
    missing_docs,
    reason = "each is explained in PROTOCOL.md § Causes, the closed list"
)]
pub enum Cause {
    Offline,
    Silent,
    Lost,
    Unreachable,
    Restart,
    Overload,
    Error,
    Reinit,
    NotReady,
    Forced,
    Required,
    Expired,
    Denied,
    Kicked,
    Replaced,
    TooSlow,
    TooLarge,
    Protocol,
    Frozen,
    PageCache,
    Slept,
    Blocked,
    Closed,
}

/// What a banner says, one for each group of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Your connection.
    Network,
    /// Our server.
    Server,
    /// We are updating.
    Application,
    /// Please sign in.
    Credentials,
    /// We had to stop.
    Policy,
    /// Nothing to say: the page itself was away.
    Page,
    /// Your network blocks live connections.
    Blocked,
    /// Closed by the page.
    Closed,
}

impl Cause {
    /// The group that a banner speaks of.
    pub fn kind(self) -> Kind {
        match self {
            Self::Offline | Self::Silent | Self::Lost => Kind::Network,
            Self::Unreachable | Self::Restart | Self::Overload | Self::Error => Kind::Server,
            Self::Reinit | Self::NotReady | Self::Forced => Kind::Application,
            Self::Required | Self::Expired | Self::Denied => Kind::Credentials,
            Self::Kicked | Self::Replaced | Self::TooSlow | Self::TooLarge | Self::Protocol => {
                Kind::Policy
            }
            Self::Frozen | Self::PageCache | Self::Slept => Kind::Page,
            Self::Blocked => Kind::Blocked,
            Self::Closed => Kind::Closed,
        }
    }
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Confidence {
    /// The best name for what little is known.
    Guess,
    /// The evidence points there, and another explanation exists.
    Likely,
    /// Told by the server, or a fact by itself.
    Certain,
}

/// How the socket of the last attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SocketEnd {
    /// It was open and a close event came.
    Closed,
    /// It was open and nothing was heard past the deadline.
    Silent,
    /// The dial failed.
    Failed,
    /// The dial was not welcomed within its deadline.
    Timeout,
    /// The client left it because the server said so.
    Left,
    /// There was none: the token could not be fetched.
    Token,
}

/// What the health probe of this outage showed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Probed {
    /// Not asked, or not answered yet.
    None,
    /// It failed at once.
    Refused,
    /// It failed late, or had no answer in time.
    Timeout,
    /// A 5xx.
    Error,
    /// The server lives.
    Ok,
}

/// The facts behind a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// How the socket ended.
    pub socket: SocketEnd,
    /// Close code, 0 when there was none.
    pub code: u16,
    /// What the browser said of the network at that moment.
    pub online: bool,
    /// The probe of the server's health.
    pub probe: Probed,
    /// Whether the witness, a URL elsewhere, answered; `None` when not asked.
    pub witness: Option<bool>,
}

/// One outage, from the first sign of it until every channel has caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The best known cause.
    pub cause: Cause,
    /// How sure it is.
    pub confidence: Confidence,
    /// On what facts.
    pub evidence: Evidence,
    /// When it began.
    pub since: Millis,
    /// Dials made in it.
    pub attempts: u32,
    /// Whether another attempt follows by itself.
    pub will_retry: bool,
    /// Publications replayed so far.
    pub recovered: u32,
    /// Gaps told so far.
    pub gaps: u32,
}

impl Outage {
    /// Takes a new reading. Returns whether the cause that the page knows has changed.
    ///
    /// What the server said stays, but for two things that contradict it: a network that the browser calls
    /// offline while dials fail, and a server that refuses dial and probe though it promised to live.
    pub(crate) fn learn(&mut self, cause: Cause, confidence: Confidence) -> bool {
        let told = self.confidence == Confidence::Certain && self.cause.kind() != Kind::Network;
        let replaces = match cause {
            Cause::Lost => self.cause.kind() == Kind::Page,
            Cause::Offline => true,
            Cause::Unreachable => !matches!(self.cause, Cause::Restart),
            // An application that is not ready because it is being re-initialised is that.
            Cause::NotReady => self.cause != Cause::Reinit,
            Cause::Blocked | Cause::Silent => !told,
            _ => true,
        };
        if !replaces || cause == self.cause {
            if cause == self.cause {
                self.confidence = self.confidence.max(confidence);
            }
            return false;
        }
        self.cause = cause;
        self.confidence = confidence;
        true
    }
}

/// What follows an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Dial at once.
    Now,
    /// Inside the window that was given, else the standing one; page triggers must not skip it.
    Ordered,
    /// The same, twice as long.
    Doubled,
    /// The standing window for the first attempt after a drop, then full jitter.
    Backoff,
    /// Fetch another token, then dial; a second refusal in a row stops.
    Refresh,
    /// Nothing: retries cannot mend it.
    Stop,
}

/// What an end is taken for, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading(pub(crate) Cause, pub(crate) Confidence, pub(crate) Plan);

/// What the close codes mean, the first range that holds one. Source: PROTOCOL.md § Close codes.
const CLOSES: [(u16, u16, Reading); 24] = {
    use Confidence::{Certain, Likely};
    const fn closes(
        first: u16,
        last: u16,
        cause: Cause,
        sure: Confidence,
        plan: Plan,
    ) -> (u16, u16, Reading) {
        (first, last, Reading(cause, sure, plan))
    }
    [
        closes(1001, 1001, Cause::Restart, Likely, Plan::Ordered),
        closes(1002, 1003, Cause::Protocol, Certain, Plan::Stop),
        closes(1007, 1007, Cause::Protocol, Certain, Plan::Stop),
        closes(1009, 1009, Cause::TooLarge, Certain, Plan::Stop),
        closes(1011, 1011, Cause::Error, Likely, Plan::Backoff),
        closes(1012, 1012, Cause::Restart, Likely, Plan::Ordered),
        closes(1013, 1013, Cause::Overload, Likely, Plan::Doubled),
        closes(4101, 4101, Cause::Silent, Certain, Plan::Backoff),
        closes(4102, 4102, Cause::TooSlow, Certain, Plan::Backoff),
        closes(4103, 4103, Cause::Protocol, Certain, Plan::Backoff),
        closes(4201, 4201, Cause::Restart, Certain, Plan::Ordered),
        closes(4202, 4202, Cause::NotReady, Certain, Plan::Ordered),
        closes(4203, 4203, Cause::Forced, Certain, Plan::Ordered),
        closes(4310, 4310, Cause::Restart, Certain, Plan::Ordered),
        closes(4400, 4400, Cause::Required, Certain, Plan::Stop),
        closes(4401, 4401, Cause::Expired, Certain, Plan::Refresh),
        closes(4502, 4502, Cause::TooLarge, Certain, Plan::Stop),
        closes(4503, 4503, Cause::Kicked, Certain, Plan::Stop),
        closes(4504, 4504, Cause::Replaced, Certain, Plan::Stop),
        // Codes of later servers: the hundreds digit is the action.
        closes(4100, 4199, Cause::Error, Certain, Plan::Backoff),
        closes(4200, 4299, Cause::Overload, Certain, Plan::Ordered),
        closes(4300, 4399, Cause::Forced, Certain, Plan::Ordered),
        closes(4400, 4499, Cause::Denied, Certain, Plan::Stop),
        closes(4500, 4599, Cause::Protocol, Certain, Plan::Stop),
    ]
};

/// What a close code means.
pub(crate) fn of_close(code: u16) -> Reading {
    let known = CLOSES
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code));
    known.map_or(
        Reading(Cause::Lost, Confidence::Guess, Plan::Backoff),
        |&(_, _, reading)| reading,
    )
}
