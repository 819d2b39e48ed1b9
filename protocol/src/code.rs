//! Close codes with their actions and causes, and error codes: the closed lists of `PROTOCOL.md`.

use std::fmt;

/// A WebSocket close code. In 4xxx the hundreds digit is the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Does not reconnect by itself.
    Stop,
    /// Reconnects: the standing window first, then full jitter.
    Backoff,
    /// Reconnects inside the window that `bye` gave, or else the standing one.
    Window,
    /// As [`Action::Window`], with both ends doubled.
    Doubled,
    /// Opens the new socket first; a client without handover treats it as [`Action::Window`].
    Handover,
    /// Gets a new token once and reconnects; without tokens as [`Action::Stop`].
    Refresh,
}

macro_rules! names {
    ($(#[$outer:meta])* $type:ident { $($(#[$inner:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$inner])* $variant,)* }
        impl $type {
            /// Every one, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.name() == name)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// What a banner says about a [`Cause`].
    Kind {
        /// Your connection.
        Network = "network",
        /// Our server.
        Server = "server",
        /// We are updating.
        Application = "application",
        /// Please sign in.
        Credentials = "credentials",
        /// We had to stop.
        Policy = "policy",
        /// No banner: the page itself rested.
        Page = "page",
        /// Your network blocks live connections.
        Blocked = "blocked",
        /// Closed by the page itself.
        Closed = "closed",
    }
}

names! {
    /// Why a connection ended: the closed list.
    Cause {
        /// The device says that it has no network, and the socket or a probe failed.
        Offline = "offline",
        /// Nothing heard past the deadline.
        Silent = "silent",
        /// Closed without a reason, and not known yet why.
        Lost = "lost",
        /// A dial failed, and the probe was refused at once or answered 5xx.
        Unreachable = "unreachable",
        /// 1001, 1012 or `bye` 4201.
        Restart = "restart",
        /// 1013 or 4200.
        Overload = "overload",
        /// 1011 or 4100.
        Error = "error",
        /// `reinit`, or a changed epoch in `ping`.
        Reinit = "reinit",
        /// 4202.
        NotReady = "not-ready",
        /// 4203.
        Forced = "forced",
        /// 4400.
        Required = "required",
        /// 4401.
        Expired = "expired",
        /// 4403.
        Denied = "denied",
        /// 4503.
        Kicked = "kicked",
        /// 4504.
        Replaced = "replaced",
        /// 4102: the one policy cause that is retried.
        TooSlow = "too-slow",
        /// 1009 or 4502.
        TooLarge = "too-large",
        /// 1002, 1003, 1007, 4103 or 4500.
        Protocol = "protocol",
        /// The page was frozen.
        Frozen = "frozen",
        /// The page was in the back/forward cache.
        PageCache = "page-cache",
        /// The device slept.
        Slept = "slept",
        /// Three dials in a row failed while the probe said `accepting: true`.
        Blocked = "blocked",
        /// The application closed it.
        Closed = "closed",
    }
}

impl Cause {
    /// What a user can be told about it.
    pub const fn kind(self) -> Kind {
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

impl CloseCode {
    /// A normal end, asked for by the client.
    pub const NORMAL: Self = Self(1000);
    /// A broken WebSocket frame.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A binary frame.
    pub const UNSUPPORTED: Self = Self(1003);
    /// A text frame that is not UTF-8.
    pub const INVALID_UTF8: Self = Self(1007);
    /// An internal failure.
    pub const INTERNAL: Self = Self(4100);
    /// Nothing heard for `ping + grace`.
    pub const PING_TIMEOUT: Self = Self(4101);
    /// The client took its data too slowly.
    pub const TOO_SLOW: Self = Self(4102);
    /// No `hello` in time.
    pub const NO_HELLO: Self = Self(4103);
    /// The server stops.
    pub const RESTART: Self = Self(4201);
    /// The application is not ready.
    pub const NOT_READY: Self = Self(4202);
    /// Told to reconnect.
    pub const FORCED: Self = Self(4203);
    /// The client broke the protocol.
    pub const BAD_PROTOCOL: Self = Self(4500);
    /// A frame above `limits.frame`.
    pub const TOO_LARGE: Self = Self(4502);
    /// Another connection took this client's place.
    pub const REPLACED: Self = Self(4504);

    /// What the client does about it.
    pub fn action(self) -> Action {
        self.row().0
    }

    /// What it says about the end, before any probe.
    pub fn cause(self) -> Cause {
        self.row().1
    }

    fn row(self) -> (Action, Cause) {
        let find = |key| TABLE.iter().find(|(code, ..)| *code == key);
        let exact = find(Codes::One(self.0));
        let hundred = || find(Codes::Hundred(self.0 / 100));
        exact
            .or_else(hundred)
            .map_or((Action::Backoff, Cause::Lost), |&(_, action, cause)| {
                (action, cause)
            })
    }
}

/// Which codes a row of [`TABLE`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// One code.
    One(u16),
    /// Every code of a hundred that has no row of its own: `Hundred(41)` is 41xx.
    Hundred(u16),
}

/// The table of close codes; any other code is [`Action::Backoff`], [`Cause::Lost`].
pub const TABLE: &[(Codes, Action, Cause)] = {
    use Action::{Backoff, Doubled, Handover, Refresh, Stop, Window};
    use Codes::{Hundred, One};
    &[
        (One(1000), Backoff, Cause::Lost),
        (One(1001), Window, Cause::Restart),
        (One(1002), Stop, Cause::Protocol),
        (One(1003), Stop, Cause::Protocol),
        (One(1005), Backoff, Cause::Lost),
        (One(1006), Backoff, Cause::Lost),
        (One(1007), Stop, Cause::Protocol),
        (One(1008), Backoff, Cause::Lost),
        (One(1009), Stop, Cause::TooLarge),
        (One(1011), Backoff, Cause::Error),
        (One(1012), Window, Cause::Restart),
        (One(1013), Doubled, Cause::Overload),
        (One(1015), Backoff, Cause::Lost),
        (One(4100), Backoff, Cause::Error),
        (One(4101), Backoff, Cause::Silent),
        (One(4102), Backoff, Cause::TooSlow),
        (One(4103), Backoff, Cause::Protocol),
        (Hundred(41), Backoff, Cause::Error),
        (One(4200), Window, Cause::Overload),
        (One(4201), Window, Cause::Restart),
        (One(4202), Window, Cause::NotReady),
        (One(4203), Window, Cause::Forced),
        (Hundred(42), Window, Cause::Overload),
        (One(4310), Handover, Cause::Restart),
        (One(4311), Handover, Cause::Forced),
        (Hundred(43), Handover, Cause::Forced),
        (One(4400), Stop, Cause::Required),
        (One(4401), Refresh, Cause::Expired),
        (One(4403), Stop, Cause::Denied),
        (Hundred(44), Stop, Cause::Denied),
        (One(4500), Stop, Cause::Protocol),
        (One(4502), Stop, Cause::TooLarge),
        (One(4503), Stop, Cause::Kicked),
        (One(4504), Stop, Cause::Replaced),
        (Hundred(45), Stop, Cause::Protocol),
    ]
};

names! {
    /// Codes of `error` frames and of refused channels in `welcome`.
    ErrorCode {
        /// A member is missing, has another type, or is out of its range.
        BadRequest = "bad_request",
        /// Not a channel name.
        BadChannel = "bad_channel",
        /// An object with an `id` and a `type` that the server does not know.
        UnknownType = "unknown_type",
        /// `data` is nested too deep, or larger than the server can keep.
        TooLarge = "too_large",
        /// More channels than `limits.channels` on this connection.
        Limit = "limit",
        /// `history` or `presence` of a channel that the connection is not subscribed to.
        NotSubscribed = "not_subscribed",
        /// A repeated publish whose record may be gone.
        Expired = "expired",
        /// `call`: there is no such method.
        NoMethod = "no_method",
        /// `history` was asked for another epoch than the channel's.
        Epoch = "epoch",
        /// An internal failure; try again.
        Unavailable = "unavailable",
    }
}

impl ErrorCode {
    /// Whether the same command may succeed later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// The sentence for a developer when there is nothing more precise to say.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BadRequest => "bad request",
            Self::BadChannel => "a channel name is 1 to 255 of A-Z a-z 0-9 _ : . - /",
            Self::UnknownType => "unknown type",
            Self::TooLarge => "too large",
            Self::Limit => "too many channels on this connection",
            Self::NotSubscribed => "not subscribed to this channel",
            Self::Expired => "whether this was published before is no longer known",
            Self::NoMethod => "no such method",
            Self::Epoch => "the channel has another epoch",
            Self::Unavailable => "unavailable for the moment, try again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_fall_back_by_their_hundred() {
        assert_eq!(
            (CloseCode(4199).action(), CloseCode(4199).cause()),
            (Action::Backoff, Cause::Error)
        );
        assert_eq!(CloseCode(4299).action(), Action::Window);
        assert_eq!(CloseCode(4599).action(), Action::Stop);
        assert_eq!(
            (CloseCode(4999).action(), CloseCode(3000).cause()),
            (Action::Backoff, Cause::Lost)
        );
    }

    #[test]
    fn names_are_unique_and_found_again() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.name()), Some(*cause));
        }
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(*code));
        }
    }
}
