//! Where a subscription begins. Source: PROTOCOL.md § Positions and recovery.

use super::History;
use rejoin_protocol::position::{From, Start};
use std::sync::Arc;

/// The answer to a start: delivery begins behind `since`; `since + 1 … offset` are replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The channel's epoch.
    pub epoch: Arc<str>,
    /// Delivery begins behind this offset.
    pub since: u64,
    /// The channel's last offset at this instant.
    pub offset: u64,
    /// A position was given, and nothing between it and `since` is missing.
    pub recovered: bool,
}

/// Where delivery begins for a client that starts at `start`.
pub fn begin(history: &History, start: &Start) -> Begin {
    let (top, before_oldest) = (history.top(), history.oldest() - 1);
    let (since, recovered) = match start {
        Start::After(position) if *position.epoch != **history.epoch() => (before_oldest, false),
        Start::After(position) if position.offset > top => (top, false),
        Start::After(position) if position.offset >= before_oldest => (position.offset, true),
        Start::After(_) => (before_oldest, false),
        Start::From(From::Now) => (top, false),
        Start::From(From::Last) => (before_oldest.max(top.saturating_sub(1)), false),
        Start::From(From::Rewind(count)) => (before_oldest.max(top.saturating_sub(*count)), false),
    };
    Begin {
        epoch: history.epoch().clone(),
        since,
        offset: top,
        recovered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::history::Retention;
    use crate::clock::Millis;
    use bytes::Bytes;
    use proptest::prelude::*;
    use rejoin_protocol::position::Position;
    use std::time::Duration;

    fn history(count: usize, published: u64) -> History {
        let retention = Retention {
            count,
            bytes: usize::MAX,
            ttl: Duration::MAX,
        };
        let mut history = History::new("e".into(), retention);
        for _ in 0..published {
            history.push(Millis(0), |_| Bytes::new());
        }
        history
    }

    fn at(epoch: &str, offset: u64) -> Start {
        Start::After(Position {
            epoch: epoch.into(),
            offset,
        })
    }

    fn since(history: &History, start: Start) -> (u64, bool) {
        let begin = begin(history, &start);
        (begin.since, begin.recovered)
    }

    #[test]
    fn positions_are_answered_as_the_table_says() {
        let kept = history(5, 8); // holds 4..=8
        assert_eq!(since(&kept, at("e", 8)), (8, true));
        assert_eq!(since(&kept, at("e", 3)), (3, true));
        assert_eq!(since(&kept, at("e", 2)), (3, false));
        assert_eq!(since(&kept, at("e", 9)), (8, false));
        assert_eq!(since(&kept, at("other", 8)), (3, false));
        assert_eq!(since(&history(0, 8), at("e", 7)), (8, false));
        assert_eq!(since(&history(5, 0), at("other", 7)), (0, false));
    }

    #[test]
    fn from_reaches_back_as_far_as_history_does() {
        let kept = history(5, 8);
        assert_eq!(since(&kept, Start::From(From::Now)), (8, false));
        assert_eq!(since(&kept, Start::From(From::Last)), (7, false));
        assert_eq!(since(&kept, Start::From(From::Rewind(2))), (6, false));
        assert_eq!(since(&kept, Start::From(From::Rewind(99))), (3, false));
        assert_eq!(since(&history(5, 0), Start::From(From::Last)), (0, false));
        assert_eq!(since(&history(0, 3), Start::From(From::Last)), (3, false));
    }

    proptest! {
        #[test]
        fn what_begins_can_be_replayed_whole(count in 0usize..10, published in 0u64..30, offset in 0u64..40) {
            let history = history(count, published);
            let begin = begin(&history, &at("e", offset));
            prop_assert!(begin.since <= begin.offset);
            prop_assert_eq!(history.after(begin.since, usize::MAX).messages.len() as u64, begin.offset - begin.since);
            prop_assert_eq!(begin.recovered, begin.since == offset && offset <= published);
        }
    }
}
