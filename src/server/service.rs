//! What every request passes on its way to a handler and back, in every state of the server: request id, span, CORS, panics,
//! and the limit on headers. It decides nothing about the request itself.
//!
//! One function rather than a stack of middleware layers: a layer costs an allocation or two for each request, and these
//! apply to all of them.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use tracing::{Instrument, Span};

use crate::graphql::Code;

use super::error_response::{error_response, panicked};
use super::origin::{self, Origins};
use super::{assets, request_id, trace};

/// Maximum size of the headers of a request with its target, in bytes. Headers up to twice as large are read, so that they
/// are refused with an error of ours.
pub const MAX_HEADER_BYTES: usize = 64 * 1_024;

/// Bytes of a header besides its name and its value.
const HEADER_OVERHEAD: usize = ": \r\n".len();

/// Answers requests: with the router of the application once it is set, until the shutdown begins; with that of the startup
/// otherwise. Clones are the same service.
#[derive(Clone, Debug)]
pub struct HttpService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    application: OnceLock<Application>,
    /// What answers before the application is ready and after the shutdown has begun.
    starting: Router,
    cors: CorsLayer,
    stop: CancellationToken,
}

/// The application, ready to answer.
#[derive(Debug)]
pub struct Application {
    /// The routes.
    pub router: Router,
    /// Whether only requests that name a loopback host are answered, as in development.
    pub is_loopback_only: bool,
}

impl HttpService {
    /// Returns a service without an application.
    pub fn new(starting: Router, origins: &Origins, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner { application: OnceLock::new(), starting, cors: origins.cors(), stop }))
    }

    /// Answers with this application from now on. The first one stays.
    pub fn start(&self, application: Application) {
        // Refused if there is one already.
        let _ = self.0.application.set(application);
    }

    /// Answers a request. Also returns its span, for what happens while the body is sent.
    pub async fn respond(&self, mut request: Request) -> (Response, Span) {
        let begun = Instant::now();
        origin::set_host_header(&mut request);
        let id = request_id::of(request.headers());
        let span = trace::span(&request, &id);
        let answered = async {
            let response = self.respond_readable(request).await;
            trace::finished(&response, begun.elapsed(), &span);
            response
        };
        let mut response = answered.instrument(span.clone()).await;
        response.headers_mut().insert(request_id::HEADER, id);
        (response, span)
    }

    /// Answers a request so that pages of allowed origins can read the response, whatever it is. The badge is for all pages
    /// and sets its own headers.
    async fn respond_readable(&self, request: Request) -> Response {
        if request.uri().path() == assets::BADGE_PATH {
            return self.route(request).await;
        }
        let route = service_fn(async |request| Ok::<_, Infallible>(self.route(request).await));
        let Ok(response) = self.0.cors.layer(route).oneshot(request).await;
        response
    }

    /// Answers a request, also when what answers it panics.
    async fn route(&self, request: Request) -> Response {
        AssertUnwindSafe(self.route_unguarded(request)).catch_unwind().await.unwrap_or_else(|_| panicked())
    }

    async fn route_unguarded(&self, request: Request) -> Response {
        if let Some(refused) = header_limit(&request) {
            return refused;
        }
        let application = self.0.application.get().filter(|_| !self.0.stop.is_cancelled());
        let router = match application {
            Some(application) => {
                if application.is_loopback_only
                    && let Some(refused) = origin::refuse_host(&request)
                {
                    return refused;
                }
                &application.router
            }
            None => &self.0.starting,
        };
        let Ok(response) = router.clone().oneshot(request).await;
        response
    }
}

/// Returns 431 if the headers of a request are too large.
fn header_limit(request: &Request) -> Option<Response> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
    if headers.fold(target, usize::saturating_add) <= MAX_HEADER_BYTES {
        return None;
    }
    let message = format!("The headers of a request have at most {} kB with its address.", MAX_HEADER_BYTES / 1_024);
    Some(error_response(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::LimitExceeded, &message))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_so_that_pages_of_allowed_origins_can_read_it() {
        let origins = Origins::new(&["https://shop.example".to_owned()]);
        let service = HttpService::new(Router::new(), &origins, CancellationToken::new());
        let panics = get(async || -> &'static str { panic!("as the test wants") });
        service.start(Application { router: Router::new().route("/graphql", panics), is_loopback_only: false });
        let request = Request::builder().uri("/graphql").header(header::ORIGIN, "https://shop.example");
        let (response, _) = service.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
        assert!(response.headers().contains_key(request_id::HEADER));
    }
}
