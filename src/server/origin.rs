//! Which pages may use the API from a browser, and under which names this server answers. It never looks at who somebody
//! is; it only keeps other sites' pages from acting through their visitors' browsers.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::graphql::Code;

use super::refusal::refuse;

/// How long a browser may keep the answer of a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Lets the pages of these origins read what is answered. Nothing here goes by cookies, so none are let through.
pub fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_AGE)
}

/// Whether the page that this request comes from may hold a connection open: a page of our own host, or of an allowed
/// origin. Without an origin it is not from a page. (For answers that are read once, browsers ask by themselves.)
pub fn may_stay(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let is_own = || {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let (_, authority) = origin.split_once("://")?;
        Some(authority.eq_ignore_ascii_case(host))
    };
    allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)) || is_own().unwrap_or(false)
}

/// Refuses requests for a host that is not this machine. Otherwise a page that points a name of its own at this address
/// would be of our own host.
pub async fn only_loopback(request: Request, next: Next) -> Response {
    if is_loopback(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    let message =
        "In development this server answers to the names and addresses of this machine only, such as localhost.";
    refuse(StatusCode::MISDIRECTED_REQUEST, Code::Forbidden, message)
}

fn is_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(authority) = uri.authority().cloned().or(named) else { return false };
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn names_and_addresses_of_this_machine_are_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost:8000", true),
            ("shop.localhost:8000", true),
            ("localhost.", true),
            ("127.0.0.1:8000", true),
            ("127.9.9.9", true),
            ("[::1]:8000", true),
            ("evil.example", false),
            ("localhost.evil.example:8000", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("user@localhost", true),
            ("localhost@evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(&Uri::from_static("/"), &headers(&[("host", host)])), expected, "{host}");
        }
        assert!(!is_loopback(&Uri::from_static("http://evil.example/"), &headers(&[("host", "localhost")])));
        assert!(!is_loopback(&Uri::from_static("/"), &headers(&[])));
    }

    #[test]
    fn pages_of_our_own_host_and_of_allowed_origins_may_stay() {
        let allowed = ["https://shop.example".to_owned()];
        for (origin, expected) in [
            (None, true),
            (Some("http://127.0.0.1:8000"), true),
            (Some("https://shop.example"), true),
            (Some("http://shop.example"), false),
            (Some("http://127.0.0.1:8001"), false),
            (Some("https://evil.example"), false),
            (Some("null"), false),
        ] {
            let mut pairs = vec![("host", "127.0.0.1:8000")];
            pairs.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(may_stay(&headers(&pairs), &allowed), expected, "{origin:?}");
        }
    }
}
