//! One WebSocket: the handle that others write through, what its commands mean, and the task that drives it.

pub mod handle;
pub mod state;
mod task;
mod wire;

pub use handle::Connection;
pub use task::{Accepted, run};
