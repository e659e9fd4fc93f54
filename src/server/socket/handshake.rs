//! The handshake of a socket: who sends it, and whether they may open one more. It never reads from the socket.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::Response;

use domain::actor::Actor;
use domain::client::ClientKey;

use super::super::auth::InvalidToken;
use super::super::connections::Connection as TcpConnection;
use super::super::error_response::{rate_limited, too_many_sockets, unauthorized};
use super::super::socket_limiter::SocketPermit;
use super::super::{Identity, ServerState};

/// The other end of a socket.
pub struct Peer {
    /// The address of the client.
    pub address: IpAddr,
    /// The TCP connection.
    pub connection: Arc<TcpConnection>,
}

/// What the handshake of a socket has established.
pub struct Handshake {
    /// The other end.
    pub peer: Peer,
    /// The client that the socket is counted as.
    pub client: ClientKey,
    /// Counts the socket; `None` in development.
    pub permit: Option<SocketPermit>,
    /// Who the token of the handshake belongs to.
    pub identity: Option<Identity>,
}

/// Authenticates a handshake, charges its point, and counts the socket. A client that is not a browser may send its token
/// already; without one it counts for the guests at its address until `connection_init`.
///
/// # Errors
/// The refusal: the token is not valid, or a limit is reached.
pub fn shake_hands(state: &ServerState, headers: &HeaderMap, peer: Peer) -> Result<Handshake, Box<Response>> {
    let identity = handshake_identity(state, headers);
    let client = match &identity {
        Ok(Some(identity)) => ClientKey::of(&identity.actor, peer.address),
        Ok(None) | Err(_) => ClientKey::guests(peer.address),
    };
    state.charge_request(&client).map_err(|error| Box::new(rate_limited(error)))?;
    let identity = identity?;
    let permit = state.acquire_socket(&client).map_err(|most| Box::new(too_many_sockets(&client, most)))?;
    Ok(Handshake { peer, client, permit, identity })
}

/// Returns who sends a handshake; `None` without a token.
fn handshake_identity(state: &ServerState, headers: &HeaderMap) -> Result<Option<Identity>, Box<Response>> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let identity = state.config.authenticator.authenticate(headers);
    let identity = identity.map_err(|InvalidToken| Box::new(state.invalid_token(headers)))?;
    if identity.is_expired(state.app.clock.now()) {
        return Err(Box::new(unauthorized("This token has expired.")));
    }
    // A guest may still authenticate by `connection_init`.
    Ok(Some(identity).filter(|identity| identity.actor != Actor::Guest))
}
