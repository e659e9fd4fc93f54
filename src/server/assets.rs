//! What browsers are served from the binary: the page to explore the API and the demo shop, which ask nothing of another
//! host, and the stock badge, which shops' pages of other origins load. Nothing here depends on who asks.

use std::borrow::Cow;
use std::fmt::Write;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What the page may do: talk to us, and nothing else. The editor sets styles from its scripts.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    worker-src 'self'";

/// The same for the demo shop, which has its styles in a file and makes no markup from text.
const DEMO_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Names in `assets/` change with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The badge keeps its name when it changes, so it is asked for again soon.
const FIVE_MINUTES: &str = "public, max-age=300";

/// Where the badge's script is.
pub const BADGE_PATH: &str = "/stock-badge.js";

/// The name of the badge's script.
const BADGE: &str = "stock-badge.js";

use super::Served;
use super::refusal::nothing_here;

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

/// The page to explore the API.
pub async fn index(State(served): State<Served>) -> Response {
    page::<Page>(&served, POLICY)
}

/// A file of it.
pub async fn asset(State(served): State<Served>, Path(name): Path<String>) -> Response {
    page_asset::<Page>(&served, &name, POLICY)
}

/// The demo shop.
pub async fn demo(State(served): State<Served>) -> Response {
    page::<Demo>(&served, DEMO_POLICY)
}

/// The same with a slash too many, from where the relative addresses of its files would be others. Where it is sent to is
/// relative as well, so that it holds under the path prefix of a proxy.
pub async fn demo_with_slash(State(served): State<Served>) -> Response {
    if !served.front.explore {
        return nothing_here();
    }
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "../demo")]).into_response()
}

/// A file of it.
pub async fn demo_asset(State(served): State<Served>, Path(name): Path<String>) -> Response {
    page_asset::<Demo>(&served, &name, DEMO_POLICY)
}

/// The script of the stock badge. In production, too, and to the pages of every origin: it holds nothing that is not public.
/// Whether such a page may subscribe is decided when it does.
pub async fn badge(headers: HeaderMap) -> Response {
    let Some(file) = Badge::get(BADGE) else { return nothing_here() };
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

/// Whatever else is asked of that address than to read it is answered here, where every page may read the refusal: caches keep
/// no such answer, so a badge that is let in nowhere else learns from it that the server itself is there.
pub async fn badge_is_only_read() -> Response {
    let headers = [(header::ALLOW, "GET,HEAD"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (StatusCode::METHOD_NOT_ALLOWED, headers).into_response()
}

/// A page, where there are pages.
fn page<Files: RustEmbed>(served: &Served, policy: &'static str) -> Response {
    match Files::get("index.html").filter(|_| served.front.explore) {
        Some(file) => respond("index.html", file, "no-cache", policy),
        None => nothing_here(),
    }
}

/// What a page is made of.
fn page_asset<Files: RustEmbed>(served: &Served, name: &str, policy: &'static str) -> Response {
    let path = format!("assets/{name}");
    match Files::get(&path).filter(|_| served.front.explore) {
        Some(file) => respond(&path, file, FOR_EVER, policy),
        None => nothing_here(),
    }
}

/// Whether a browser has this already, by any of the tags that it names.
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

/// The bytes of a file; those in the binary are not copied.
fn content(file: EmbeddedFile) -> Response {
    match file.data {
        Cow::Borrowed(bytes) => bytes.into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    }
}
