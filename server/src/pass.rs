//! One pass of writes: the same frame to many sockets, without waiting for any.
//!
//! The seam for io_uring: a pass knows sockets and bytes, and reports per socket what the kernel took. What to do with a rest is the
//! connection's business.

use bytes::Bytes;
use std::io;
use tokio::net::TcpStream;

/// What the kernel did with one write.
#[derive(Debug)]
pub enum Outcome {
    /// It took so many bytes, perhaps not all; 0 is would-block.
    Taken(usize),
    /// The socket is broken.
    Broken,
}

/// Writes `frame` to every socket, and reports each outcome in order.
pub fn send<'s>(
    frame: &Bytes,
    sockets: impl Iterator<Item = &'s TcpStream>,
    mut report: impl FnMut(usize, Outcome),
) {
    for (index, socket) in sockets.enumerate() {
        report(index, write(socket, frame));
    }
}

/// One write without waiting.
pub fn write(socket: &TcpStream, bytes: &[u8]) -> Outcome {
    match socket.try_write(bytes) {
        Ok(taken) => Outcome::Taken(taken),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::Taken(0),
        Err(_) => Outcome::Broken,
    }
}
