//! A websocket client of the plainest kind: it sends what it is told and returns what comes.

use futures_util::{SinkExt, StreamExt};
use onhand::faults::{Point, hold};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Client, PATIENCE};

/// A connected socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects to a shop and says hello as this client.
    pub async fn open(client: &Client) -> Self {
        let mut socket = Self::connect(&client.url, "graphql-transport-ws").await;
        let payload = json!({ "Authorization": client.authorization });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// Connects and says hello, when there is a server that lets it.
    pub async fn try_hello(client: &Client) -> Result<Self, ()> {
        let mut socket = Self::try_open(&client.url, "graphql-transport-ws", &[]).await.map_err(|_| ())?;
        let payload = json!({ "Authorization": client.authorization });
        let hello = json!({ "type": "connection_init", "payload": payload });
        socket.0.send(Message::Text(hello.to_string().into())).await.map_err(|_| ())?;
        let answer = socket.try_next().await.ok_or(())?;
        if answer == json!({ "type": "connection_ack" }) { Ok(socket) } else { Err(()) }
    }

    /// Connects, and says nothing yet.
    pub async fn connect(url: &str, protocol: &str) -> Self {
        Self::try_open(url, protocol, &[]).await.expect("a socket")
    }

    /// Connects with another sub-protocol: the close code, or `None` when the handshake fails already.
    pub async fn try_connect(url: &str, protocol: &str) -> Option<u16> {
        match Self::try_open(url, protocol, &[]).await {
            Ok(mut socket) => Some(socket.closed().await),
            Err(_) => None,
        }
    }

    /// Connects with more headers: a socket, or the status and the body with which the handshake was refused.
    pub async fn try_open(url: &str, protocol: &str, headers: &[(&'static str, &str)]) -> Result<Self, (u16, Value)> {
        let url = format!("{}/graphql", url.replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
            }
            // The handshake was answered, but not with our sub-protocol.
            Err(_) => Err((101, Value::Null)),
        }
    }

    /// Vanishes as a process does that is killed: without a word, and with a reset.
    pub fn reset(self) {
        let MaybeTlsStream::Plain(stream) = self.0.get_ref() else { panic!("a plain stream") };
        stream.set_zero_linger().expect("a socket option");
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::Text(message.to_string().into())).await;
    }

    /// Sends a frame.
    pub async fn send_raw(&mut self, message: Message) {
        self.0.send(message).await.expect("an open socket");
    }

    /// Begins an operation.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(&json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// Begins to follow the log, and waits until it is followed: what comes before is not its business.
    pub async fn follow_log(&mut self, id: &str, query: &str, variables: Value) {
        let mut held = hold(Point::LogRead, None);
        self.subscribe(id, query, variables).await;
        timeout(PATIENCE, held.reached()).await.expect("it reads");
    }

    /// Begins an operation, unless the socket is closed or takes no more.
    pub async fn try_subscribe(&mut self, id: &str, query: &str) -> bool {
        let message = json!({ "type": "subscribe", "id": id, "payload": { "query": query } });
        let sent = timeout(PATIENCE, self.0.send(Message::Text(message.to_string().into()))).await;
        sent.is_ok_and(|sent| sent.is_ok())
    }

    /// Begins an operation, unless the socket is closed.
    pub async fn try_subscribe_with(&mut self, id: &str, query: &str, variables: Value) -> bool {
        let payload = json!({ "query": query, "variables": variables });
        let message = json!({ "type": "subscribe", "id": id, "payload": payload });
        self.0.send(Message::Text(message.to_string().into())).await.is_ok()
    }

    /// The next message of the server; `None` when the socket ends.
    pub async fn try_next(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Text(text) => return serde_json::from_str(&text).ok(),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next message of the server.
    pub async fn next(&mut self) -> Value {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next message of the server, to the letter.
    pub async fn next_text(&mut self) -> String {
        match self.frame().await {
            Message::Text(text) => text.to_string(),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The data of the next result of an operation.
    pub async fn data(&mut self, id: &str) -> Value {
        let mut message = self.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        message["payload"]["data"].take()
    }

    /// The close code of the server.
    pub async fn closed(&mut self) -> u16 {
        self.closed_with().await.0
    }

    /// The close code of the server, and the reason.
    pub async fn closed_with(&mut self) -> (u16, String) {
        loop {
            match self.frame().await {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }

    /// Whether nothing comes for a while.
    pub async fn is_silent_for(&mut self, time: std::time::Duration) -> bool {
        timeout(time, self.frame()).await.is_err()
    }

    async fn frame(&mut self) -> Message {
        // The server's pings prolong nothing.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let frame = tokio::time::timeout_at(deadline, self.0.next()).await.expect("a message in time");
            match frame.expect("an open socket").expect("a frame") {
                Message::Ping(_) | Message::Pong(_) => {}
                frame => return frame,
            }
        }
    }
}
