//! Which pages may use the API from a browser, and under which host names the server answers. It never looks at who sends a
//! request; it only keeps pages of other sites from acting through the browsers of their visitors.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, AllowPrivateNetwork, CorsLayer};

use crate::config::Origin;
use crate::graphql::Code;

use super::error_response::error_response;
use super::request_id;

/// How long a browser may cache the response to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Maximum number of refused origins that are logged.
const MAX_REFUSED: usize = 100;

/// Maximum length of an origin in the log, in bytes.
const MAX_LOGGED: usize = 200;

/// The origins whose pages may use the API, and those that were refused. Clones share them.
#[derive(Debug, Clone)]
pub struct Origins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    allowed: HashSet<Origin>,
    refused: Mutex<HashSet<String>>,
}

impl Origins {
    /// Allows the pages of these origins. What is not an origin is ignored.
    pub fn new(allowed: &[String]) -> Self {
        let allowed = allowed.iter().filter_map(|text| Origin::read(text).ok()).collect();
        Self(Arc::new(Inner { allowed, refused: Mutex::default() }))
    }

    /// Returns whether the page that sends this request may open a websocket or an event stream: a page of the server's own
    /// host, or of an allowed origin. A request without an origin is not from a page. (For all other responses browsers
    /// enforce CORS.)
    pub fn may_connect(&self, headers: &HeaderMap) -> bool {
        headers.get(header::ORIGIN).is_none_or(|origin| self.allows(origin) || is_own(origin, headers))
    }

    /// Returns the layer that lets pages of allowed origins read the responses. The server uses no cookies, so credentials
    /// are not allowed; and so the origin alone decides, not the headers that a page sends.
    pub fn cors(&self) -> CorsLayer {
        let (origins, networks) = (self.clone(), self.clone());
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, request| {
                let is_allowed = origins.allows(origin);
                if !is_allowed && !is_own(origin, &request.headers) {
                    origins.log_refused(origin);
                }
                is_allowed
            }))
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            // A page on the internet may use a server in the private network of its visitor.
            .allow_private_network(AllowPrivateNetwork::predicate(move |origin, _| networks.allows(origin)))
            .expose_headers([header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE, request_id::HEADER])
            .max_age(PREFLIGHT_AGE)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        read(origin).is_some_and(|origin| self.0.allowed.contains(&origin))
    }

    /// Logs once that pages of this origin are not allowed.
    fn log_refused(&self, origin: &HeaderValue) {
        let shown = read(origin).map_or_else(|| format!("{origin:?}"), |origin| origin.to_string());
        let shown = shown.get(..MAX_LOGGED).unwrap_or(&shown).to_owned();
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REFUSED && refused.insert(shown.clone()) {
            let rest = if refused.len() == MAX_REFUSED { "; no more origins are logged" } else { "" };
            tracing::warn!(
                origin = shown,
                "a page of an unknown origin asks for the API and is not allowed to read it: if it is yours, add its origin to \
                 ONHAND_ALLOWED_ORIGINS{rest}"
            );
        }
    }
}

fn read(origin: &HeaderValue) -> Option<Origin> {
    Origin::read(origin.to_str().ok()?).ok()
}

/// Returns whether the origin of a page is the host that the request is for.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    read(origin).zip(host).is_some_and(|(origin, host)| origin.is_of(host))
}

/// Replaces `Host` by the host in the target of a request, if there is one, as in requests to a proxy.
pub fn set_host_header<B>(request: &mut axum::http::Request<B>) {
    let target = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = target {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Returns the refusal of a request for a host that is not a loopback host. Otherwise a page whose own name resolves to a
/// loopback address would be of the server's own host.
pub fn refuse_host(request: &Request) -> Option<Response> {
    if is_loopback(request.uri(), request.headers()) {
        return None;
    }
    let message =
        "In development this server answers to the names and addresses of this machine only, such as localhost.";
    Some(error_response(StatusCode::MISDIRECTED_REQUEST, Code::Forbidden, message))
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
        let origins =
            Origins::new(&["https://shop.example".to_owned(), "capacitor://localhost".to_owned(), String::new()]);
        for (host, origin, expected) in [
            ("127.0.0.1:8000", None, true),
            ("127.0.0.1:8000", Some("http://127.0.0.1:8000"), true),
            ("127.0.0.1:8000", Some("https://shop.example"), true),
            ("127.0.0.1:8000", Some("https://shop.example:443"), true),
            ("127.0.0.1:8000", Some("http://shop.example"), false),
            ("127.0.0.1:8000", Some("http://127.0.0.1:8001"), false),
            ("127.0.0.1:8000", Some("https://evil.example"), false),
            ("127.0.0.1:8000", Some("https://shop.example.evil.example"), false),
            ("127.0.0.1:8000", Some("capacitor://localhost"), true),
            ("127.0.0.1:8000", Some("capacitor://evil"), false),
            ("127.0.0.1:8000", Some("null"), false),
            ("127.0.0.1:8000", Some(""), false),
            ("own.example:443", Some("https://own.example"), true),
            ("own.example:444", Some("https://own.example"), false),
            ("localhost", Some("ionic://localhost"), false),
        ] {
            let mut pairs = vec![("host", host)];
            pairs.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(origins.may_connect(&headers(&pairs)), expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn an_unknown_origin_is_remembered_once_and_only_so_many() {
        let origins = Origins::new(&[]);
        for number in (0..2 * MAX_REFUSED).flat_map(|number| [number, number]) {
            origins.log_refused(&HeaderValue::from_str(&format!("https://page-{number}.example")).unwrap());
        }
        origins.log_refused(&HeaderValue::from_bytes(&[0xe9; 5_000]).unwrap());
        let refused = origins.0.refused.lock().unwrap();
        assert!(refused.len() == MAX_REFUSED && refused.contains("https://page-0.example"));
    }
}
