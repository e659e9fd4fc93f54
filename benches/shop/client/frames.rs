//! Reads the frames of a websocket with as little work as possible: tungstenite does the handshake and says hello, and
//! then every frame is read where it lies.

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const QUERY: &str =
    "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { id total available allocated version } }";

/// Maximum size of a frame, in bytes.
const MAX_FRAME: usize = 65_536;

/// Bytes that are read at once.
const BUFFER: usize = 1_024;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The stream of a websocket on which one subscription runs.
pub struct Frames {
    stream: TcpStream,
    received: Vec<u8>,
    /// How much of what was received has been handled.
    handled: usize,
}

impl Frames {
    /// Connects to a server at `HOST:PORT`, says hello and subscribes to the stock of these products.
    pub async fn subscribe(host: &str, products: &[&str]) -> Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{host}/graphql").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let config = WebSocketConfig::default().read_buffer_size(1_024).write_buffer_size(0);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        socket.send(message(&json!({ "type": "connection_init" }))).await?;
        let answer = socket.next().await.context("the socket was closed")??;
        ensure!(answer.to_text()?.contains("connection_ack"), "not an acknowledgement: {answer}");
        let payload = json!({ "query": QUERY, "variables": { "ids": products } });
        socket.send(message(&json!({ "type": "subscribe", "id": "1", "payload": payload }))).await?;
        // A server says nothing between the acknowledgement and the subscription, so nothing is left in the buffer.
        Ok(Self { stream: socket.into_inner(), received: Vec::new(), handled: 0 })
    }

    /// Returns the next message of the server.
    pub async fn next(&mut self) -> Result<&[u8]> {
        loop {
            let Some((kind, start, end)) = frame(&self.received[self.handled..])? else {
                self.received.drain(..self.handled);
                self.handled = 0;
                self.received.reserve(BUFFER);
                ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server closed the socket");
                continue;
            };
            let (start, end) = (self.handled + start, self.handled + end);
            self.handled = end;
            match kind {
                TEXT => return Ok(&self.received[start..end]),
                PING => self.pong(start, end).await?,
                PONG => {}
                CLOSE => bail!("the server closed the socket: {}", String::from_utf8_lossy(&self.received[start..end])),
                other => bail!("a frame of the kind {other:#x}"),
            }
        }
    }

    async fn pong(&mut self, start: usize, end: usize) -> Result<()> {
        // The payload of a ping has at most 125 bytes. A mask of zeros leaves it as it is.
        let length = u8::try_from(end - start)?;
        let mut pong = vec![PONG, 0x80 | length, 0, 0, 0, 0];
        pong.extend_from_slice(&self.received[start..end]);
        Ok(self.stream.write_all(&pong).await?)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Thousands of sockets that are closed in order would hold their ports for a minute. One that has ended already
        // needs nothing.
        let _ = self.stream.set_zero_linger();
    }
}

fn message(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

/// Returns the kind of the first frame, and where its payload begins and ends, once it is complete.
fn frame(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>> {
    let (start, length) = match bytes {
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, 127, length @ ..] if length.len() >= 8 => {
            (10, usize::try_from(u64::from_be_bytes(length[..8].try_into()?))?)
        }
        [_, length, ..] if *length < 126 => (2, usize::from(*length)),
        _ => return Ok(None),
    };
    ensure!(length <= MAX_FRAME, "a frame of {length} bytes");
    Ok((bytes.len() >= start + length).then(|| (bytes[0], start, start + length)))
}
