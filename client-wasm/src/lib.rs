//! The browser driver of a Rejoin session: sockets by web-sys, timers by gloo-timers, and nothing that decides.
//!
//! Two faces on one driver. The feature `npm` exports the plain functions under the npm package `rejoin`, whose
//! API is the TypeScript in `js/`. The feature `typed` is `Client`, for front ends written in Rust (Leptos, Yew,
//! Dioxus), with payloads carried by `serde-wasm-bindgen`.
//!
//! What never happens here: a frame's text or a payload never enters wasm memory; no callback into the page runs while
//! the session is borrowed; no rule of the protocol is decided outside `rejoin-session`.

#![cfg(target_family = "wasm")]

#[cfg(feature = "npm")]
mod alloc;
mod bridge;
mod driver;
#[cfg(feature = "npm")]
#[allow(unreachable_pub, reason = "exported to JavaScript, not to Rust")]
mod js;
#[cfg(feature = "typed")]
mod typed;

#[cfg(feature = "typed")]
pub use typed::{Accepted, Client, Error, Message, Options, State, Subscription};

#[cfg(feature = "npm")]
#[global_allocator]
static ALLOCATOR: alloc::Buckets = alloc::Buckets::new();
