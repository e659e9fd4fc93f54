//! What a socket waits for besides its messages and its results: timeouts, pings, and what closes it from outside.
//!
//! There are thousands of sockets, and each result wakes one. What hardly ever happens is polled only when it has happened, and
//! not once for every result; nothing is decided here.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::super::connections::Connection as TcpConnection;
use super::super::{Identity, ServerState};
use super::woken::Woken;

/// Something that happened to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// A ping is due.
    PingDue,
    /// The deadline for hearing from the client is over.
    SilenceOver,
    /// The deadline for `connection_init` is over.
    InitOver,
    /// The TCP connection is to be closed.
    ConnectionClosed,
    /// The token has expired, or its key was revoked.
    Expired,
    /// The server stops.
    Stopping,
    /// The data was replaced by other or older data.
    DataReplaced,
}

/// What to wait for.
pub struct Awaited {
    /// The server.
    pub state: Arc<ServerState>,
    /// The TCP connection.
    pub tcp: Arc<TcpConnection>,
    /// Notifies of data that was replaced.
    pub replaced: watch::Receiver<()>,
    /// When the next ping is due.
    pub ping_at: Instant,
    /// When the client must have been heard from.
    pub silence_at: Instant,
    /// When `connection_init` must have come.
    pub init_at: Instant,
    /// Who the client is, once it is known.
    pub identity: Option<Identity>,
    /// Whether the socket is not yet to be closed.
    pub is_open: bool,
}

/// Waits for interrupts.
pub struct Interrupts {
    waiting: Option<BoxFuture<'static, Interrupt>>,
    woken: Woken,
    is_identified: bool,
    is_open: bool,
}

impl Interrupts {
    /// Returns one that waits for nothing yet.
    pub fn new() -> Self {
        Self { waiting: None, woken: Woken::new(), is_identified: false, is_open: true }
    }

    /// Waits for these from now on, if it waits for nothing, or if what there is to wait for has changed.
    pub fn wait_for(&mut self, is_identified: bool, is_open: bool, awaited: impl FnOnce() -> Awaited) {
        if self.waiting.is_none() || (is_identified, is_open) != (self.is_identified, self.is_open) {
            (self.is_identified, self.is_open) = (is_identified, is_open);
            self.waiting = Some(Box::pin(awaited().first()));
            self.woken.renew();
        }
    }

    /// Returns the next interrupt. After that it waits for nothing.
    pub async fn next(&mut self) -> Interrupt {
        let Self { waiting, woken, .. } = self;
        poll_fn(|context| {
            let Some(first) = waiting else { return Poll::Pending };
            let interrupt = ready!(woken.poll(context, |context| first.as_mut().poll(context)));
            *waiting = None;
            Poll::Ready(interrupt)
        })
        .await
    }
}

impl Awaited {
    /// Waits for the first of them.
    async fn first(self) -> Interrupt {
        let Self { state, tcp, mut replaced, ping_at, silence_at, init_at, identity, is_open } = self;
        tokio::select! {
            biased;
            () = tcp.closed() => Interrupt::ConnectionClosed,
            () = state.stop.cancelled(), if is_open => Interrupt::Stopping,
            _ = replaced.changed(), if is_open => Interrupt::DataReplaced,
            () = state.expiry(identity.as_ref()), if is_open => Interrupt::Expired,
            () = sleep_until(init_at), if identity.is_none() => Interrupt::InitOver,
            () = sleep_until(silence_at) => Interrupt::SilenceOver,
            () = sleep_until(ping_at) => Interrupt::PingDue,
        }
    }
}
