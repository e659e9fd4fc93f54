//! The limit of deliveries: websockets that are sent the same payload as the server's, as one frame made once per change. A
//! change is a POST to another port. Nothing is stored, and nobody is asked what they want.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The argument that makes this program the limit.
pub const ARGUMENT: &str = "fanout";

/// The id of the only stock record there is.
pub const STOCK: &str = "stock_01j0000000e008000000000001";

/// What changes and what is sent.
struct Fanout {
    version: AtomicU64,
    frame: watch::Sender<Arc<[u8]>>,
}

/// Serves until the benchmark is gone.
pub async fn main() -> Result<()> {
    let (sockets, changes) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let hosts = format!("{} {}", sockets.local_addr()?, changes.local_addr()?);
    let fanout = Arc::new(Fanout { version: AtomicU64::new(1), frame: watch::Sender::new(frame(1)) });
    let router = Router::new().route("/graphql", post(change)).with_state(Arc::clone(&fanout));
    tokio::select! {
        accepted = accept(sockets, fanout) => accepted,
        served = axum::serve(changes, router) => Ok(served?),
        gone = super::serve_until_gone(&hosts) => gone,
    }
}

async fn change(State(fanout): State<Arc<Fanout>>, _: String) -> String {
    let version = fanout.version.fetch_add(1, Ordering::SeqCst) + 1;
    fanout.frame.send_replace(frame(version));
    format!(r#"{{"data":{{"adjustStock":{{"stocks":[{{"version":{version}}}]}}}}}}"#)
}

/// The text frame of an event. It has at least 126 bytes and fewer than 65,536.
fn frame(version: u64) -> Arc<[u8]> {
    let text = format!(
        r#"{{"id":"1","type":"next","payload":{{"data":{{"stockChanged":{{"id":"{STOCK}","total":{version},"available":{version},"allocated":0,"version":{version}}}}}}}}}"#
    );
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x81, 126], &length[..], text.as_bytes()].concat().into()
}

async fn accept(listener: TcpListener, fanout: Arc<Fanout>) -> Result<()> {
    let mut subscribers = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let changes = fanout.frame.subscribe();
        subscribers.spawn(async move {
            // A websocket that ends is no failure: the client is done.
            let _ = serve(stream, changes).await;
        });
        while subscribers.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, mut changes: watch::Receiver<Arc<[u8]>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(1_024).write_buffer_size(0);
    let mut socket = accept_hdr_async_with_config(stream, protocol, Some(config)).await?;
    socket.next().await.context("no hello")??;
    socket.send(Message::text(r#"{"type":"connection_ack"}"#)).await?;
    socket.next().await.context("no subscription")??;
    let mut stream = socket.into_inner();
    changes.mark_changed();
    while changes.changed().await.is_ok() {
        let frame = Arc::clone(&changes.borrow_and_update());
        stream.write_all(&frame).await?;
    }
    Ok(())
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "what tungstenite asks for")]
fn protocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let name = HeaderValue::from_static("graphql-transport-ws");
    response.headers_mut().insert("sec-websocket-protocol", name);
    Ok(response)
}
