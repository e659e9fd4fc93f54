//! GraphQL over a websocket: graphql-transport-ws, one loop per connection, fair between its operations.
//!
//! No more than one result is queued for a slow reader: while one is written the next is computed, and no further one
//! until that is taken, so that a subscription skips to its newest value. A write that takes too long ends the connection. A
//! result that others get too is written by whoever tells of it, while the loop only waits. A mutation is finished whatever
//! becomes of the connection.

mod at_once;
mod close;
mod connection;
mod handshake;
mod initialise;
mod interrupts;
mod message;
mod operations;
mod woken;

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::time::timeout;

use crate::graphql::Code;

use super::ServerState;
use super::error_response::{error_response, overloaded};

use self::close::Close;
use self::connection::Connection;
use self::handshake::{Handshake, shake_hands};

pub use self::at_once::AtOnce;
pub use self::handshake::Peer;

/// The one sub-protocol.
const PROTOCOL: &str = "graphql-transport-ws";

/// Size of the read buffer of a socket, in bytes. What most clients send fits, and it grows for what does not.
const READ_BUFFER_SIZE: usize = 1_024;

/// Upgrades a connection to a websocket, unless a page of another origin asks for it or a limit is reached.
pub fn upgrade(state: Arc<ServerState>, headers: &HeaderMap, peer: Peer, upgrade: WebSocketUpgrade) -> Response {
    if !state.origins.may_connect(headers) {
        let message = "Pages of this origin may not open a websocket here.";
        return error_response(StatusCode::FORBIDDEN, Code::Forbidden, message);
    }
    let handshake = match shake_hands(&state, headers, peer) {
        Ok(handshake) => handshake,
        Err(refused) => return *refused,
    };
    let Some(permit) = state.config.transport.sockets.try_acquire() else {
        return overloaded("There are too many open sockets; try again soon.");
    };
    let max_message = state.config.transport.sizes.message;
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(max_message)
        .max_frame_size(max_message)
        .read_buffer_size(READ_BUFFER_SIZE)
        .write_buffer_size(0)
        .on_upgrade(move |socket| async move {
            Box::pin(run(socket, state, handshake)).await;
            drop(permit);
        })
}

/// Serves a socket until it is closed.
async fn run(socket: WebSocket, state: Arc<ServerState>, handshake: Handshake) {
    let is_supported = socket.protocol().is_some_and(|protocol| protocol.as_bytes() == PROTOCOL.as_bytes());
    let write_timeout = state.config.transport.timeouts.write;
    let mut connection = Connection::new(socket, state, handshake);
    let close = if is_supported {
        connection.serve().await
    } else {
        Close::frame(4406, "Subprotocol not acceptable: use graphql-transport-ws")
    };
    // Operations and permit are released first: sending the close frame may take a while.
    let mut socket = connection.release();
    if let Close::Frame(code, reason) = close {
        let frame = CloseFrame { code, reason: reason.into_owned().into() };
        // The client may be gone.
        let _ = timeout(write_timeout, socket.send(Message::Close(Some(frame)))).await;
    }
}
