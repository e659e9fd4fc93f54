//! Encodes answers as JSON, in chunks that are freed one by one as they are sent. Encoding stops when the answer is too
//! large, has no memory left, or takes too long.

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

/// Maximum size of a chunk of an answer, in bytes.
const CHUNK_SIZE: usize = 32 * 1_024;

/// Maximum size of an answer whose memory is not counted, in bytes.
const MAX_UNCOUNTED: usize = 4 * 1_024;

/// Size that most messages of a subscription do not exceed, in bytes.
const USUAL_TEXT_SIZE: usize = 256;

/// Why an answer was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// It is too large, or there is no memory for it.
    Stopped(Stopped),
    /// It timed out.
    TooLate,
}

/// Encodes the body of an HTTP response: at most `most` bytes of JSON, before a deadline.
///
/// # Errors
/// When it is too large, has no memory left, or takes too long.
pub fn body(
    answer: &impl Serialize,
    most: usize,
    due: Instant,
    reservation: &AnswerReservation,
) -> Result<Body, EncodeError> {
    let mut writer = ChunkWriter { chunks: VecDeque::new(), length: 0, most, due, reservation, error: None };
    writer.write_json(answer)?;
    let ChunkWriter { mut chunks, length, .. } = writer;
    let Some(unsent) = reservation.send(length) else { return Ok(chunks.pop_front().unwrap_or_default().into()) };
    let unsent = Arc::new(unsent);
    let chunks = chunks.into_iter().map(|bytes| Bytes::from_owner(Chunk { bytes, unsent: Arc::clone(&unsent) }));
    Ok(Body::new(ChunkedBody { chunks: chunks.collect(), left: length as u64 }))
}

/// Encodes a message of a websocket, or the data of an event: at most `most` bytes of JSON.
///
/// # Errors
/// When it is larger.
pub fn text(message: &impl Serialize, most: usize) -> Result<String, EncodeError> {
    let mut bounded = Bounded { bytes: Vec::with_capacity(USUAL_TEXT_SIZE.min(most)), most };
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

/// Writes JSON in chunks.
struct ChunkWriter<'a> {
    chunks: VecDeque<Vec<u8>>,
    length: usize,
    most: usize,
    due: Instant,
    reservation: &'a AnswerReservation,
    /// Why it stopped.
    error: Option<EncodeError>,
}

impl ChunkWriter<'_> {
    fn write_json(&mut self, answer: &impl Serialize) -> Result<(), EncodeError> {
        self.chunks.push_back(Vec::new());
        let written = serde_json::to_writer(&mut *self, answer);
        // Answers can always be serialized: what fails was refused here.
        let size = self.length;
        written.map_err(|_| self.error.unwrap_or(EncodeError::Stopped(Stopped::TooLarge)))?;
        if size > MAX_UNCOUNTED { self.reservation.cover(size).map_err(EncodeError::Stopped) } else { Ok(()) }
    }

    /// Begins a new chunk, if there is time and memory for one.
    fn extend(&mut self) -> Result<(), EncodeError> {
        if Instant::now() >= self.due {
            return Err(EncodeError::TooLate);
        }
        self.reservation.cover(self.length + CHUNK_SIZE).map_err(EncodeError::Stopped)?;
        self.chunks.push_back(Vec::with_capacity(CHUNK_SIZE));
        Ok(())
    }
}

impl Write for ChunkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let refused = |writer: &mut Self, error| {
            writer.error = Some(error);
            io::Error::from(io::ErrorKind::OutOfMemory)
        };
        if self.length + bytes.len() > self.most {
            return Err(refused(self, EncodeError::Stopped(Stopped::TooLarge)));
        }
        if self.chunks.back().is_none_or(|chunk| chunk.len() >= CHUNK_SIZE)
            && let Err(error) = self.extend()
        {
            return Err(refused(self, error));
        }
        let Some(chunk) = self.chunks.back_mut() else { return Ok(0) };
        let taken = bytes.len().min(CHUNK_SIZE - chunk.len());
        chunk.extend_from_slice(&bytes[..taken]);
        self.length += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chunk whose memory is released when it was sent.
struct Chunk {
    bytes: Vec<u8>,
    unsent: Arc<UnsentAnswer>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.unsent.sent(self.bytes.len());
    }
}

/// A body of a known length.
struct ChunkedBody {
    chunks: VecDeque<Bytes>,
    left: u64,
}

impl HttpBody for ChunkedBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let chunk = self.chunks.pop_front();
        self.left -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
