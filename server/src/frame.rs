//! WebSocket frames from the server, built by hand: an unmasked header in front of shared bytes.

use bytes::Bytes;
use rejoin_protocol::CloseCode;
use rejoin_protocol::limits::{BATCH_BYTES, CLOSE_REASON_BYTES};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
/// The longest header of a frame from the server.
const HEADER: usize = 10;

/// A text frame.
pub fn text(payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    let (header, length) = header(TEXT, payload.len());
    frame.extend_from_slice(&header[..length]);
    frame.extend_from_slice(payload);
    frame.into()
}

/// A close frame; the reason is cut at what fits.
pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let mut end = reason.len().min(CLOSE_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut frame = vec![CLOSE, (2 + end) as u8];
    frame.extend_from_slice(&code.0.to_be_bytes());
    frame.extend_from_slice(&reason.as_bytes()[..end]);
    frame.into()
}

/// A close frame without a code.
pub fn empty_close() -> Bytes {
    Bytes::from_static(&[CLOSE, 0])
}

fn header(opcode: u8, length: usize) -> ([u8; HEADER], usize) {
    let mut header = [0; HEADER];
    header[0] = opcode;
    if length < 126 {
        header[1] = length as u8;
        (header, 2)
    } else if let Ok(short) = u16::try_from(length) {
        header[1] = 126;
        header[2..4].copy_from_slice(&short.to_be_bytes());
        (header, 4)
    } else {
        header[1] = 127;
        header[2..].copy_from_slice(&(length as u64).to_be_bytes());
        (header, HEADER)
    }
}

/// Objects joined into one text frame: the object itself if it is one, else an array. Each is copied once.
#[derive(Debug)]
pub struct Joined {
    /// Room for the header and `[`, then the objects with commas.
    buffer: Vec<u8>,
    count: usize,
}

impl Joined {
    /// With its first object.
    pub fn new(first: &[u8]) -> Self {
        let mut buffer = Vec::with_capacity(HEADER + 2 + first.len());
        buffer.resize(HEADER + 1, b'[');
        buffer.extend_from_slice(first);
        Self { buffer, count: 1 }
    }

    /// Appends `object` if the batch stays within its bound.
    pub fn try_push(&mut self, object: &[u8]) -> bool {
        if self.buffer.len() - HEADER + object.len() + 2 > BATCH_BYTES {
            return false;
        }
        self.buffer.push(b',');
        self.buffer.extend_from_slice(object);
        self.count += 1;
        true
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The frame.
    pub fn finish(mut self) -> Bytes {
        let mut start = HEADER + 1;
        if self.count > 1 {
            start -= 1;
            self.buffer.push(b']');
        }
        let (header, length) = header(TEXT, self.buffer.len() - start);
        self.buffer[start - length..start].copy_from_slice(&header[..length]);
        Bytes::from(self.buffer).slice(start - length..)
    }
}

/// Text frames that hold all `objects` in order, as few as the bound of a batch allows.
pub fn join<'o>(objects: impl IntoIterator<Item = &'o Bytes>) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut open: Option<Joined> = None;
    for object in objects {
        let fits = open.as_mut().is_some_and(|joined| joined.try_push(object));
        if !fits {
            frames.extend(open.replace(Joined::new(object)).map(Joined::finish));
        }
    }
    frames.extend(open.map(Joined::finish));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The payload of a frame, checked against its header.
    fn payload(frame: &[u8]) -> &[u8] {
        assert_eq!(frame[0], TEXT);
        let (length, at) = match frame[1] {
            126 => (u64::from(u16::from_be_bytes([frame[2], frame[3]])), 4),
            127 => (u64::from_be_bytes(frame[2..10].try_into().unwrap()), 10),
            short => (u64::from(short), 2),
        };
        assert_eq!(length as usize, frame.len() - at);
        &frame[at..]
    }

    proptest! {
        #[test]
        fn joined_objects_come_out_in_order(sizes in proptest::collection::vec(1usize..30_000, 0..12)) {
            let objects: Vec<Bytes> = sizes.iter().map(|&size| Bytes::from(format!("\"{}\"", "x".repeat(size)))).collect();
            let mut out = Vec::new();
            for frame in join(&objects) {
                let payload = payload(&frame);
                prop_assert!(payload.len() <= BATCH_BYTES || payload[0] != b'[');
                if payload[0] == b'[' {
                    out.extend(serde_json::from_slice::<Vec<String>>(payload).unwrap());
                } else {
                    out.push(serde_json::from_slice(payload).unwrap());
                }
            }
            prop_assert_eq!(out.iter().map(String::len).collect::<Vec<_>>(), sizes);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let frame = close(CloseCode(4500), &"ä".repeat(100));
        assert_eq!(frame.len(), 4 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
        assert_eq!(payload(&text(&[b'1'; 70_000])).len(), 70_000);
    }
}
