//! GraphQL over HTTP: POST with a JSON body, GET for queries only, and subscriptions as server-sent events on the same
//! path. Forms, plain text and batches are refused, so that no other site's page can make a browser do anything here.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql_axum::GraphQLResponse;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRequest, Query, Request, State};
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
use super::concurrency::ConcurrencyPermit;
use super::connections::Connection;
use super::encode::{self, EncodeError};
use super::error_response::{
    OVERLOADED, bad_request, error_response, error_response_with, not_found, overloaded, rate_limited,
};
use super::negotiation::{accepts, asks_for_websocket, is_encoded, is_json};
use super::operation::{Answer, MUTATION_BY_GET, Operation, PreparedOperation, UNKNOWN_OUTCOME, answer};
use super::operation_json::{json_problem, parse_operation, strip_byte_order_mark};
use super::shared_answers::Turn;
use super::{ServerState, caching, events, execution, socket};

/// The media type of a GraphQL response.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// `Retry-After` of a response for which there was no memory, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// An operation in a query string.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// A request for one operation, without the operation.
struct OperationRequest {
    caller: Caller,
    headers: HeaderMap,
    /// Whether it came by GET: only queries may, and some of their responses may be cached.
    is_get: bool,
    /// When the request timeout ends.
    due: Instant,
    /// Its permit among the requests in flight.
    permit: ConcurrencyPermit,
    connection: Arc<Connection>,
}

/// POST: any operation.
pub async fn post(
    State(state): State<Arc<ServerState>>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    let due = Instant::now() + state.config.transport.timeouts.request;
    let Some(permit) = state.config.transport.requests.try_acquire() else { return overloaded(OVERLOADED) };
    let headers = request.headers().clone();
    let caller = match state.authenticate(state.address(&connection, &headers), &headers) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    if let Some(refused) = unsupported_body(&headers) {
        return refused;
    }
    let body = match timeout_at(due, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return body_error(&rejection, state.config.transport.sizes.body),
        Err(_) => {
            let message = "The body took too long to arrive. Nothing was executed.";
            return error_response(StatusCode::REQUEST_TIMEOUT, Code::LimitExceeded, message);
        }
    };
    let json = strip_byte_order_mark(&body);
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return bad_request("Batches are not supported: send one operation.");
    }
    let operation = match parse_operation(json) {
        Ok(operation) => operation,
        Err(problem) => return problem.response(StatusCode::BAD_REQUEST),
    };
    let request = OperationRequest { caller, headers, is_get: false, due, permit, connection };
    execute(&state, request, operation).await
}

