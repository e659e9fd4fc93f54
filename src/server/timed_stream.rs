//! A TCP stream with timeouts: for the headers of a request, and for writing to a client that does not read. It carries
//! bytes and knows nothing of what they mean.
//!
//! A connection that the server closes is drained for a moment, so that a client that is still sending receives the last
//! response and not a reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Sleep, sleep, timeout};

use super::connections::ConnectionPermit;
use super::outlet::Outlet;
use super::transport::Timeouts;

/// How long a connection is drained after the server closed it.
const LINGER: Duration = Duration::from_secs(1);

/// Size of the buffer for draining, in bytes.
const DRAIN_BUFFER_SIZE: usize = 4 * 1_024;

/// Whether the next bytes are the headers of a request. Set by the HTTP service, read by the stream.
///
/// It counts the changes, so that the stream sees each of them: even while headers are awaited, odd while a request is
/// served.
#[derive(Debug, Clone, Default)]
pub struct RequestPhase(Arc<AtomicUsize>);

impl RequestPhase {
    /// Marks that the headers were received: what is read now is the body.
    pub fn headers_received(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Marks that the request was answered: what is read next are the headers of another.
    pub fn await_headers(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A TCP stream with timeouts for request headers and writes.
#[derive(Debug)]
pub struct TimedStream {
    /// Taken when this is dropped. The other half is the outlet of the connection.
    reader: Option<OwnedReadHalf>,
    /// Released when the stream is closed.
    permit: Option<ConnectionPermit>,
    phase: RequestPhase,
    /// The number of changes of `phase` that were seen.
    seen: usize,
    timeouts: Timeouts,
    header_timeout: Option<Pin<Box<Sleep>>>,
    write_timeout: Option<Pin<Box<Sleep>>>,
}

impl TimedStream {
    /// Wraps a connection that was just accepted. The header timeout begins with the first byte: clients open some
    /// connections ahead, and closing one just when its first request is sent would fail that request.
    pub fn new(stream: TcpStream, timeouts: Timeouts, permit: ConnectionPermit) -> (Self, RequestPhase) {
        let phase = RequestPhase::default();
        let (reader, writer) = stream.into_split();
        permit.connection().outlet().open(writer);
        let (reader, permit, handle) = (Some(reader), Some(permit), phase.clone());
        (Self { reader, permit, phase, seen: 0, timeouts, header_timeout: None, write_timeout: None }, handle)
    }

    /// Stops the header timeout if the headers were received.
    fn update_phase(&mut self) {
        let changes = self.phase.0.load(Ordering::Acquire);
        if changes != self.seen {
            self.seen = changes;
            self.header_timeout = None;
        }
    }

    const fn awaits_headers(&self) -> bool {
        self.seen.is_multiple_of(2)
    }

    /// The way out, until this is dropped.
    ///
    /// # Errors
    /// When there is none any more.
    fn outlet(&self) -> io::Result<&Outlet> {
        match &self.permit {
            Some(permit) => Ok(permit.connection().outlet()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes; fails if the client has read nothing within the write timeout.
    fn poll_timed_write(&mut self, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.outlet()?.poll_write(context, slices);
        if written.is_ready() {
            self.write_timeout = None;
            if let Some(permit) = &self.permit {
                permit.connection().mark_read();
            }
            return written;
        }
        let due = self.write_timeout.get_or_insert_with(|| Box::pin(sleep(self.timeouts.write)));
        ready!(due.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.update_phase();
        if this.header_timeout.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = match &mut this.reader {
            Some(reader) => Pin::new(reader).poll_read(context, buffer),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        if this.awaits_headers() && buffer.filled().len() > before {
            this.header_timeout.get_or_insert_with(|| Box::pin(sleep(this.timeouts.head)));
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_timed_write(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_timed_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has everything that was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet()?.poll_shutdown(context)
    }
}

impl Drop for TimedStream {
    fn drop(&mut self) {
        let permit = self.permit.take();
        let writer = permit.as_ref().and_then(|permit| permit.connection().outlet().close());
        let stream = self.reader.take().zip(writer).and_then(|(reader, writer)| reader.reunite(writer).ok());
        // An evicted connection is not drained: its file descriptor is needed.
        let permit = permit.filter(|permit| !permit.connection().is_closing());
        // Without a runtime the process is ending, and the kernel closes what is left.
        if let (Some(stream), Some(permit), Ok(runtime)) = (stream, permit, tokio::runtime::Handle::try_current()) {
            runtime.spawn(drain(stream, permit));
        }
    }
}

/// Shuts the stream down and reads what the client still sends.
async fn drain(mut stream: TcpStream, _permit: ConnectionPermit) {
    let drained = async {
        stream.shutdown().await?;
        let mut buffer = [0; DRAIN_BUFFER_SIZE];
        while stream.read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = timeout(LINGER, drained).await;
}
