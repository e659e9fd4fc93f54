//! `POST /webhooks/GATEWAY`: what payment providers push to this server. It hands the raw body to the gateway, which checks
//! its signature, and answers so that a provider sends again what could not be taken.
//!
//! No token is read here, and no cookie: whoever cannot sign is nobody, from whatever page it comes. What is not signed costs
//! its address a point, as any request does, so that nobody can keep the server busy without end; the notices of a provider
//! are not limited.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout_at};

use crate::graphql::Code;
use crate::payment::gateway::{Notice, Receipt};
use domain::client::ClientKey;

use super::ServerState;
use super::connections::Connection;
use super::error_response::{
    OVERLOADED, bad_request, error_response, not_found, overloaded, rate_limited, unavailable,
};
use super::negotiation::is_encoded;

/// Maximum size of a notice, in bytes.
pub const MAX_BODY: usize = 256 * 1_024;

/// Takes a notice of a payment provider.
pub async fn receive(
    State(state): State<Arc<ServerState>>,
    Extension(connection): Extension<Arc<Connection>>,
    Path(gateway): Path<String>,
    request: Request,
) -> Response {
    let due = Instant::now() + state.config.transport.timeouts.request;
    let Some(_permit) = state.config.transport.requests.try_acquire() else { return overloaded(OVERLOADED) };
    let headers = request.headers().clone();
    // Whatever is refused before its signature is known to be good.
    let refused = |response: Response| {
        let client = ClientKey::guests(state.address(&connection, &headers));
        state.charge_request(&client).map_or_else(rate_limited, |()| response)
    };
    if is_encoded(&headers) {
        return refused(bad_request("A notice is not taken compressed: send it without `Content-Encoding`."));
    }
    let body = match timeout_at(due, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("A notice has at most {MAX_BODY} bytes.");
            return refused(error_response(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, &message));
        }
        Ok(Err(_)) => return refused(bad_request("The body could not be read.")),
        Err(_) => {
            let message = "The body took too long to arrive. Nothing was executed.";
            return refused(error_response(StatusCode::REQUEST_TIMEOUT, Code::LimitExceeded, message));
        }
    };
    let notice = Notice { headers: &headers, body: &body };
    let receipt = timeout_at(due, state.app.payments.receive(&gateway, notice)).await.unwrap_or(Receipt::Failed);
    match receipt {
        Receipt::Accepted | Receipt::Ignored => {
            (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], "received\n").into_response()
        }
        Receipt::Unsigned => refused(bad_request("The signature of this notice is not good.")),
        Receipt::Malformed => bad_request("This notice is not understood."),
        Receipt::Failed => unavailable("The notice could not be taken; send it again."),
        Receipt::NotSupported => refused(not_found()),
    }
}
