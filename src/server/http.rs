//! GraphQL over HTTP: POST with a JSON body, GET for queries only. Forms, plain text and batches are refused, so that
//! no other site's page can make a browser do anything here.

use std::any::Any;

use async_graphql::parser::types::OperationType;
use async_graphql_axum::GraphQLResponse;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::graphql::Code;

use super::operation::{Answer, Operation, answer};
use super::{Served, socket};

/// The media type of a GraphQL response.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// A query in a query string.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InUrl {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
}

/// POST: any operation but a subscription.
pub async fn post(State(served): State<Served>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    if !is_json(&headers) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::BadUserInput,
            "Send the operation as application/json.",
        );
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::LimitExceeded,
                "The body of a request is at most 256 kB.",
            );
        }
        Err(_) => return refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, "The body could not be read."),
    };
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, "Batches are not supported: send one operation.");
    }
    let Ok(operation) = serde_json::from_slice::<Operation>(&body) else {
        let message = "The body is not a JSON object with a `query`, and perhaps `variables` and `operationName`.";
        return refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, message);
    };
    execute(&served, &headers, operation, &[OperationType::Query, OperationType::Mutation]).await
}

/// GET: a websocket, or a query in the query string.
pub async fn get(
    State(served): State<Served>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    query: Result<Query<InUrl>, QueryRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => return socket::upgrade(served, upgrade),
        Err(rejection) if headers.contains_key(header::UPGRADE) => return rejection.into_response(),
        Err(_) => {}
    }
    let bad = |message| refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, message);
    let Ok(Query(parts)) = query else { return bad("The query string could not be read.") };
    let Some(query) = parts.query else { return bad("Send a query in `query`, or POST an operation as JSON.") };
    let variables = match parts.variables.filter(|text| !text.is_empty()).map(|text| serde_json::from_str(&text)) {
        None => None,
        Some(Ok(variables)) => Some(variables),
        Some(Err(_)) => return bad("`variables` is not a JSON object."),
    };
    let operation = Operation::from_parts(query, parts.operation_name, variables);
    execute(&served, &headers, operation, &[OperationType::Query]).await
}

async fn execute(served: &Served, headers: &HeaderMap, operation: Operation, kinds: &[OperationType]) -> Response {
    let Ok(identity) = served.front.gate.admit_headers(headers) else {
        let refused = refuse(StatusCode::UNAUTHORIZED, Code::Unauthenticated, "This token is not good.");
        return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    };
    let accepted = match operation.accept(served, served.viewer(identity)) {
        Ok(accepted) => accepted,
        Err(answer) => return respond(headers, *answer),
    };
    if accepted.kind == OperationType::Subscription {
        let message = "Subscriptions come over a websocket: the same path, sub-protocol graphql-transport-ws.";
        return refuse(StatusCode::BAD_REQUEST, Code::BadUserInput, message);
    }
    if !kinds.contains(&accepted.kind) {
        let refused = refuse(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, "GET is for queries; POST mutations.");
        return ([(header::ALLOW, "POST")], refused).into_response();
    }
    respond(headers, answer(accepted.kind, served.schema.execute(accepted.request).await))
}

/// Status and media type of an answer, in one place. A client that knows the media type of GraphQL responses gets a
/// status that tells a request error apart; for others everything that is GraphQL is 200.
fn respond(headers: &HeaderMap, answer: Answer) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    let knows =
        accept.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == GRAPHQL_RESPONSE));
    let (status, kind) = match (knows, answer.is_request_error) {
        (true, true) => (StatusCode::BAD_REQUEST, "application/graphql-response+json; charset=utf-8"),
        (true, false) => (StatusCode::OK, "application/graphql-response+json; charset=utf-8"),
        (false, _) => (StatusCode::OK, "application/json; charset=utf-8"),
    };
    let mut response = if answer.is_request_error {
        (status, Json(answer)).into_response()
    } else {
        GraphQLResponse::from(answer.response).into_response()
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error of the transport, in the form of a GraphQL error.
fn refuse(status: StatusCode, code: Code, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code.word() } }] });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The answer when a handler panicked. What it was is in the log.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "Something went wrong on our side.")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
