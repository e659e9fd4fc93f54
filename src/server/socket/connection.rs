//! The loop of one socket: messages of the client, results of its operations, pings, and the events that close it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::observability::metrics::{self, Counter, Open};
use domain::client::ClientKey;

use super::super::connections::Connection as TcpConnection;
use super::super::socket_limiter::SocketPermit;
use super::super::transport::Timeouts;
use super::super::{Identity, ServerState};
use super::close::Close;
use super::handshake::{Handshake, Peer};
use super::interrupts::{Awaited, Interrupt, Interrupts};
use super::message::ClientMessage;
use super::operations::Operations;
use super::woken::Woken;

/// One socket. There are thousands of these, and most of them only listen: what is rarely needed is allocated when it is
/// needed and not kept in the loop of each.
pub struct Connection {
    socket: WebSocket,
    /// Whether there may be something to read.
    woken: Woken,
    tcp: Arc<TcpConnection>,
    pub(super) state: Arc<ServerState>,
    pub(super) timeouts: Timeouts,
    pub(super) address: IpAddr,
    /// The client that it is counted as: the guests at its address until it has authenticated.
    pub(super) client: ClientKey,
    pub(super) permit: Option<SocketPermit>,
    /// Who the client is, once it has sent `connection_init`.
    pub(super) identity: Option<Identity>,
    /// Who the token of the handshake belongs to, until `connection_init`.
    pub(super) handshake_identity: Option<Box<Identity>>,
    pub(super) subscriptions: Operations,
    /// Queries and mutations, which have one answer.
    pub(super) requests: Operations,
    /// How it is closed as soon as all queries and mutations are answered.
    pub(super) pending_close: Option<Box<Close>>,
    last_received: Instant,
    pub(super) sent: Counter,
    _open: Open,
}

impl Connection {
    /// Returns the connection after this handshake.
    pub fn new(socket: WebSocket, state: Arc<ServerState>, handshake: Handshake) -> Self {
        let Handshake { peer: Peer { address, connection }, client, permit, identity } = handshake;
        Self {
            socket,
            woken: Woken::new(),
            tcp: connection,
            timeouts: state.config.transport.timeouts,
            state,
            address,
            client,
            permit,
            identity: None,
            handshake_identity: identity.map(Box::new),
            subscriptions: Operations::new(),
            requests: Operations::new(),
            pending_close: None,
            last_received: Instant::now(),
            sent: metrics::events(),
            _open: Open::socket(),
        }
    }

    /// Drops everything but the socket.
    pub fn release(self) -> WebSocket {
        self.socket
    }

    /// Returns the TCP connection.
    pub(super) const fn tcp(&self) -> &Arc<TcpConnection> {
        &self.tcp
    }

    /// Serves the socket until it is to be closed.
    pub async fn serve(&mut self) -> Close {
        let replaced = self.state.app.hub.watch_data_replaced();
        let (begun, timeouts) = (Instant::now(), self.timeouts);
        let mut ping_at = begun + timeouts.ping;
        let mut interrupts = Interrupts::new();
        loop {
            if self.requests.is_empty()
                && let Some(close) = self.pending_close.take()
            {
                return *close;
            }
            let is_open = self.pending_close.is_none();
            interrupts.wait_for(self.identity.is_some(), is_open, || Awaited {
                state: Arc::clone(&self.state),
                tcp: Arc::clone(&self.tcp),
                replaced: replaced.clone(),
                ping_at,
                silence_at: self.last_received + timeouts.silence,
                init_at: begun + timeouts.init,
                identity: self.identity.clone(),
                is_open,
            });
            let step = tokio::select! {
                message = poll_fn(|context| self.woken.poll(context, |context| self.socket.poll_next_unpin(context))) => Box::pin(self.receive(message)).await,
                Some((id, event)) = self.requests.next(), if !self.requests.is_empty() => self.deliver(id, event).await,
                Some((id, event)) = self.subscriptions.next(), if !self.subscriptions.is_empty() => self.deliver(id, event).await,
                interrupt = interrupts.next() => {
                    if interrupt == Interrupt::PingDue {
                        ping_at = Instant::now() + timeouts.ping;
                    }
                    Box::pin(self.interrupted(interrupt)).await
                }
            };
            if let Err(close) = step {
                return close;
            }
        }
    }

