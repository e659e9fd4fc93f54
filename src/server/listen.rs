//! Takes connections and serves HTTP/1.1 on each, until it is told to stop; then it lets each finish the request that it
//! is at, and meanwhile still answers who comes. What a request means is the router's.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::line::Line;
use super::wire::Times;

/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1_024;

/// The pause after a connection could not be accepted: there are no file descriptors left, and more tries free none.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts until `stop`. Ends when every connection has ended.
pub async fn listen(listener: TcpListener, router: Router, times: Times, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => {
                connections.spawn(serve(accepted, router.clone(), times, stop.clone()));
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
                Ok(accepted) => drop(tokio::spawn(serve(accepted, router.clone(), times, late.clone()))),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            () = connections.wait() => break,
        }
    }
}

async fn serve((stream, peer): (TcpStream, SocketAddr), router: Router, times: Times, stop: CancellationToken) {
    // Small frames are sent at once. A connection that is gone already tells so when it is read.
    let _ = stream.set_nodelay(true);
    let (line, head) = Line::new(stream, times);
    let service = service_fn(move |request: Request<Incoming>| {
        head.has_come();
        let (head, router) = (head.clone(), router.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        async move {
            let answered = router.oneshot(request).await;
            // After an upgrade the line belongs to another protocol.
            if answered.as_ref().is_ok_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
                head.is_next();
            }
            answered
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(times.idle).max_header_size(MAX_HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(line), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
