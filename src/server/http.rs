//! GraphQL over HTTP: POST with a JSON body, GET for queries only, and subscriptions as server-sent events on the same
//! path. Forms, plain text and batches are refused, so that no other site's page can make a browser do anything here.

use std::net::SocketAddr;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql_axum::GraphQLResponse;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::graphql::document::Delivery;
use crate::graphql::{Code, Stopped};
use crate::observability::metrics;

use super::caller::Caller;
use super::connections::Connection;
use super::encode::{self, EncodeError};
use super::operation::{Accepted, Answer, MUTATION_BY_GET, Operation, UNKNOWN_OUTCOME, answer};
use super::refusal::{
    OVERLOADED, bad_json, bad_request, full, json_fault, nothing_here, read_operation, refuse, refuse_with, too_much,
    without_mark,
};
use super::wire::Place;
use super::{Served, caching, events, execution, socket};

/// The media type of a GraphQL response.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// When a client for whose answer there was no memory may come back, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A query in a query string.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InUrl {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// How an operation came.
struct Envelope {
    caller: Caller,
    headers: HeaderMap,
    /// By GET: a query, and perhaps one that may be cached.
    is_get: bool,
    /// When its time is over.
    due: Instant,
    /// Its place among those in flight.
    place: Place,
    /// What it came over.
    connection: Arc<Connection>,
}

/// POST: any operation.
pub async fn post(
    State(served): State<Served>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    let due = Instant::now() + served.front.wire.times.request;
    let Some(place) = served.front.wire.requests.take() else { return overloaded() };
    let headers = request.headers().clone();
    let caller = match served.admit(served.address(peer, &headers), &headers) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let envelope = Envelope { caller, headers, is_get: false, due, place, connection };
    if !is_json(&envelope.headers) {
        let message = "Send the operation as application/json, in UTF-8.";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadUserInput, message);
    }
    if is_encoded(&envelope.headers) {
        let message = "The body of a request is not taken compressed: send it without `Content-Encoding`.";
        let takes = (header::ACCEPT_ENCODING, "identity");
        return refuse_with(takes, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadUserInput, message);
    }
    let body = match timeout_at(envelope.due, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return unread(&rejection, served.front.wire.room.body),
        Err(_) => {
            let message = "The body took too long to arrive. Nothing was executed.";
            return refuse(StatusCode::REQUEST_TIMEOUT, Code::LimitExceeded, message);
        }
    };
    let json = without_mark(&body);
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return bad_request("Batches are not supported: send one operation.");
    }
    let operation = match read_operation(json) {
        Ok(operation) => operation,
        Err(fault) => return bad_json(fault),
    };
    execute(&served, envelope, operation).await
}

