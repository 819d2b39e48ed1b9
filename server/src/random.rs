//! Names that nobody can guess, and jitter.

/// A random name of 96 bits, URL-safe: epochs, sessions, nodes.
pub fn name() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0u8; 16];
    fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 63)]))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the entropy of the drivers is asked for here"
)]
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system provides randomness");
}

/// A small generator for jitter; nothing secret comes from it.
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Seeded by the operating system.
    pub fn new() -> Self {
        let mut seed = [0u8; 8];
        fill(&mut seed);
        Self(u64::from_le_bytes(seed))
    }

    /// Uniform in 90–110 % of `millis`.
    pub fn around(&mut self, millis: u64) -> u64 {
        let spread = millis / 5;
        millis - spread / 2 + self.next() % (spread + 1)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}