/// Any other method on the path of the API.
pub async fn method_not_allowed() -> Response {
    let message = "POST an operation, or GET a query or a websocket.";
    error_response_with((header::ALLOW, "GET, HEAD, POST"), StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
}

/// Any other path.
pub async fn unknown_path() -> Response {
    not_found()
}

/// A method that another path does not have. axum sets `Allow`.
pub async fn method_not_allowed_elsewhere() -> Response {
    let message = "This path has no such method; the API is at /graphql.";
    error_response(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
}

/// GET: a websocket, or a query or a subscription in the query string.
pub async fn get(
    State(state): State<Arc<ServerState>>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    query: Result<Query<QueryParameters>, QueryRejection>,
) -> Response {
    let address = state.address(&connection, &headers);
    match upgrade {
        Ok(upgrade) => return socket::upgrade(state, &headers, socket::Peer { address, connection }, upgrade),
        Err(rejection) if asks_for_websocket(&headers) => return upgrade_error(&rejection),
        // An upgrade to another protocol may be offered, and is ignored.
        Err(_) => {}
    }
    let due = Instant::now() + state.config.transport.timeouts.request;
    let Some(permit) = state.config.transport.requests.try_acquire() else { return overloaded(OVERLOADED) };
    let caller = match state.authenticate(address, &headers) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Ok(Query(parameters)) = query else { return bad_request("The query string could not be read.") };
    let operation = match parameters.parse() {
        Ok(operation) => operation,
        Err(refused) => return *refused,
    };
    let request = OperationRequest { caller, headers, is_get: true, due, permit, connection };
    execute(&state, request, operation).await
}

impl QueryParameters {
    fn parse(self) -> Result<Operation, Box<Response>> {
        let mut objects = [None, None];
        for (object, text) in objects.iter_mut().zip([self.variables, self.extensions]) {
            match text.filter(|text| !text.trim().is_empty()).map(|text| serde_json::from_str(&text)).transpose() {
                Ok(parsed) => *object = parsed.flatten(),
                Err(error) => {
                    let problem = json_problem(&error, "`variables` and `extensions` are JSON objects.");
                    return Err(Box::new(problem.response(StatusCode::BAD_REQUEST)));
                }
            }
        }
        Ok(Operation::from_parts(self.query, self.operation_name, objects))
    }
}

/// Executes an operation and returns the response: JSON, or server-sent events.
async fn execute(state: &Arc<ServerState>, request: OperationRequest, operation: Operation) -> Response {
    let wants_only_events = events::are_wanted(&request.headers, None);
    if !operation.has_query() && !wants_only_events {
        return bad_request("Send a query in `query`, or POST an operation as JSON.");
    }
    let Caller { identity, client, .. } = request.caller.clone();
    let reservation = state.reserve_answer(&client, &request.connection);
    // A client that does not accept JSON wants events, whatever the operation is.
    let delivery = if wants_only_events { Delivery::Repeated } else { Delivery::Once };
    let outcome = operation.prepare(state, state.viewer(identity, client), reservation, delivery);
    let prepared = outcome.as_ref().ok();
    if let Some(error) = prepared.and_then(|one| state.charge(&request.caller, one).err()) {
        return rate_limited(error);
    }
    if events::are_wanted(&request.headers, prepared.map(|prepared| prepared.kind)) {
        let outcome = outcome.and_then(|prepared| match prepared.kind {
            OperationType::Mutation if request.is_get => Err(Box::new(Answer::of_mutation_by_get())),
            _ => Ok(prepared),
        });
        let OperationRequest { headers, caller, due, permit, .. } = request;
        return events::stream(state, &headers, caller, events::Source { outcome, due, permit });
    }
    match outcome {
        Ok(prepared) => execute_once(state, &request, prepared).await,
        Err(answer) => respond(&request.headers, true, Json(*answer)),
    }
}

/// Executes a query or a mutation and returns the response as JSON.
async fn execute_once(state: &ServerState, request: &OperationRequest, mut prepared: PreparedOperation) -> Response {
    let headers = &request.headers;
    if let Some(refused) = unsupported_kind(prepared.kind, request.is_get) {
        return refused;
    }
    let cache = caching::cache_control(&mut prepared.request, request.is_get, headers);
    let PreparedOperation { kind, request: operation, budget, reservation, sent, span, alike, .. } = prepared;
    execution::count(kind);
    let executed = async {
        let turn = match alike {
            Some(alike) => Some(state.shared_answers.turn(alike).await),
            None => None,
        };
        if let Some(Turn::Answered(text)) = turn {
            metrics::answer_shared();
            return Ok(Answer::of_rendered(text));
        }
        let answer = answer(kind, execution::execute(&state.schema, operation, &budget).await?);
        Ok(if let Some(Turn::Execute(execution)) = turn { execution.share(answer) } else { answer })
    };
    let answer = match timeout_at(request.due, executed.instrument(span)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(stopped)) => return incomplete(state, headers, kind, EncodeError::Stopped(stopped)),
        Err(_) => return incomplete(state, headers, kind, EncodeError::TooLate),
    };
    if let Some((hash, query)) = sent.filter(|_| !answer.is_request_error) {
        state.persisted.remember(hash, &query);
    }
    let has_errors = !answer.response.errors.is_empty();
    let body = match encode::body(&answer, state.config.transport.sizes.answer, request.due, &reservation) {
        Ok(body) => body,
        Err(why) => return incomplete(state, headers, kind, why),
    };
    let mut response = respond(headers, answer.is_request_error, body);
    if !has_errors {
        caching::set_cache_control(&mut response, cache);
    }
    response
}

/// Returns the response to an operation whose answer was not completed.
fn incomplete(state: &ServerState, headers: &HeaderMap, kind: OperationType, why: EncodeError) -> Response {
    let answer = match why {
        EncodeError::TooLate => {
            metrics::refusal(Code::Timeout.as_str());
            return error_response(StatusCode::GATEWAY_TIMEOUT, Code::Timeout, UNKNOWN_OUTCOME);
        }
        EncodeError::Stopped(stopped) => Answer::of_stopped(kind, stopped, state.config.transport.sizes.answer),
    };
    let mut response = respond(headers, false, GraphQLResponse::from(answer.response));
    if matches!(why, EncodeError::Stopped(Stopped::ClientIsFull | Stopped::ServerIsFull)) {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// Returns the refusal of a kind of operation that this request may not carry.
fn unsupported_kind(kind: OperationType, is_get: bool) -> Option<Response> {
    match kind {
        OperationType::Subscription => Some(bad_request(
            "Subscriptions come over a websocket (graphql-transport-ws) or as text/event-stream, on the same path.",
        )),
        OperationType::Mutation if is_get => Some(error_response_with(
            (header::ALLOW, "POST"),
            StatusCode::METHOD_NOT_ALLOWED,
            Code::BadUserInput,
            MUTATION_BY_GET,
        )),
        OperationType::Query | OperationType::Mutation => None,
    }
}

/// Sets status and media type of a response, in one place. A client that accepts the media type of GraphQL responses gets
/// a status that tells a request error apart; for others everything that is GraphQL is 200, as the audits of graphql-http
/// ask, although the draft of the specification now says otherwise.
fn respond(headers: &HeaderMap, is_request_error: bool, body: impl IntoResponse) -> Response {
    let (status, media_type) = match (accepts(headers, GRAPHQL_RESPONSE), is_request_error) {
        (true, true) => (StatusCode::BAD_REQUEST, "application/graphql-response+json; charset=utf-8"),
        (true, false) => (StatusCode::OK, "application/graphql-response+json; charset=utf-8"),
        (false, _) => (StatusCode::OK, "application/json; charset=utf-8"),
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the refusal of a body that is not plain JSON in UTF-8.
fn unsupported_body(headers: &HeaderMap) -> Option<Response> {
    if !is_json(headers) {
        let message = "Send the operation as application/json, in UTF-8.";
        return Some(error_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadUserInput, message));
    }
    if is_encoded(headers) {
        let message = "The body of a request is not taken compressed: send it without `Content-Encoding`.";
        let supported = (header::ACCEPT_ENCODING, "identity");
        return Some(error_response_with(supported, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadUserInput, message));
    }
    None
}

fn body_error(rejection: &BytesRejection, max_body: usize) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("The body of a request has at most {max_body} bytes.");
        return error_response(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, &message);
    }
    bad_request("The body could not be read.")
}

/// Returns the refusal of an invalid websocket handshake.
fn upgrade_error(rejection: &WebSocketUpgradeRejection) -> Response {
    let message = format!("This is no handshake of a websocket: {}.", rejection.body_text().trim_end_matches('.'));
    if matches!(rejection, WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_)) {
        let version = (header::SEC_WEBSOCKET_VERSION, "13");
        return error_response_with(version, StatusCode::UPGRADE_REQUIRED, Code::BadUserInput, &message);
    }
    bad_request(&message)
}
