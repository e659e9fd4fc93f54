//! Takes connections and serves HTTP/1.1 on each, until it is told to stop; then it lets each finish the request that it
//! is at, and meanwhile still answers who comes. What a request means is the router's.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::supervision::detached;

use super::connections::{Connection, ConnectionLimiter, ConnectionPermit, NoRoom};
use super::line::Line;
use super::spelling::Spelling;
use super::wire::{Places, Timeouts};

/// Largest head of a request, in bytes. One that is up to twice as large is read, so that it is refused in our own words.
pub const MAX_HEAD: usize = 64 * 1_024;

/// Most bytes that are buffered on a connection in each direction.
const MAX_BUFFERED: usize = 2 * MAX_HEAD;

/// The pause after a connection could not be accepted: there are no file descriptors left, and more tries free none. As long
/// one waits for others to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What is said to a connection for which there is no room. Its request is not read, so it is not known of which origin
/// it is; there is nothing in the answer that any page may not read.
const NO_ROOM: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 1\r\n",
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\nConnection: close\r\n\r\n",
    r#"{"errors":[{"message":"There are too many open connections. Nothing was executed; try again soon.","#,
    r#""extensions":{"code":"OVERLOADED"}}]}"#
);

/// What every connection is served with.
#[derive(Clone)]
pub struct Listening {
    /// What answers requests.
    pub router: Router,
    /// Deadlines of a connection.
    pub times: Timeouts,
    /// Bounds on connections.
    pub connections: ConnectionLimiter,
    /// Sockets that are open: they are no connections of HTTP any more.
    pub sockets: Places,
}

/// Accepts until `stop`, and turns away who comes later. Ends when every connection and every socket has ended.
pub async fn listen(listener: TcpListener, listening: Listening, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let spelling = Spelling::of_handshakes().await;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => {
                let admitted = listening.admit(accepted).await;
                admitted.map(|admitted| connections.spawn(serve(admitted, spelling.clone(), stop.clone())));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    let late = CancellationToken::new();
    let _ends_them = late.clone().drop_guard();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => {
                    let admitted = listening.admit(accepted).await;
                    drop(admitted.map(|admitted| detached(serve(admitted, spelling.clone(), late.clone()))));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            () = all_have_ended(&connections, &listening.sockets) => break,
        }
    }
}

/// Waits until nothing is open any more. Of sockets there come no new ones by then.
async fn all_have_ended(connections: &TaskTracker, sockets: &Places) {
    connections.wait().await;
    sockets.all_free().await;
}

/// A connection that is counted.
struct Admitted {
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
    listening: Listening,
}

impl Listening {
    /// Counts a connection; `None` when there is no room for it.
    async fn admit(&self, (stream, peer): (TcpStream, SocketAddr)) -> Option<Admitted> {
        let admitted = timeout(ACCEPT_PAUSE, async {
            loop {
                match self.connections.admit(peer) {
                    Err(NoRoom::Soon) => self.connections.closed().await,
                    admitted => return admitted.ok(),
                }
            }
        });
        let Some(permit) = admitted.await.ok().flatten() else {
            tracing::debug!("a connection was refused: the maximum number of connections is open");
            // Nobody waits for a client here: it is told if its buffer is free.
            let _ = stream.try_write(NO_ROOM.as_bytes());
            return None;
        };
        Some(Admitted { stream, peer, permit, listening: self.clone() })
    }
}

async fn serve(admitted: Admitted, spelling: Spelling, stop: CancellationToken) {
    let Admitted { stream, peer, permit, listening: Listening { router, times, .. } } = admitted;
    // Small frames are sent at once. A connection that is gone already tells so when it is read.
    let _ = stream.set_nodelay(true);
    let connection = Arc::clone(permit.connection());
    let (line, head) = Line::new(stream, times, permit);
    let of_requests = Arc::clone(&connection);
    let service = service_fn(move |request: Request<Incoming>| {
        head.has_come();
        of_requests.start();
        let (head, router, connection) = (head.clone(), router.clone(), Arc::clone(&of_requests));
        let spelling = spelling.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(Arc::clone(&of_requests));
        async move {
            let answered = router.oneshot(request).await;
            // After an upgrade the line belongs to another protocol.
            let is_http = answered.as_ref().is_ok_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS);
            if is_http {
                head.is_next();
            }
            answered.map(|mut response| {
                spelling.apply(&mut response);
                response.map(|body| Answering { body, connection: is_http.then_some(connection) })
            })
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // As most servers send them: some clients look names up in this spelling only.
        .title_case_headers(true)
        .header_read_timeout(times.idle)
        .max_header_size(MAX_BUFFERED)
        .max_buf_size(MAX_BUFFERED);
    let mut served = pin!(builder.serve_connection(TokioIo::new(line), service).with_upgrades());
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = connection.ended() => return,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                ended = served => ended,
                () = connection.ended() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// The body of an answer. Its connection is idle when it was sent.
struct Answering {
    body: Body,
    /// `None` when another protocol takes the connection over.
    connection: Option<Arc<Connection>>,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.finish();
        }
    }
}
