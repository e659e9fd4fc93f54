//! Results of a subscription that are written at once by whoever tells of them: the task of the socket is not woken for a
//! message that is there already. It writes nothing that the task could be in the middle of, and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::observability::metrics::{self, Counter};

use super::super::connections::Connection as TcpConnection;
use super::super::encode;
use super::operations::Next;

/// Maximum size of a message that is written at once, in bytes.
const MAX_MESSAGE: usize = 16 * 1_024;

/// The first byte of a frame: a whole message, which is text.
const WHOLE_TEXT: u8 = 0x81;

/// Largest length that the second byte of a frame tells itself.
const MAX_SHORT: usize = 125;

/// The second byte of a frame whose length is in the two bytes behind it.
const LENGTH_FOLLOWS: u8 = 126;

/// A way to write results of one operation at once.
#[derive(Debug)]
pub struct AtOnce {
    tcp: Arc<TcpConnection>,
    id: String,
    /// Maximum size of a message, in bytes.
    most: usize,
    write_timeout: Duration,
    sent: Counter,
}

impl AtOnce {
    /// A way to write results of the operation with this id over this connection, if they have at most so many bytes.
    pub fn new(tcp: Arc<TcpConnection>, id: &str, most: usize, write_timeout: Duration) -> Self {
        Self { tcp, id: id.to_owned(), most: most.min(MAX_MESSAGE), write_timeout, sent: metrics::events() }
    }

    /// Writes a result. Returns whether it is.
    pub fn write(&self, rendered: &RawValue) -> bool {
        if rendered.get().len() > self.most {
            return false;
        }
        let Ok(text) = encode::text(&Next::new(&self.id, rendered), self.most) else { return false };
        let Some((header, length)) = header(text.len()) else { return false };
        let is_sent = self.tcp.send_at_once([&header[..length], text.as_bytes()], self.write_timeout);
        if is_sent {
            self.sent.increment(1);
        }
        is_sent
    }
}

/// The header of the frame of a text, and its length.
fn header(length: usize) -> Option<([u8; 4], usize)> {
    let length = u16::try_from(length).ok()?;
    let [high, low] = length.to_be_bytes();
    let is_short = usize::from(length) <= MAX_SHORT;
    Some(if is_short { ([WHOLE_TEXT, low, 0, 0], 2) } else { ([WHOLE_TEXT, LENGTH_FOLLOWS, high, low], 4) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_text_is_in_its_frame() {
        assert_eq!(header(125), Some(([0x81, 125, 0, 0], 2)));
        assert_eq!(header(126), Some(([0x81, 126, 0, 126], 4)));
        assert_eq!(header(MAX_MESSAGE), Some(([0x81, 126, 0x40, 0], 4)));
        assert_eq!(header(usize::from(u16::MAX) + 1), None);
    }
}
