//! Which pages may use the API from a browser, and under which names this server answers. It never looks at who somebody
//! is; it only keeps other sites' pages from acting through their visitors' browsers.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, AllowPrivateNetwork, CorsLayer};

use crate::config::Origin;
use crate::graphql::Code;

use super::refusal::refuse;
use super::trace::REQUEST_ID;

/// How long a browser may keep the answer of a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Most origins that are remembered because they were refused. After that no more are logged.
const MAX_REFUSED: usize = 100;

/// Longest origin that is logged as it came, in bytes.
const MAX_LOGGED: usize = 200;

/// The origins whose pages may use the API, and those that tried in vain. Clones are the same.
#[derive(Debug, Clone)]
pub struct Origins(Arc<Known>);

#[derive(Debug)]
struct Known {
    allowed: HashSet<Origin>,
    refused: Mutex<HashSet<String>>,
}

impl Origins {
    /// The pages of these origins may use the API. What is no origin is left out.
    pub fn new(allowed: &[String]) -> Self {
        let allowed = allowed.iter().filter_map(|text| Origin::read(text).ok()).collect();
        Self(Arc::new(Known { allowed, refused: Mutex::default() }))
    }

    /// Whether the page that this request comes from may hold a connection open: a page of our own host, or of an allowed
    /// origin. Without an origin it is not from a page. (For answers that are read once, browsers ask by themselves.)
    pub fn may_stay(&self, headers: &HeaderMap) -> bool {
        headers.get(header::ORIGIN).is_none_or(|origin| self.are_allowed(origin) || is_own(origin, headers))
    }

    /// Lets the pages of these origins read what is answered, whatever it is. Nothing here goes by cookies, so none are let
    /// through; and so it is the origin alone that decides, not what headers a page sends.
    pub fn cors(&self) -> CorsLayer {
        let (origins, networks) = (self.clone(), self.clone());
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, request| {
                let is_allowed = origins.are_allowed(origin);
                if !is_allowed && !is_own(origin, &request.headers) {
                    origins.refuse(origin);
                }
                is_allowed
            }))
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            // A page of the internet may use a server of the network that its visitor is in.
            .allow_private_network(AllowPrivateNetwork::predicate(move |origin, _| networks.are_allowed(origin)))
            .expose_headers([header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE, REQUEST_ID])
            .max_age(PREFLIGHT_AGE)
    }

    fn are_allowed(&self, origin: &HeaderValue) -> bool {
        read(origin).is_some_and(|origin| self.0.allowed.contains(&origin))
    }

    /// Logs once that pages of this origin are not allowed.
    fn refuse(&self, origin: &HeaderValue) {
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

/// Whether a page is of the host that it asks.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    read(origin).zip(host).is_some_and(|(origin, host)| origin.is_of(host))
}

/// Puts the host that a request names in its target, as to a proxy, in the place of its `Host`.
pub async fn name_host<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let target = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = target {
        request.headers_mut().insert(header::HOST, host);
    }
    request
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
            assert_eq!(origins.may_stay(&headers(&pairs)), expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn an_unknown_origin_is_remembered_once_and_only_so_many() {
        let origins = Origins::new(&[]);
        for number in (0..2 * MAX_REFUSED).flat_map(|number| [number, number]) {
            origins.refuse(&HeaderValue::from_str(&format!("https://page-{number}.example")).unwrap());
        }
        origins.refuse(&HeaderValue::from_bytes(&[0xe9; 5_000]).unwrap());
        let refused = origins.0.refused.lock().unwrap();
        assert!(refused.len() == MAX_REFUSED && refused.contains("https://page-0.example"));
    }
}
