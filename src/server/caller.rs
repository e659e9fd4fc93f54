//! Who sends a request, and whether they may send one more now: the token, the address, and the rate limits of both.
//!
//! In development nobody is limited.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::graphql::Code;
use domain::client::ClientKey;

use super::answer_memory::AnswerReservation;
use super::auth::InvalidToken;
use super::connections::Connection;
use super::error_response::{error_response, rate_limited, unauthorized, unavailable};
use super::operation::PreparedOperation;
use super::rate::RateLimitError;
use super::socket_limiter::SocketPermit;
use super::{Identity, ServerState, client_address};

/// Who sends a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are by their token.
    pub identity: Identity,
    /// The client that they are counted as.
    pub client: ClientKey,
    /// The address that the request comes from.
    pub address: IpAddr,
}

impl ServerState {
    /// Returns the address of the client at the other end of a connection.
    pub fn address(&self, connection: &Connection, headers: &HeaderMap) -> IpAddr {
        client_address::address(connection.peer(), headers, &self.config.transport.trusted_proxies)
    }

    /// Authenticates a request and charges its point. An invalid token costs its address one.
    ///
    /// # Errors
    /// The refusal: the token is not valid, or the rate limit is exceeded.
    pub fn authenticate(&self, address: IpAddr, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
        let identity = self.config.authenticator.authenticate(headers);
        let client = match &identity {
            Ok(identity) => ClientKey::of(&identity.actor, address),
            Err(InvalidToken) => ClientKey::guests(address),
        };
        self.charge_request(&client).map_err(|error| Box::new(rate_limited(error)))?;
        let Ok(identity) = identity else {
            return Err(Box::new(self.invalid_token(headers)));
        };
        Ok(Caller { identity, client, address })
    }

    /// Returns the response to a request whose token is not valid, or cannot be checked yet.
    pub fn invalid_token(&self, headers: &HeaderMap) -> Response {
        let authenticator = &self.config.authenticator;
        if authenticator.may_read_metrics(headers) {
            let message = "This token may read /metrics and nothing else.";
            return error_response(StatusCode::FORBIDDEN, Code::Forbidden, message);
        }
        if authenticator.lacks_keys() {
            return unavailable(
                "Nobody can tell yet whether this token is good: the keys could not be read. Nothing was executed; try again \
                 soon.",
            );
        }
        unauthorized("This token is not good.")
    }

    /// Charges the point that every request costs.
    ///
    /// # Errors
    /// When the client has none left.
    pub fn charge_request(&self, client: &ClientKey) -> Result<(), RateLimitError> {
        if self.is_unlimited() { Ok(()) } else { self.config.transport.rates.charge_request(client) }
    }

    /// Charges what an operation costs besides the point of its request, and the rows of carts that it writes.
    ///
    /// # Errors
    /// When the client has fewer points left, or its address has written too many rows of carts.
    pub fn charge(&self, caller: &Caller, prepared: &PreparedOperation) -> Result<(), RateLimitError> {
        if self.is_unlimited() {
            return Ok(());
        }
        let rates = &self.config.transport.rates;
        // First, so that a client that is refused for its rows has paid no points.
        rates.charge_cart_rows(&caller.client, caller.address, prepared.cart_rows)?;
        rates.charge_cost(&caller.client, prepared.cost)
    }

    /// Begins an answer to a client over this connection. In development it counts towards the total only.
    pub fn reserve_answer(&self, client: &ClientKey, connection: &Arc<Connection>) -> AnswerReservation {
        let client = (!self.is_unlimited()).then(|| client.clone());
        self.config.transport.answer_memory.begin(client, Arc::clone(connection))
    }

    /// Counts a websocket or an event stream of a client; `None` in development.
    ///
    /// # Errors
    /// The maximum, if the client has as many open.
    pub fn acquire_socket(&self, client: &ClientKey) -> Result<Option<SocketPermit>, usize> {
        if self.is_unlimited() { Ok(None) } else { self.config.transport.client_sockets.acquire(client).map(Some) }
    }

    /// Returns whether clients are not limited apart from each other.
    fn is_unlimited(&self) -> bool {
        self.config.authenticator.is_development()
    }
}
