//! The case of header names in the response to a websocket handshake. Header names are case-insensitive in HTTP, but some
//! clients look these up as RFC 6455 writes them, which differs from the title case of all other names. It changes nothing
//! else of a response.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{Extensions, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, duplex};

/// A request with the names as RFC 6455 writes them, parsed once at the start.
const SAMPLE: &[u8] =
    b"GET / HTTP/1.1\r\nConnection: close\r\nSec-WebSocket-Accept: -\r\nSec-WebSocket-Protocol: -\r\n\
    Sec-WebSocket-Version: -\r\n\r\n";

/// Size of the in-memory pipe that the sample is sent through, in bytes.
const PIPE_SIZE: usize = 1_024;

/// The case of the header names of a handshake.
#[derive(Debug, Clone, Default)]
pub struct HeaderCase(Extensions);

impl HeaderCase {
    /// Has hyper parse the sample. hyper keeps the case of names that it has parsed in the extensions of the request and
    /// writes the names of a response in that case; there is no other way to hand it one.
    pub async fn for_handshakes() -> Self {
        let kept = Arc::new(Mutex::new(Extensions::new()));
        let (mut client, server) = duplex(PIPE_SIZE);
        let keeper = Arc::clone(&kept);
        let service = service_fn(move |request: Request<Incoming>| {
            *keeper.lock().unwrap_or_else(PoisonError::into_inner) = request.extensions().clone();
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        });
        // In memory, and smaller than the pipe: neither waits nor fails. Without it the names are in title case.
        let _ = client.write_all(SAMPLE).await;
        let _ = http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(server), service).await;
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(kept)
    }

    /// Sets the case of the header names if this is the response to a handshake.
    pub fn apply<B>(&self, response: &mut Response<B>) {
        if matches!(response.status(), StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED) {
            response.extensions_mut().extend(self.0.clone());
        }
    }
}
