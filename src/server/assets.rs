//! The page to explore the API, served from the binary. It asks nothing of another host, and its policy says so.

use std::borrow::Cow;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What the page may do: talk to us, and nothing else. The editor sets styles from its scripts.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    worker-src 'self'";

/// Names in `assets/` change with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

use super::Served;

#[derive(RustEmbed)]
#[folder = "web/graphiql/dist"]
#[exclude = "sources.sha256"]
struct Page;

/// The page.
pub async fn index(State(served): State<Served>) -> Response {
    if !served.front.explore {
        return StatusCode::NOT_FOUND.into_response();
    }
    match Page::get("index.html") {
        Some(file) => respond("index.html", file, "no-cache"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A file of the page.
pub async fn asset(State(served): State<Served>, Path(name): Path<String>) -> Response {
    if !served.front.explore {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = format!("assets/{name}");
    match Page::get(&path) {
        Some(file) => respond(&path, file, FOR_EVER),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn respond(path: &str, file: EmbeddedFile, cache: &'static str) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let body = match file.data {
        Cow::Borrowed(bytes) => bytes.into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.as_ref()),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}
