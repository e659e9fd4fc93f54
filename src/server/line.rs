//! One TCP connection, with a deadline on each half: a head that trickles in is cut off, and so is a reader that does not
//! read. It knows bytes only, nothing of what they mean.
//!
//! A connection that we end is read to its end for a moment, so that a client who is still sending sees our last words
//! and not a reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

use super::connections::ConnectionPermit;
use super::wire::Timeouts;

/// How long a connection that we ended is read on.
const LINGER: Duration = Duration::from_secs(1);

/// How much is thrown away at once while it is.
const WASTE: usize = 4 * 1_024;

/// Whether the head of a request is awaited. Set by who serves the connection, heeded by the line.
///
/// It counts the changes, so that the line sees each: even while a head is awaited, odd while a request is answered.
#[derive(Debug, Clone, Default)]
pub struct Head(Arc<AtomicUsize>);

impl Head {
    /// A head has come; what is read now belongs to its request.
    pub fn has_come(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The request is answered; what is read next is the head of another.
    pub fn is_next(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A connection with deadlines.
#[derive(Debug)]
pub struct Line {
    /// Taken when it is dropped.
    stream: Option<TcpStream>,
    /// Given back when the stream is closed.
    permit: Option<ConnectionPermit>,
    head: Head,
    /// The changes of `head` that were heeded.
    heeded: usize,
    times: Timeouts,
    head_due: Option<Pin<Box<Sleep>>>,
    write_due: Option<Pin<Box<Sleep>>>,
}

impl Line {
    /// A connection that was just accepted. Clients open some before they need them, and one that is closed just when its
    /// first request is sent fails it; so nothing is due before a first byte has come.
    pub fn new(stream: TcpStream, times: Timeouts, permit: ConnectionPermit) -> (Self, Head) {
        let head = Head::default();
        let (stream, permit, heard) = (Some(stream), Some(permit), head.clone());
        (Self { stream, permit, head, heeded: 0, times, head_due: None, write_due: None }, heard)
    }

    /// Forgets the deadline of a head that has come.
    fn heed_head(&mut self) {
        let changes = self.head.0.load(Ordering::Acquire);
        if changes != self.heeded {
            self.heeded = changes;
            self.head_due = None;
        }
    }

    fn poll_stream<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.stream {
            Some(stream) => poll(Pin::new(stream), context),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Writes, and fails when nothing was taken for too long.
    fn poll_before_deadline<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = self.poll_stream(context, poll);
        if written.is_ready() {
            self.write_due = None;
            if let Some(permit) = &self.permit {
                permit.connection().take();
            }
            return written;
        }
        let due = self.write_due.get_or_insert_with(|| Box::pin(sleep(self.times.write)));
        ready!(due.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        line.heed_head();
        if line.head_due.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = line.poll_stream(context, |stream, context| stream.poll_read(context, buffer));
        if line.heeded.is_multiple_of(2) && buffer.filled().len() > before {
            line.head_due.get_or_insert_with(|| Box::pin(sleep(line.times.head)));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_before_deadline(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_before_deadline(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_stream(context, TcpStream::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_stream(context, TcpStream::poll_shutdown)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // One that gives way to others has nothing more to say, and its file is needed.
        let permit = self.permit.take().filter(|permit| !permit.connection().is_ending());
        // Without a runtime the process is ending, and the kernel closes what is left.
        if let (Some(stream), Some(permit), Ok(runtime)) =
            (self.stream.take(), permit, tokio::runtime::Handle::try_current())
        {
            runtime.spawn(linger(stream, permit));
        }
    }
}

async fn linger(mut stream: TcpStream, _permit: ConnectionPermit) {
    let drained = async {
        stream.shutdown().await?;
        let mut waste = [0; WASTE];
        while stream.read(&mut waste).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever becomes of it, the connection is over.
    let _ = timeout(LINGER, drained).await;
}
