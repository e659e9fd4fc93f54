//! Answers as JSON, in pieces that are let go one by one as they are sent. An answer that is too large, that there is no
//! memory for, or that takes too long is not written to its end.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use tokio::time::Instant;

use crate::graphql::Stopped;

use super::answer_memory::{AnswerReservation, UnsentAnswer};

/// Largest piece of an answer, in bytes.
const PIECE: usize = 32 * 1_024;

/// Size up to which the memory of an answer is not counted, in bytes.
const SMALL: usize = 4 * 1_024;

/// Why an answer was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// It is too large, or there is no memory for it.
    Stopped(Stopped),
    /// Its time is over.
    TooLate,
}

/// The body of an HTTP response: at most so many bytes of JSON, written before a deadline.
///
/// # Errors
/// When it cannot be written to its end.
pub fn body(
    answer: &impl Serialize,
    most: usize,
    due: Instant,
    reservation: &AnswerReservation,
) -> Result<Body, EncodeError> {
    let mut pieces = Pieces { written: VecDeque::new(), length: 0, most, due, reservation, fault: None };
    pieces.write_json(answer)?;
    let Pieces { written: mut pieces, length, .. } = pieces;
    let Some(unsent) = reservation.send(length) else { return Ok(pieces.pop_front().unwrap_or_default().into()) };
    let unsent = Arc::new(unsent);
    let pieces = pieces.into_iter().map(|bytes| Bytes::from_owner(Piece { bytes, unsent: Arc::clone(&unsent) }));
    Ok(Body::new(Pieced { pieces: pieces.collect(), left: length as u64 }))
}

/// A message of a websocket, or the data of an event: at most so many bytes of JSON.
///
/// # Errors
/// When it would be larger.
pub fn text(message: &impl Serialize, most: usize) -> Result<String, EncodeError> {
    let mut bounded = Bounded { bytes: Vec::new(), most };
    match serde_json::to_writer(&mut bounded, message) {
        // JSON is UTF-8.
        Ok(()) => String::from_utf8(bounded.bytes).map_err(|_| EncodeError::Stopped(Stopped::TooLarge)),
        Err(_) => Err(EncodeError::Stopped(Stopped::TooLarge)),
    }
}

struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON that is being written.
struct Pieces<'a> {
    written: VecDeque<Vec<u8>>,
    length: usize,
    most: usize,
    due: Instant,
    reservation: &'a AnswerReservation,
    fault: Option<EncodeError>,
}

impl Pieces<'_> {
    fn write_json(&mut self, answer: &impl Serialize) -> Result<(), EncodeError> {
        self.written.push_back(Vec::new());
        let written = serde_json::to_writer(&mut *self, answer);
        // Numbers and texts always are JSON: what fails is what was refused here.
        let size = self.length;
        written.map_err(|_| self.fault.unwrap_or(EncodeError::Stopped(Stopped::TooLarge)))?;
        if size > SMALL { self.reservation.cover(size).map_err(EncodeError::Stopped) } else { Ok(()) }
    }

    /// Begins a new piece, if there is still time and memory for one.
    fn extend(&mut self) -> Result<(), EncodeError> {
        if Instant::now() >= self.due {
            return Err(EncodeError::TooLate);
        }
        self.reservation.cover(self.length + PIECE).map_err(EncodeError::Stopped)?;
        self.written.push_back(Vec::with_capacity(PIECE));
        Ok(())
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let refused = |pieces: &mut Self, fault| {
            pieces.fault = Some(fault);
            io::Error::from(io::ErrorKind::OutOfMemory)
        };
        if self.length + bytes.len() > self.most {
            return Err(refused(self, EncodeError::Stopped(Stopped::TooLarge)));
        }
        if self.written.back().is_none_or(|piece| piece.len() >= PIECE)
            && let Err(fault) = self.extend()
        {
            return Err(refused(self, fault));
        }
        let Some(piece) = self.written.back_mut() else { return Ok(0) };
        let taken = bytes.len().min(PIECE - piece.len());
        piece.extend_from_slice(&bytes[..taken]);
        self.length += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A piece that is let go when the connection has taken it.
struct Piece {
    bytes: Vec<u8>,
    unsent: Arc<UnsentAnswer>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.unsent.sent(self.bytes.len());
    }
}

/// A body of a known length.
struct Pieced {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl HttpBody for Pieced {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
