//! The page's life: online and offline, visibility, freezing, the back/forward cache. In a worker what does not exist
//! is not watched.

use rejoin_session::PageEvent;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::PageTransitionEvent;

use crate::bridge;

/// What an event of `PAGE_EVENTS` in bridge.js means. A `pagehide` that is not kept is the end of the page: nothing to do.
pub(super) fn read(number: u32, event: &JsValue) -> Option<PageEvent> {
    let kept = || event.unchecked_ref::<PageTransitionEvent>().persisted();
    match number {
        0 => Some(PageEvent::Online),
        1 => Some(PageEvent::Offline),
        2 => kept().then_some(PageEvent::Cached),
        3 => kept().then_some(PageEvent::Restored),
        4 if bridge::is_visible() => Some(PageEvent::Visible),
        4 => Some(PageEvent::Hidden),
        5 => Some(PageEvent::Freeze),
        _ => Some(PageEvent::Resume),
    }
}
