//! A websocket to the shop that has subscribed to something.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longest time for a connection to be accepted.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that are read at once: thousands of sockets are open at the same time.
const READ_BUFFER_SIZE: usize = 4 * 1_024;

/// Bytes that the system keeps for somebody who reads nothing, so that the server soon has nowhere to write to.
const SMALL_BUFFER_SIZE: u32 = 4 * 1_024;

/// A websocket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Connects, and says what to subscribe to. The server may not have heard of it yet.
    pub async fn subscribe(server: &str, query: &str, variables: Value, is_small: bool) -> anyhow::Result<Self> {
        let open = async {
            let address = server.trim_start_matches("http://");
            let tcp = TcpSocket::new_v4()?;
            if is_small {
                tcp.set_recv_buffer_size(SMALL_BUFFER_SIZE)?;
            }
            let tcp = tcp.connect(address.parse()?).await?;
            // However it ends, no port is kept from those who come afterwards.
            tcp.set_zero_linger()?;
            let mut request = format!("ws://{address}/graphql").into_client_request()?;
            request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
            let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_SIZE);
            let (mut socket, _) = client_async_with_config(request, tcp, Some(config)).await?;
            let payload = json!({ "query": query, "variables": variables });
            let messages =
                [json!({ "type": "connection_init" }), json!({ "type": "subscribe", "id": "s", "payload": payload })];
            for message in messages {
                socket.send(Message::Text(message.to_string().into())).await?;
            }
            anyhow::Ok(Self(socket))
        };
        timeout(TIMEOUT, open).await.context("no answer in time")?
    }

    /// The next message; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Message::Text(text) = self.0.next().await?.ok()? {
                return serde_json::from_str(&text).ok();
            }
        }
    }

    /// Waits for the first message of this type.
    pub async fn wait_for(&mut self, kind: &str) -> anyhow::Result<()> {
        let wait = async {
            while let Some(message) = self.next().await {
                if message["type"] == kind {
                    return true;
                }
            }
            false
        };
        ensure!(timeout(TIMEOUT, wait).await?, "the connection ended before {kind}");
        Ok(())
    }
}
