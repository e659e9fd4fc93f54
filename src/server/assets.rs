//! The files for browsers, embedded in the binary: GraphiQL and the demo shop, which request nothing from other hosts, and
//! the stock badge, which pages of other origins load. Nothing here depends on who asks.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The content security policy of GraphiQL: only this server. The editor sets styles from its scripts.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    worker-src 'self'";

/// The content security policy of the demo shop, which has its styles in a file and makes no markup from text.
const DEMO_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The content security policy of the demo shop where orders can be paid through Stripe: what Stripe's script needs, as Stripe
/// documents it, and nothing else. That script is not written for trusted types.
const STRIPE_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self' https://js.stripe.com https://*.js.stripe.com; style-src 'self'; img-src 'self'; \
    connect-src 'self' https://api.stripe.com; \
    frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com";

/// `Cache-Control` of the files in `assets/`, whose names change with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` of the badge, whose name stays when its content changes.
const FIVE_MINUTES: &str = "public, max-age=300";

/// The path of the badge's script.
pub const BADGE_PATH: &str = "/stock-badge.js";

/// The file name of the badge's script.
const BADGE: &str = "stock-badge.js";

use super::ServerState;
use super::error_response::not_found;

#[derive(RustEmbed)]
#[folder = "web/graphiql/dist"]
#[exclude = "sources.sha256"]
struct Page;

#[derive(RustEmbed)]
#[folder = "web/demo/dist"]
#[exclude = "sources.sha256"]
struct Demo;

#[derive(RustEmbed)]
#[folder = "web/stock-badge/dist"]
#[include = "stock-badge.js"]
struct Badge;

/// GraphiQL.
pub async fn index(State(state): State<Arc<ServerState>>) -> Response {
    page::<Page>(&state, POLICY)
}

/// A file of GraphiQL.
pub async fn asset(State(state): State<Arc<ServerState>>, Path(name): Path<String>) -> Response {
    page_asset::<Page>(&state, &name, POLICY)
}

/// The demo shop.
pub async fn demo(State(state): State<Arc<ServerState>>) -> Response {
    let Some(key) = state.app.payments.publishable_key() else { return page::<Demo>(&state, DEMO_POLICY) };
    let Some(mut file) = Demo::get("index.html").filter(|_| state.config.explore) else { return not_found() };
    // The settings let only letters, digits and underscores into a key.
    let tag = format!("<meta name=\"onhand-stripe-key\" content=\"{key}\" /></head>");
    file.data = String::from_utf8_lossy(&file.data).replace("</head>", &tag).into_bytes().into();
    respond("index.html", file, "no-cache", STRIPE_POLICY)
}

/// Redirects to the demo shop without the trailing slash, with which the relative URLs of its files would be wrong. The
/// target is relative as well, so that it works behind the path prefix of a proxy.
pub async fn demo_with_slash(State(state): State<Arc<ServerState>>) -> Response {
    if !state.config.explore {
        return not_found();
    }
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "../demo")]).into_response()
}

/// A file of the demo shop.
pub async fn demo_asset(State(state): State<Arc<ServerState>>, Path(name): Path<String>) -> Response {
    page_asset::<Demo>(&state, &name, DEMO_POLICY)
}

/// The script of the stock badge, also in production, and for the pages of every origin: it contains nothing that is not
/// public. Whether such a page may subscribe is decided when it does.
pub async fn badge(headers: HeaderMap) -> Response {
    let Some(file) = Badge::get(BADGE) else { return not_found() };
    // Weak, because it is sent compressed or not.
    let tag = format!("W/\"{}\"", hex(&file.metadata.sha256_hash()));
    let shared = [
        (header::CACHE_CONTROL, FIVE_MINUTES.to_owned()),
        (header::ETAG, tag.clone()),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if is_known(&headers, &tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (shared, kind, content(file)).into_response()
}

/// Refuses other methods on the path of the badge, with a response that every page may read: caches do not store it, so a
/// badge whose origin is not allowed learns from it that the server itself is there.
pub async fn badge_is_only_read() -> Response {
    let headers = [(header::ALLOW, "GET,HEAD"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (StatusCode::METHOD_NOT_ALLOWED, headers).into_response()
}

/// Returns a page, if pages are served.
fn page<Files: RustEmbed>(state: &ServerState, policy: &'static str) -> Response {
    match Files::get("index.html").filter(|_| state.config.explore) {
        Some(file) => respond("index.html", file, "no-cache", policy),
        None => not_found(),
    }
}

/// Returns a file of a page, if pages are served.
fn page_asset<Files: RustEmbed>(state: &ServerState, name: &str, policy: &'static str) -> Response {
    let path = format!("assets/{name}");
    match Files::get(&path).filter(|_| state.config.explore) {
        Some(file) => respond(&path, file, IMMUTABLE, policy),
        None => not_found(),
    }
}

/// Returns whether the client has the file already, by `If-None-Match`.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| one.trim() == tag || one.trim() == "*")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn respond(path: &str, file: EmbeddedFile, cache: &'static str, policy: &'static str) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let body = content(file);
    let headers = [
        (header::CONTENT_TYPE, kind.as_ref()),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

/// Returns the content of a file. Bytes in the binary are not copied.
fn content(file: EmbeddedFile) -> Response {
    match file.data {
        Cow::Borrowed(bytes) => bytes.into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    }
}
