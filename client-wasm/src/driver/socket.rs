//! One WebSocket of the browser. Dropping it detaches every handler first: its end is not waited for, since on a
//! dead path the close event comes a minute late.

use js_sys::Function;
use rejoin_session::SocketId;
use web_sys::WebSocket;

use super::input;
use crate::bridge;

pub(super) struct Socket(WebSocket);

impl Socket {
    /// Dials, and hands each event to the client.
    pub(super) fn open(client: i32, id: SocketId) -> Self {
        let socket = Self(bridge::construct(client, id.0 as i32));
        let listener = |input| bridge::listener(client, input, id.0 as i32);
        // `error` says nothing that `close` does not.
        socket.listen(
            Some(&listener(input::OPENED)),
            Some(&listener(input::MESSAGE)),
            Some(&listener(input::CLOSED)),
        );
        socket
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
