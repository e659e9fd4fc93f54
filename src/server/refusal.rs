//! What the server says when it does not execute a request: an error of the transport, in the form of a GraphQL error,
//! always with a code.

use std::any::Any;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::graphql::Code;
use crate::observability::metrics;

use super::listen::MAX_HEAD;
use super::operation::Operation;
use super::person::Person;
use super::rate::{POINT, TooMuch};

/// When a client that was turned away may come back, in seconds.
const RETRY_AFTER: &str = "1";

/// What is said to an operation for which there is no place in flight.
pub const OVERLOADED: &str = "The server has too much to do. Nothing was executed; try again soon.";

/// Bytes between the name of a header and its value, and after it.
const AROUND_HEADER: usize = ": \r\n".len();

/// An error of the transport.
pub fn refuse(status: StatusCode, code: Code, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code.as_str() } }] });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// A request that makes no sense.
pub fn bad_request(message: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
}

/// Deepest nesting of brackets in JSON: what the parser takes.
const MAX_JSON_NESTING: usize = 127;

/// A code and a sentence.
pub type Fault = (Code, String);

/// Why JSON was not taken: its own fault where it is JSON all the same, or `otherwise`, with the place where it breaks.
pub fn json_fault(error: &serde_json::Error, otherwise: &str) -> Fault {
    // The parser has codes for its errors, but keeps them to itself.
    let text = error.to_string();
    let place = format!("at line {}, column {}", error.line(), error.column());
    if text.starts_with("recursion limit exceeded") {
        return (Code::LimitExceeded, format!("JSON nests at most {MAX_JSON_NESTING} brackets deep."));
    }
    if text.starts_with("number out of range") {
        return (Code::BadUserInput, format!("A number in the JSON is out of range, {place}."));
    }
    if ["lone leading surrogate", "unexpected end of hex escape"].iter().any(|fault| text.starts_with(fault)) {
        let message =
            format!("A string in the JSON has half a character, a surrogate without the other half, {place}.");
        return (Code::BadUserInput, message);
    }
    if text.starts_with("invalid unicode code point") {
        return (Code::BadUserInput, format!("The JSON is not UTF-8, {place}."));
    }
    if let Some((name, _)) = text.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`')) {
        return (Code::BadUserInput, format!("`{name}` is there twice, {place}."));
    }
    if error.is_data() {
        return (Code::BadUserInput, otherwise.to_owned());
    }
    (Code::BadUserInput, format!("{} It breaks {place}.", sentence(otherwise)))
}

/// How an operation looks.
const FORM: &str =
    "An operation is a JSON object with a `query`, and perhaps `variables`, `operationName` and `extensions`.";

/// The mark of the order of bytes, with which some clients begin JSON in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// JSON without the mark at its begin.
pub fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)
}

/// Reads an operation.
///
/// # Errors
/// What is wrong with it.
pub fn read_operation(json: &[u8]) -> Result<Operation, Fault> {
    let begin = json.iter().find(|byte| !byte.is_ascii_whitespace());
    // The parser would take a list for the parts of an operation in their order.
    if begin == Some(&b'[') {
        return Err((Code::BadUserInput, FORM.to_owned()));
    }
    serde_json::from_slice(json).map_err(|error| operation_fault(&error, json))
}

/// The members of an operation, whatever they are: so that one that is there twice is told before what else is wrong with it.
#[derive(Deserialize)]
struct Members {
    #[serde(default, rename = "query")]
    _query: IgnoredAny,
    #[serde(default, rename = "operationName")]
    _name: IgnoredAny,
    #[serde(default, rename = "variables")]
    _variables: IgnoredAny,
    #[serde(default, rename = "extensions")]
    _extensions: IgnoredAny,
}

fn operation_fault(error: &serde_json::Error, json: &[u8]) -> Fault {
    if error.is_data()
        && let Err(doubled) = serde_json::from_slice::<Members>(json)
        && doubled.to_string().starts_with("duplicate field")
    {
        return json_fault(&doubled, FORM);
    }
    let parts = error.is_data().then(|| serde_json::from_slice::<serde_json::Value>(json).ok()).flatten();
    let Some(serde_json::Value::Object(parts)) = parts else { return json_fault(error, FORM) };
    let is_wrong = |name: &&str, is_right: fn(&serde_json::Value) -> bool| {
        parts.get(*name).is_some_and(|part| !part.is_null() && !is_right(part))
    };
    let text = ["query", "operationName"].into_iter().find(|name| is_wrong(name, serde_json::Value::is_string));
    let object = ["variables", "extensions"].into_iter().find(|name| is_wrong(name, serde_json::Value::is_object));
    match (text, object) {
        (Some(name), _) => (Code::BadUserInput, format!("`{name}` of an operation is a string.")),
        (None, Some(name)) => (Code::BadUserInput, format!("`{name}` of an operation is a JSON object.")),
        (None, None) => json_fault(error, FORM),
    }
}

/// Ends half a sentence.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// A request whose JSON makes no sense.
pub fn bad_json((code, message): Fault) -> Response {
    refuse(StatusCode::BAD_REQUEST, code, &message)
}

/// A refusal with one more header.
pub fn refuse_with(header: (HeaderName, &'static str), status: StatusCode, code: Code, message: &str) -> Response {
    ([header], refuse(status, code, message)).into_response()
}

/// There is nothing at this path.
pub fn nothing_here() -> Response {
    refuse(StatusCode::NOT_FOUND, Code::NotFound, "There is nothing here; the API is at /graphql.")
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

/// The server is not there yet, or not any more.
pub fn unavailable(message: &str) -> Response {
    refuse_with((header::RETRY_AFTER, RETRY_AFTER), StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
}

/// Somebody asks for more than they may in this time.
pub fn too_much(refused: TooMuch) -> Response {
    let (code, message) = told(refused);
    let TooMuch::Now(_) = refused else { return refuse(StatusCode::BAD_REQUEST, code, &message) };
    let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, code, &message);
    response.headers_mut().insert(header::RETRY_AFTER, seconds(refused).into());
    response
}

/// Somebody has as many websockets and event streams as they may.
pub fn too_many_sockets(person: &Person, most: usize) -> Response {
    let message = sockets_told(person, most);
    refuse_with((header::RETRY_AFTER, RETRY_AFTER), StatusCode::TOO_MANY_REQUESTS, rate_limited(), &message)
}

/// The code and the sentence for somebody who asks for too much.
pub fn told(refused: TooMuch) -> (Code, String) {
    match refused {
        TooMuch::Now(_) => {
            let message = format!("Too many requests. Nothing was executed; try again in {} s.", seconds(refused));
            (rate_limited(), message)
        }
        TooMuch::Ever { cost, most } => {
            metrics::refusal(Code::LimitExceeded.as_str());
            let points =
                |thousandths: u64| format!("{}.{:03}", thousandths / u64::from(POINT), thousandths % u64::from(POINT));
            let message = format!(
                "This request costs {} points, and at most {} can be spent at once. Ask for fewer rows or fields.",
                points(cost),
                points(most.into())
            );
            (Code::LimitExceeded, message)
        }
        TooMuch::Rows { most } => {
            metrics::refusal(Code::LimitExceeded.as_str());
            let message =
                format!("One request writes at most {most} rows of carts. Nothing was executed; send fewer items.");
            (Code::LimitExceeded, message)
        }
    }
}

/// The sentence for somebody who has too many sockets; short enough for the end of a websocket.
pub fn sockets_told(person: &Person, most: usize) -> String {
    let whose = match person {
        Person::Guests(_) => "for all guests at one address",
        Person::System | Person::Staff(_) | Person::Customer(_) => "for one user",
    };
    format!("At most {most} sockets at a time {whose}")
}

/// The code, which is counted.
fn rate_limited() -> Code {
    metrics::refusal(Code::RateLimited.as_str());
    Code::RateLimited
}

/// Whole seconds until there are enough points, never none.
fn seconds(refused: TooMuch) -> u64 {
    match refused {
        TooMuch::Now(time) => (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1),
        TooMuch::Ever { .. } | TooMuch::Rows { .. } => 1,
    }
}

/// Refuses a request whose head is too large.
pub async fn bound_head(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND_HEADER);
    if headers.fold(target, usize::saturating_add) <= MAX_HEAD {
        return next.run(request).await;
    }
    let message = format!("The headers of a request have at most {} kB with its address.", MAX_HEAD / 1_024);
    refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::LimitExceeded, &message)
}

/// The answer when a handler panicked. What it was is in the log.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "Something went wrong on our side.")
}
