//! How header names of a websocket's handshake are spelled. Header names have no case by HTTP, but some clients look these up
//! by the spelling of RFC 6455, which the title case of all other names is not. It decides nothing about an answer but that.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{Extensions, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, duplex};

/// The names as RFC 6455 spells them, in a request that is read once at the start.
const SPELLED: &[u8] =
    b"GET / HTTP/1.1\r\nConnection: close\r\nSec-WebSocket-Accept: -\r\nSec-WebSocket-Protocol: -\r\n\
    Sec-WebSocket-Version: -\r\n\r\n";

/// Size of the buffers that it goes through, in bytes.
const BUFFER: usize = 1_024;

/// The spelling of the names of a handshake.
#[derive(Debug, Clone, Default)]
pub struct Spelling(Extensions);

impl Spelling {
    /// Reads the spelling. HTTP's library keeps the spelling of names that it has read, and writes names as it is kept; there
    /// is no other way to hand it one.
    pub async fn of_handshakes() -> Self {
        let kept = Arc::new(Mutex::new(Extensions::new()));
        let (mut client, server) = duplex(BUFFER);
        let keeper = Arc::clone(&kept);
        let service = service_fn(move |request: Request<Incoming>| {
            *keeper.lock().unwrap_or_else(PoisonError::into_inner) = request.extensions().clone();
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        });
        // In memory, and smaller than the buffer: neither waits nor fails. Without it the names are in title case.
        let _ = client.write_all(SPELLED).await;
        let _ = http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(server), service).await;
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(kept)
    }

    /// Has the names of a handshake's answer written so.
    pub fn apply<B>(&self, response: &mut Response<B>) {
        if matches!(response.status(), StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED) {
            response.extensions_mut().extend(self.0.clone());
        }
    }
}
