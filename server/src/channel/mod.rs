//! What one channel is: pure, no I/O, no clock (time is an argument).
//!
//! **Invariant:** a channel's state lives on exactly one shard, its owner, and is changed there only. So an offset is counted, a
//! publish is deduplicated and a member joins in one place, in one order.

pub mod dedupe;
pub mod history;
pub mod presence;
pub mod recovery;

pub use dedupe::Dedupe;
pub use history::History;
pub use presence::Presence;