/// Any other method.
pub async fn no_such_method() -> Response {
    let message = "POST an operation, or GET a query or a websocket.";
    refuse_with((header::ALLOW, "GET, HEAD, POST"), StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
}

/// Any other path.
pub async fn no_such_path() -> Response {
    nothing_here()
}

/// A method that another path than the API's does not have. Which ones it has is in `Allow`.
pub async fn no_such_method_here() -> Response {
    let message = "This path has no such method; the API is at /graphql.";
    refuse(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
}

/// GET: a websocket, or a query in the query string, or a subscription there.
pub async fn get(
    State(served): State<Served>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    query: Result<Query<InUrl>, QueryRejection>,
) -> Response {
    let address = served.address(peer, &headers);
    match upgrade {
        Ok(upgrade) => return socket::upgrade(served, &headers, (address, connection), upgrade),
        Err(rejection) if asks_for_websocket(&headers) => return not_upgraded(&rejection),
        // Another protocol may be offered; what it is asked for is answered in this one.
        Err(_) => {}
    }
    let due = Instant::now() + served.front.wire.times.request;
    let Some(place) = served.front.wire.requests.take() else { return overloaded() };
    let caller = match served.admit(address, &headers) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Ok(Query(parts)) = query else { return bad_request("The query string could not be read.") };
    let mut objects = [None, None];
    for (object, text) in objects.iter_mut().zip([parts.variables, parts.extensions]) {
        match text.filter(|text| !text.trim().is_empty()).map(|text| serde_json::from_str(&text)).transpose() {
            Ok(parsed) => *object = parsed.flatten(),
            Err(error) => return bad_json(json_fault(&error, "`variables` and `extensions` are JSON objects.")),
        }
    }
    let operation = Operation::from_parts(parts.query, parts.operation_name, objects);
    let envelope = Envelope { caller, headers, is_get: true, due, place, connection };
    execute(&served, envelope, operation).await
}

async fn execute(served: &Served, envelope: Envelope, operation: Operation) -> Response {
    if !operation.has_query() && !events::are_wanted(&envelope.headers, None) {
        return bad_request("Send a query in `query`, or POST an operation as JSON.");
    }
    let Caller { identity, person, .. } = envelope.caller.clone();
    let reservation = served.reservation(&person, &envelope.connection);
    // Without JSON for a plain answer, it is events that are wanted, whatever the operation is.
    let delivery = if events::are_wanted(&envelope.headers, None) { Delivery::Repeated } else { Delivery::Once };
    let outcome = operation.accept(served, served.viewer(identity, person), reservation, delivery);
    let accepted = outcome.as_ref().ok();
    if let Some(refused) = accepted.and_then(|one| served.charge(&envelope.caller, one).err()) {
        return too_much(refused);
    }
    if events::are_wanted(&envelope.headers, accepted.map(|accepted| accepted.kind)) {
        let outcome = outcome.and_then(|accepted| match accepted.kind {
            OperationType::Mutation if envelope.is_get => Err(Box::new(Answer::of_mutation_by_get())),
            _ => Ok(accepted),
        });
        let Envelope { headers, caller, due, place, .. } = envelope;
        return events::stream(served, &headers, caller, (outcome, due, place));
    }
    let mut accepted = match outcome {
        Ok(accepted) => accepted,
        Err(answer) => return respond(&envelope.headers, true, Json(*answer)),
    };
    if let Some(refused) = refuse_kind(accepted.kind, envelope.is_get) {
        return refused;
    }
    let cache = caching::cache_control(&mut accepted.request, envelope.is_get, &envelope.headers);
    let Accepted { kind, request, budget, reservation, sent, span, .. } = accepted;
    execution::count(kind);
    let executed = execution::execute(&served.schema, request, &budget).instrument(span);
    let answer = match timeout_at(envelope.due, executed).await {
        Ok(Ok(response)) => answer(kind, response),
        Ok(Err(stopped)) => return not_whole(served, &envelope.headers, kind, EncodeError::Stopped(stopped)),
        Err(_) => return not_whole(served, &envelope.headers, kind, EncodeError::TooLate),
    };
    if let Some((hash, query)) = sent.filter(|_| !answer.is_request_error) {
        served.persisted.remember(hash, &query);
    }
    let is_whole = answer.response.errors.is_empty();
    let body = match encode::body(&answer, served.front.wire.room.answer, envelope.due, &reservation) {
        Ok(body) => body,
        Err(why) => return not_whole(served, &envelope.headers, kind, why),
    };
    let mut response = respond(&envelope.headers, answer.is_request_error, body);
    if is_whole {
        caching::mark(&mut response, cache);
    }
    response
}

/// The answer to an operation whose own answer was not made to its end.
fn not_whole(served: &Served, headers: &HeaderMap, kind: OperationType, why: EncodeError) -> Response {
    let answer = match why {
        EncodeError::TooLate => {
            metrics::refusal(Code::Timeout.as_str());
            return refuse(StatusCode::GATEWAY_TIMEOUT, Code::Timeout, UNKNOWN_OUTCOME);
        }
        EncodeError::Stopped(stopped) => Answer::of_stopped(kind, stopped, served.front.wire.room.answer),
    };
    let mut response = respond(headers, false, GraphQLResponse::from(answer.response));
    if matches!(why, EncodeError::Stopped(Stopped::ClientIsFull | Stopped::ServerIsFull)) {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// What a plain request may not be.
fn refuse_kind(kind: OperationType, is_get: bool) -> Option<Response> {
    match kind {
        OperationType::Subscription => Some(bad_request(
            "Subscriptions come over a websocket (graphql-transport-ws) or as text/event-stream, on the same path.",
        )),
        OperationType::Mutation if is_get => Some(refuse_with(
            (header::ALLOW, "POST"),
            StatusCode::METHOD_NOT_ALLOWED,
            Code::BadUserInput,
            MUTATION_BY_GET,
        )),
        OperationType::Query | OperationType::Mutation => None,
    }
}

/// Status and media type of an answer, in one place. A client that knows the media type of GraphQL responses gets a
/// status that tells a request error apart; for others everything that is GraphQL is 200, as the audits of graphql-http
/// ask, although the draft of the specification now says otherwise.
fn respond(headers: &HeaderMap, is_request_error: bool, body: impl IntoResponse) -> Response {
    let (status, kind) = match (accepts(headers, GRAPHQL_RESPONSE), is_request_error) {
        (true, true) => (StatusCode::BAD_REQUEST, "application/graphql-response+json; charset=utf-8"),
        (true, false) => (StatusCode::OK, "application/graphql-response+json; charset=utf-8"),
        (false, _) => (StatusCode::OK, "application/json; charset=utf-8"),
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a client names this media type among those that it accepts.
pub fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut kinds = lines.flat_map(|accept| accept.split(',')).filter_map(|part| part.split(';').next());
    kinds.any(|one| one.trim().eq_ignore_ascii_case(kind))
}

fn unread(rejection: &BytesRejection, max_body: usize) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("The body of a request has at most {max_body} bytes.");
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, &message);
    }
    bad_request("The body could not be read.")
}

fn overloaded() -> Response {
    full(OVERLOADED)
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::UPGRADE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// A handshake that is none.
fn not_upgraded(rejection: &WebSocketUpgradeRejection) -> Response {
    let message = format!("This is no handshake of a websocket: {}.", rejection.body_text().trim_end_matches('.'));
    if matches!(rejection, WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_)) {
        let version = (header::SEC_WEBSOCKET_VERSION, "13");
        return refuse_with(version, StatusCode::UPGRADE_REQUIRED, Code::BadUserInput, &message);
    }
    bad_request(&message)
}

/// Whether a body is compressed, or otherwise not as it is.
fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let is_plain_line =
        |line: &HeaderValue| line.to_str().is_ok_and(|line| line.split(',').map(str::trim).all(is_plain));
    !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain_line)
}

/// JSON, and in no other charset than UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    let is_utf8 = |value: &str| ["utf-8", "utf8"].iter().any(|one| value.trim_matches('"').eq_ignore_ascii_case(one));
    is_json && parameters.all(|(name, value)| !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value.trim()))
}
