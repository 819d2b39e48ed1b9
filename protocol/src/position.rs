//! Channel names, positions, where a subscription begins, and the digest.

use crate::limits::CHANNEL_NAME_BYTES;
use serde::{Deserialize, Serialize};

/// Whether `name` is a channel name: 1–255 bytes of `A-Z a-z 0-9 _ : . - /`.
pub fn is_channel_name(name: &str) -> bool {
    (1..=CHANNEL_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_:.-/".contains(&byte))
}

/// "I have everything up to here": one incarnation of a channel's numbering, and an offset in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The incarnation.
    pub epoch: String,
    /// The last offset seen; 0 is before the first.
    pub offset: u64,
}

/// Where a subscription without a position begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// With the next message.
    #[default]
    Now,
    /// With the last message there is.
    Last,
    /// With the last `n` messages, `n` ≥ 1, as far as history has them.
    Rewind(u64),
}

/// Where a subscription begins: a position wins over `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After a position.
    After(Position),
    /// By `from`.
    From(From),
}

/// The digest of a set of channel names: the XOR of their hashes, 0 for none.
///
/// Adding and removing a name are the same operation, [`Digest::toggle`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u32);

impl Digest {
    /// Adds a name that is not in the set, or removes one that is.
    pub fn toggle(&mut self, name: &str) {
        self.0 ^= fnv1a(name);
    }
}

/// 32-bit FNV-1a over the bytes of `name`.
pub fn fnv1a(name: &str) -> u32 {
    name.bytes().fold(2_166_136_261, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(names: &[&str]) -> u32 {
        let mut digest = Digest::default();
        names.iter().for_each(|name| digest.toggle(name));
        digest.0
    }

    #[test]
    fn digests_are_those_of_the_specification() {
        assert_eq!(sum(&[]), 0);
        assert_eq!(sum(&["a"]), 3_826_002_220);
        assert_eq!(sum(&["a", "b"]), 50_332_873);
        assert_eq!(sum(&["chat", "orders"]), 2_417_323_847);
        assert_eq!(sum(&["chat", "rooms/1:lobby"]), 3_399_644_686);
        assert_eq!(sum(&["a", "b", "a"]), sum(&["b"]));
    }

    #[test]
    fn channel_names_are_checked() {
        for good in ["a", "rooms/1:lobby", "A-Z_0.9", &"x".repeat(255)] {
            assert!(is_channel_name(good), "{good}");
        }
        for bad in ["", "no spaces", "a.*", "ä", "a\n", "a\"b", &"x".repeat(256)] {
            assert!(!is_channel_name(bad), "{bad}");
        }
    }
}
