//! What one socket could not take yet.
//!
//! **Invariant:** the bytes held never exceed the bound, unless one single item does. Items are shared, so an item counts whole until
//! its last byte is written: that is the memory it pins.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;

/// A queue of bytes to write, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    items: VecDeque<Bytes>,
    /// Bytes pinned by the items, written parts included.
    pinned: usize,
    /// Bytes of the first item that were written.
    written: usize,
}

/// The queue has no room for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends `item`, of which `written` bytes are already out. An empty outbox takes an item of any size.
    pub fn push(&mut self, item: Bytes, written: usize, bound: usize) -> Result<(), Full> {
        if !self.is_empty() && self.pinned + item.len() > bound {
            return Err(Full);
        }
        if self.is_empty() {
            self.written = written;
        }
        self.pinned += item.len();
        self.items.push_back(item);
        Ok(())
    }

    /// What to write next, in at most `slices.len()` pieces. Returns how many.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, item) in slices.iter_mut().zip(&self.items) {
            *slot = IoSlice::new(if count == 0 {
                &item[self.written..]
            } else {
                item
            });
            count += 1;
        }
        count
    }

    /// `bytes` of what [`Outbox::fill`] gave were written. Frees its memory when it empties.
    pub fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(first) = self.items.front() {
            if self.written < first.len() {
                return;
            }
            self.written -= first.len();
            self.pinned -= first.len();
            self.items.pop_front();
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everything_comes_out_in_order_and_the_bound_holds(
            steps in proptest::collection::vec((0usize..20, 0usize..20), 0..80), bound in 1usize..60
        ) {
            let (mut outbox, mut expected, mut out) = (Outbox::default(), Vec::new(), Vec::new());
            let mut next = 0u8;
            for (size, take) in steps {
                let item: Vec<u8> = (0..size + 1).map(|_| { next = next.wrapping_add(1); next }).collect();
                match outbox.push(Bytes::from(item.clone()), 0, bound) {
                    Ok(()) => expected.extend(item),
                    Err(Full) => prop_assert!(outbox.pinned + item.len() > bound),
                }
                prop_assert!(outbox.pinned <= bound || outbox.items.len() == 1);
                let mut slices = [IoSlice::new(&[]); 4];
                let count = outbox.fill(&mut slices);
                let ready: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                let taken = take.min(ready.len());
                out.extend(&ready[..taken]);
                if taken > 0 { outbox.advance(taken); }
            }
            prop_assert!(expected.starts_with(&out));
        }
    }

    #[test]
    fn the_rest_of_a_short_write_is_kept() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"abcdef"), 4, 1).unwrap();
        let mut slices = [IoSlice::new(&[])];
        assert_eq!(outbox.fill(&mut slices), 1);
        assert_eq!(&*slices[0], b"ef");
        assert_eq!(outbox.push(Bytes::from_static(b"g"), 0, 1), Err(Full));
        outbox.advance(2);
        assert!(outbox.is_empty());
    }
}
