//! The allocator of the npm package: 2.5 KB smaller than std's, and as good for what a session allocates, which is at
//! subscribe and publish and never per message.
//!
//! A block has a power of two of bytes. One that is freed waits, in a list of its size, for the next of that size; a
//! vector that grows leaves behind what a smaller one will take. Memory is taken from the browser page by page, and at
//! most half of it is unused.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::UnsafeCell;
use core::ptr::null_mut;

const PAGE: usize = 1 << 16;
/// Holds the pointer to the next free block, and aligns every type of the session.
const SMALLEST: usize = 8;

pub(crate) struct Buckets(UnsafeCell<State>);

struct State {
    /// First free block of `1 << index` bytes; each holds the address of the next.
    free: [*mut usize; usize::BITS as usize],
    /// What was taken from the browser and never given out.
    fresh: usize,
    end: usize,
}

impl Buckets {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(State {
            free: [null_mut(); usize::BITS as usize],
            fresh: 0,
            end: 0,
        }))
    }
}

// SAFETY: wasm32-unknown-unknown without threads; the npm build enables no atomics.
unsafe impl Sync for Buckets {}

// SAFETY: a block is in one place only: given out, in the list of its size, or in what is fresh. Sizes are powers of two from
// 8 on, so that every block is aligned to 8; layouts that want more are refused.
unsafe impl GlobalAlloc for Buckets {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no other reference exists while this runs, for want of threads.
        let state = unsafe { &mut *self.0.get() };
        if layout.align() > SMALLEST {
            return null_mut();
        }
        let index = index(layout);
        let first = state.free[index];
        if !first.is_null() {
            // SAFETY: a free block begins with the address of the next one.
            state.free[index] = unsafe { *first } as *mut usize;
            return first.cast();
        }
        let size = 1 << index;
        if state.end - state.fresh < size {
            let pages = size.div_ceil(PAGE);
            let before = memory_grow::<0>(pages);
            if before == usize::MAX {
                return null_mut();
            }
            state.fresh = before * PAGE;
            state.end = state.fresh + pages * PAGE;
        }
        let block = state.fresh;
        state.fresh += size;
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block is the caller's no more, and large enough for an address.
        unsafe {
            let state = &mut *self.0.get();
            let first = &mut state.free[index(layout)];
            *block.cast::<usize>() = *first as usize;
            *first = block.cast();
        }
    }
}

/// The power of two that holds a layout.
fn index(layout: Layout) -> usize {
    (usize::BITS - (layout.size().max(SMALLEST) - 1).leading_zeros()) as usize
}
