//! The side of a connection that the rest of its shard holds.
//!
//! **Invariant:** every byte to the socket goes through [`Connection::send`] or the outbox behind it, in order, so frames never interleave.
//! Nothing here waits: the normal write touches only the socket; a rest goes to the outbox and wakes the connection's task.

use crate::broker::Name;
use crate::outbox::{Full, Outbox};
use crate::pass::{self, Outcome};
use bytes::Bytes;
use rejoin_protocol::CloseCode;
use rejoin_protocol::reply::Window;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Pieces handed to the kernel in one vectored write.
const PIECES: usize = 16;

/// One socket as its shard sees it.
#[derive(Debug)]
pub struct Connection {
    /// Its number within the shard.
    pub id: u64,
    stream: Arc<TcpStream>,
    outbox: RefCell<Outbox>,
    outbox_bytes: usize,
    /// Wakes the task: bytes wait, a replay is due, an order was given, or the socket broke.
    pub(super) wake: Notify,
    broken: Cell<bool>,
    order: RefCell<Option<Order>>,
    replays: RefCell<VecDeque<Name>>,
}

/// What others want a connection to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Say why, and close.
    Close(End),
    /// Tell of a reinit, and close whoever has not left at the window's end.
    Reinit {
        /// The application's new epoch.
        epoch: Arc<str>,
        /// When to come back.
        window: Window,
    },
}

/// How a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The close code.
    pub code: CloseCode,
    /// For a developer.
    pub reason: Cow<'static, str>,
    /// For the `bye` before it: when to come back.
    pub window: Option<Window>,
}

impl End {
    /// A close without `bye`.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
            window: None,
        }
    }

    /// The client took its data too slowly.
    pub fn too_slow() -> Self {
        Self::new(CloseCode::TOO_SLOW, "too slow")
    }
}

impl Connection {
    /// Takes a socket over.
    pub fn new(id: u64, stream: Arc<TcpStream>, outbox_bytes: usize) -> Self {
        Self {
            id,
            stream,
            outbox: RefCell::default(),
            outbox_bytes,
            wake: Notify::new(),
            broken: Cell::new(false),
            order: RefCell::default(),
            replays: RefCell::default(),
        }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes a whole frame, or keeps what the socket does not take.
    ///
    /// # Errors
    /// [`Full`] when the outbox has no room: nothing of the frame was written.
    pub fn send(&self, frame: &Bytes) -> Result<(), Full> {
        if self.broken.get() {
            return Ok(());
        }
        if self.has_backlog() {
            return self
                .outbox
                .borrow_mut()
                .push(frame.clone(), 0, self.outbox_bytes);
        }
        self.settle(frame, pass::write(&self.stream, frame));
        Ok(())
    }

    /// As [`Connection::send`], for frames without which the connection cannot go on: it ends if there is no room.
    pub fn send_or_end(&self, frame: &Bytes) {
        if self.send(frame).is_err() {
            self.end(End::too_slow());
        }
    }

    /// As [`Connection::send`], for what is said last: it always has room.
    pub(super) fn send_last(&self, frame: &Bytes) {
        if self.has_backlog() {
            let _ = self.outbox.borrow_mut().push(frame.clone(), 0, usize::MAX);
        } else {
            let _ = self.send(frame);
        }
    }

    /// Keeps the rest of a frame that a pass wrote while there was no backlog.
    pub fn settle(&self, frame: &Bytes, outcome: Outcome) {
        match outcome {
            Outcome::Taken(taken) if taken == frame.len() => {}
            Outcome::Taken(taken) => {
                let pushed = self
                    .outbox
                    .borrow_mut()
                    .push(frame.clone(), taken, self.outbox_bytes);
                debug_assert!(pushed.is_ok(), "an empty outbox takes any item");
                self.wake.notify_one();
            }
            Outcome::Broken => self.break_off(),
        }
    }

    /// Whether bytes wait for the socket.
    pub fn has_backlog(&self) -> bool {
        !self.outbox.borrow().is_empty()
    }

    /// Whether a pass may write to the socket at once.
    pub fn is_clear(&self) -> bool {
        !self.broken.get() && !self.has_backlog()
    }

    /// Whether the socket failed.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn break_off(&self) {
        self.broken.set(true);
        *self.outbox.borrow_mut() = Outbox::default();
        self.wake.notify_one();
    }

    /// Waits until the socket takes more, and writes what it takes.
    pub(crate) async fn drain(&self) -> io::Result<()> {
        self.stream.writable().await?;
        let mut outbox = self.outbox.borrow_mut();
        while !outbox.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = outbox.fill(&mut pieces);
            match self.stream.try_write_vectored(&pieces[..count]) {
                Ok(taken) => outbox.advance(taken),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the connection; the first end given counts.
    pub fn end(&self, end: End) {
        let mut order = self.order.borrow_mut();
        if !matches!(*order, Some(Order::Close(_))) {
            *order = Some(Order::Close(end));
            self.wake.notify_one();
        }
    }

    /// Gives an order, unless the connection is ending.
    pub fn order(&self, order: Order) {
        match order {
            Order::Close(end) => self.end(end),
            other => {
                let mut slot = self.order.borrow_mut();
                if !matches!(*slot, Some(Order::Close(_))) {
                    *slot = Some(other);
                    self.wake.notify_one();
                }
            }
        }
    }

    pub(super) fn take_order(&self) -> Option<Order> {
        self.order.borrow_mut().take()
    }

    /// A subscription is to be replayed from history, as the socket takes it.
    pub fn replay(&self, channel: Name) {
        self.replays.borrow_mut().push_back(channel);
        self.wake.notify_one();
    }

    /// Whether a replay is due and the socket takes it.
    pub(super) fn wants_replay(&self) -> bool {
        !self.broken.get() && !self.replays.borrow().is_empty() && !self.has_backlog()
    }

    pub(crate) fn next_replay(&self) -> Option<Name> {
        self.replays.borrow_mut().pop_front()
    }
}