    /// Does what an interrupt asks for.
    async fn interrupted(&mut self, interrupt: Interrupt) -> Result<(), Close> {
        match interrupt {
            Interrupt::PingDue => self.write(Message::Ping(Bytes::new())).await,
            // It may have been heard from since this deadline was set.
            Interrupt::SilenceOver if Instant::now() < self.last_received + self.timeouts.silence => Ok(()),
            Interrupt::SilenceOver | Interrupt::ConnectionClosed => Err(Close::Disconnected),
            Interrupt::InitOver => Err(Close::frame(4408, "Connection initialisation timeout")),
            Interrupt::Expired => self.finish(Close::frame(4403, "Forbidden")),
            Interrupt::Stopping => self.finish(Close::frame(1001, "The server is going away")),
            Interrupt::DataReplaced => self.finish(Close::frame(1012, "The data was restored; subscribe again")),
        }
    }

    /// Ends the subscriptions and starts no more operations. The socket is closed when its queries and mutations are
    /// answered, which is when they are due at the latest.
    #[expect(clippy::unnecessary_wraps, reason = "it is a step among others that may fail")]
    pub(super) fn finish(&mut self, close: Close) -> Result<(), Close> {
        self.subscriptions.clear();
        self.pending_close = Some(Box::new(close));
        Ok(())
    }

    /// Handles a frame of the client.
    async fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Close> {
        self.last_received = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match ClientMessage::parse(&text) {
                Ok(message) => self.handle(message).await,
                Err(reason) => Err(Close::frame(4400, reason)),
            },
            Some(Ok(Message::Binary(_))) => Err(Close::frame(4400, "Binary frames are not supported")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => {
                // Nothing is sent behind the reply.
                self.subscriptions.clear();
                // The next read sends the reply that closes the connection cleanly, unless the client is gone.
                let _ = timeout(self.timeouts.write, self.socket.recv()).await;
                Err(Close::Disconnected)
            }
            Some(Err(error)) => Err(Close::of_error(error, self.state.config.transport.sizes.message)),
            None => Err(Close::Disconnected),
        }
    }

    /// Handles a message of the client.
    async fn handle(&mut self, message: ClientMessage) -> Result<(), Close> {
        match message {
            ClientMessage::ConnectionInit(_) if self.identity.is_some() => {
                Err(Close::frame(4429, "Too many initialisation requests"))
            }
            ClientMessage::ConnectionInit(payload) => {
                self.initialise(&payload)?;
                self.send(&json!({ "type": "connection_ack" })).await
            }
            ClientMessage::Ping(Some(payload)) => {
                // The payload is sent back byte for byte.
                self.write(Message::Text(format!("{{\"type\":\"pong\",\"payload\":{}}}", payload.get()).into())).await
            }
            ClientMessage::Ping(None) => self.send(&json!({ "type": "pong" })).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe(id, operation) => match self.identity.clone() {
                None => Err(Close::frame(4401, "Unauthorized")),
                Some(identity) => self.subscribe(id, operation, identity).await,
            },
            ClientMessage::Complete(id) => {
                self.remove(&id);
                Ok(())
            }
        }
    }

    /// Sends a message to the client.
    pub(super) async fn send(&mut self, message: &Value) -> Result<(), Close> {
        self.write(Message::Text(message.to_string().into())).await
    }

    /// Writes a frame, before the write timeout.
    pub(super) async fn write(&mut self, message: Message) -> Result<(), Close> {
        let mut sending = pin!(self.socket.send(message));
        // A client that reads takes it at once.
        let sent = if let Some(sent) = sending.as_mut().now_or_never() {
            Some(sent)
        } else {
            tokio::select! {
                biased;
                sent = timeout(self.timeouts.write, sending) => sent.ok(),
                () = self.tcp.closed() => None,
            }
        };
        if let Some(Ok(())) = sent { Ok(()) } else { Err(Close::Disconnected) }
    }
}
