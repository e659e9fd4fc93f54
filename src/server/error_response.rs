//! Responses to requests that are not executed: errors of the transport in the form of GraphQL errors, always with a code.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::graphql::Code;
use crate::observability::metrics;
use domain::client::ClientKey;

use super::rate::{POINT, RateLimitError};

/// `Retry-After` of a refused request, in seconds.
const RETRY_AFTER: &str = "1";

/// The message to an operation beyond the maximum number of requests in flight.
pub const OVERLOADED: &str = "The server has too much to do. Nothing was executed; try again soon.";

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code of the error.
    pub code: Code,
    /// The message of the error.
    pub message: String,
}

impl Problem {
    /// Returns a problem with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Returns a problem with what the client sent.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message)
    }

    /// Returns the problem of a request beyond a rate limit, and counts it.
    pub fn of_rate_limit(error: RateLimitError) -> Self {
        match error {
            RateLimitError::RetryAfter(_) => {
                let seconds = retry_seconds(error);
                let message = format!("Too many requests. Nothing was executed; try again in {seconds} s.");
                Self::new(counted(Code::RateLimited), message)
            }
            RateLimitError::TooExpensive { cost, most } => {
                let message = format!(
                    "This request costs {} points, and at most {} can be spent at once. Ask for fewer rows or fields.",
                    points(cost),
                    points(most.into())
                );
                Self::new(counted(Code::LimitExceeded), message)
            }
            RateLimitError::TooManyRows { most } => {
                let message =
                    format!("One request writes at most {most} rows of carts. Nothing was executed; send fewer items.");
                Self::new(counted(Code::LimitExceeded), message)
            }
        }
    }

    /// Returns the response with this status.
    pub fn response(&self, status: StatusCode) -> Response {
        error_response(status, self.code, &self.message)
    }
}

/// Returns a response with this status and one GraphQL error.
pub fn error_response(status: StatusCode, code: Code, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code.as_str() } }] });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Returns an error response with one more header.
pub fn error_response_with(
    header: (HeaderName, &'static str),
    status: StatusCode,
    code: Code,
    message: &str,
) -> Response {
    ([header], error_response(status, code, message)).into_response()
}

/// Returns 400.
pub fn bad_request(message: &str) -> Response {
    error_response(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
}

/// Returns 404.
pub fn not_found() -> Response {
    error_response(StatusCode::NOT_FOUND, Code::NotFound, "There is nothing here; the API is at /graphql.")
}

/// Returns 401: a token is missing or not valid.
pub fn unauthorized(message: &str) -> Response {
    let bearer = (header::WWW_AUTHENTICATE, "Bearer");
    error_response_with(bearer, StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
}

/// Returns 503: a limit of the server is reached.
pub fn overloaded(message: &str) -> Response {
    let retry = (header::RETRY_AFTER, RETRY_AFTER);
    error_response_with(retry, StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, message)
}

/// Returns 503: the server is starting or stopping.
pub fn unavailable(message: &str) -> Response {
    let retry = (header::RETRY_AFTER, RETRY_AFTER);
    error_response_with(retry, StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
}

/// Returns 429, or 400 if the request exceeds the rate limit however long the client waits.
pub fn rate_limited(error: RateLimitError) -> Response {
    let problem = Problem::of_rate_limit(error);
    let RateLimitError::RetryAfter(_) = error else { return problem.response(StatusCode::BAD_REQUEST) };
    let mut response = problem.response(StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(header::RETRY_AFTER, retry_seconds(error).into());
    response
}

/// Returns 429: the client has the maximum number of websockets and event streams open.
pub fn too_many_sockets(client: &ClientKey, most: usize) -> Response {
    let retry = (header::RETRY_AFTER, RETRY_AFTER);
    let message = socket_limit_message(client, most);
    error_response_with(retry, StatusCode::TOO_MANY_REQUESTS, counted(Code::RateLimited), &message)
}

/// Returns the message to a client with the maximum number of sockets; short enough for the reason of a close frame.
pub fn socket_limit_message(client: &ClientKey, most: usize) -> String {
    let whose = match client {
        ClientKey::Guests(_) => "for all guests at one address",
        ClientKey::System | ClientKey::Staff(_) | ClientKey::Customer(_) => "for one user",
    };
    format!("At most {most} sockets at a time {whose}")
}

/// Returns 500: a handler panicked. The log says where.
pub fn panicked() -> Response {
    error_response(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "Something went wrong on our side.")
}

/// Counts a refusal.
fn counted(code: Code) -> Code {
    metrics::refusal(code.as_str());
    code
}

/// Formats thousandths of a point as points.
fn points(thousandths: u64) -> String {
    format!("{}.{:03}", thousandths / u64::from(POINT), thousandths % u64::from(POINT))
}

/// Returns the whole seconds until there are enough points, at least one.
fn retry_seconds(error: RateLimitError) -> u64 {
    match error {
        RateLimitError::RetryAfter(time) => (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1),
        RateLimitError::TooExpensive { .. } | RateLimitError::TooManyRows { .. } => 1,
    }
}
