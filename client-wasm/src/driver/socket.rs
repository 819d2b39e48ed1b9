//! One WebSocket of the browser. Dropping it detaches every handler first: its end is not waited for, since on a
//! dead path the close event comes a minute late.

use js_sys::Function;
use rejoin_session::SocketId;
use web_sys::WebSocket;

use crate::bridge;

pub(super) struct Socket(WebSocket);

impl Socket {
    /// Dials, and hands each event to the client.
    pub(super) fn open(client: i32, id: SocketId) -> Self {
        let socket = Self(bridge::construct(client, id.0 as i32));
        socket.listen(Some(&bridge::listener(client, id.0 as i32)));
        socket
    }

    fn listen(&self, listener: Option<&Function>) {
        self.0.set_onopen(listener);
        self.0.set_onmessage(listener);
        self.0.set_onclose(listener); // which says all that `error` does
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.listen(None);
        let _ = self.0.close(); // fails only where there is nothing left to close
    }
}
