//! One WebSocket of the browser. Dropping it detaches every handler first: its end is not waited for, since on a
//! dead path the close event comes a minute late.

use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CloseEvent, WebSocket};

use super::Wake;
use crate::bridge::{self, Host};

pub(super) struct Socket(WebSocket);

impl Socket {
    /// Dials; `None` when the browser refuses even that. `waker` gives the callback for each event.
    pub(super) fn open(host: &Host, waker: impl Fn(Wake) -> Function) -> Option<Self> {
        let socket = Self(bridge::construct(host)?);
        let (opened, frame, closed) = (waker(Wake::Opened), waker(Wake::Frame), waker(Wake::Closed));
        // `error` says nothing that `close` does not, and is optional.
        socket.listen(Some(&opened), Some(&frame), Some(&closed));
        Some(socket)
    }

    fn listen(&self, open: Option<&Function>, message: Option<&Function>, close: Option<&Function>) {
        self.0.set_onopen(open);
        self.0.set_onmessage(message);
        self.0.set_onclose(close);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.listen(None, None, None);
        let _ = self.0.close(); // fails only where there is nothing left to close
    }
}

pub(super) fn close_code(event: &JsValue) -> u16 {
    event.unchecked_ref::<CloseEvent>().code()
}
