//! Accepts connections and serves HTTP/1.1 on each until the shutdown begins; then lets each finish its request, and still
//! answers new connections meanwhile. What a request means is the service's business.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::supervision::detached;

use super::concurrency::ConcurrencyLimit;
use super::connections::{AcquireError, Connection, ConnectionLimiter, ConnectionPermit};
use super::header_case::HeaderCase;
use super::service::{HttpService, MAX_HEADER_BYTES};
use super::timed_stream::{RequestPhase, TimedStream};
use super::transport::Timeouts;

/// Maximum number of bytes that are buffered on a connection in each direction.
const MAX_BUFFER_BYTES: usize = 2 * MAX_HEADER_BYTES;

/// The pause after a connection could not be accepted: no file descriptors are left, and trying again frees none. A new
/// connection waits for evicted ones to close for as long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The response to a connection beyond the limit. Its request is not read, so its origin is not known; there is nothing in
/// the response that any page may not read.
const TOO_MANY_CONNECTIONS: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 1\r\n",
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\nConnection: close\r\n\r\n",
    r#"{"errors":[{"message":"There are too many open connections. Nothing was executed; try again soon.","#,
    r#""extensions":{"code":"OVERLOADED"}}]}"#
);

/// What connections are served with.
#[derive(Debug, Clone)]
pub struct HttpServer {
    /// Answers requests.
    pub service: HttpService,
    /// Timeouts of connections.
    pub timeouts: Timeouts,
    /// Limits the open connections.
    pub connections: ConnectionLimiter,
    /// The open sockets, which are no longer connections of HTTP.
    pub sockets: ConcurrencyLimit,
}

/// Accepts connections until `stop`; then answers new ones until all earlier connections and sockets have ended.
pub async fn listen(listener: TcpListener, server: HttpServer, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let header_case = HeaderCase::for_handshakes().await;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        if let Some(accepted) = server.admit(accepted).await {
            connections.spawn(serve(accepted, header_case.clone(), stop.clone()));
        }
    }
    connections.close();
    let ended = async {
        connections.wait().await;
        // There are no new sockets by then.
        server.sockets.all_released().await;
    };
    let mut ended = pin!(ended);
    // Late connections end with this function.
    let late = CancellationToken::new();
    let _guard = late.clone().drop_guard();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Some(accepted) = server.admit(accepted).await {
                detached(serve(accepted, header_case.clone(), late.clone()));
            },
            () = &mut ended => break,
        }
    }
}

/// A connection that is accepted and counted.
struct Accepted {
    stream: TcpStream,
    permit: ConnectionPermit,
    server: HttpServer,
}

impl HttpServer {
    /// Counts a connection; `None` if it could not be accepted, or if the limit is reached.
    async fn admit(&self, accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<Accepted> {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        let permit = timeout(ACCEPT_PAUSE, async {
            loop {
                match self.connections.acquire(peer) {
                    Err(AcquireError::Evicting) => self.connections.closed().await,
                    acquired => return acquired.ok(),
                }
            }
        });
        let Some(permit) = permit.await.ok().flatten() else {
            tracing::debug!("a connection was refused: the maximum number of connections is open");
            // Nobody waits for a client here: it receives this if its buffer is free.
            let _ = stream.try_write(TOO_MANY_CONNECTIONS.as_bytes());
            return None;
        };
        Some(Accepted { stream, permit, server: self.clone() })
    }
}

/// Serves the requests of one connection until it ends, is closed, or has finished its last request after `stop`.
async fn serve(accepted: Accepted, header_case: HeaderCase, stop: CancellationToken) {
    let Accepted { stream, permit, server: HttpServer { service, timeouts, .. } } = accepted;
    // Small frames are sent at once. If the connection is gone already, reading it fails.
    let _ = stream.set_nodelay(true);
    let connection = Arc::clone(permit.connection());
    let (stream, phase) = TimedStream::new(stream, timeouts, permit);
    let exchange = Arc::new(Exchange { service, phase, header_case, connection: Arc::clone(&connection) });
    let service = service_fn(move |request| {
        let exchange = Arc::clone(&exchange);
        async move { Ok::<_, Infallible>(exchange.respond(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // As most servers send them: some clients look names up in this case only.
        .title_case_headers(true)
        .header_read_timeout(timeouts.idle)
        .max_header_size(MAX_BUFFER_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = connection.closed() => return,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                ended = served => ended,
                () = connection.closed() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// What the requests of one connection have in common.
struct Exchange {
    service: HttpService,
    phase: RequestPhase,
    header_case: HeaderCase,
    connection: Arc<Connection>,
}

impl Exchange {
    async fn respond(&self, request: Request<Incoming>) -> Response<TrackedBody> {
        self.phase.headers_received();
        self.connection.mark_busy();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&self.connection));
        let (mut response, span) = self.service.respond(request).await;
        // After an upgrade the stream belongs to another protocol.
        let is_http = response.status() != StatusCode::SWITCHING_PROTOCOLS;
        if is_http {
            self.phase.await_headers();
        }
        self.header_case.apply(&mut response);
        let connection = is_http.then(|| Arc::clone(&self.connection));
        response.map(|body| TrackedBody { body, span, connection })
    }
}

/// The body of a response. Its connection is idle once it was sent.
struct TrackedBody {
    body: Body,
    span: Span,
    /// `None` when another protocol takes the connection over.
    connection: Option<Arc<Connection>>,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.mark_idle();
        }
    }
}
