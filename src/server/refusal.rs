//! What the server says when it does not execute a request: an error of the transport, in the form of a GraphQL error,
//! always with a code.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::graphql::Code;

/// When a client that was turned away may come back, in seconds.
const RETRY_AFTER: &str = "1";

/// An error of the transport.
pub fn refuse(status: StatusCode, code: Code, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code.word() } }] });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// A request that makes no sense.
pub fn bad_request(message: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
}

/// A refusal with one more header.
pub fn refuse_with(header: (HeaderName, &'static str), status: StatusCode, code: Code, message: &str) -> Response {
    ([header], refuse(status, code, message)).into_response()
}

/// Nobody comes in without a good token, or a better one.
pub fn unauthorized(message: &str) -> Response {
    let bearer = (header::WWW_AUTHENTICATE, "Bearer");
    refuse_with(bearer, StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
}

/// There is no place for one more.
pub fn full(message: &str) -> Response {
    refuse_with((header::RETRY_AFTER, RETRY_AFTER), StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, message)
}

/// The answer when a handler panicked. What it was is in the log.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "Something went wrong on our side.")
}
