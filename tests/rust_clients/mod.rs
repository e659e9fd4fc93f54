//! Clients for Rust: cynic and graphql_client, whose types are checked against `schema.graphql` when they are compiled,
//! and graphql-ws-client for the subscriptions of both.

mod with_cynic;
mod with_graphql_client;

use futures_util::{SinkExt, StreamExt};
use graphql_ws_client::{Connection, Error, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::Client;

/// Sends an operation and returns what the client reads of the answer.
async fn post<Answer: DeserializeOwned>(client: &Client, operation: &(impl Serialize + Sync)) -> Answer {
    let request = client.client().post(format!("{}/graphql", client.url)).json(operation);
    request.send().await.expect("an answer").json().await.expect("an answer that the client reads")
}

/// A websocket for graphql-ws-client.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(client: &Client) -> Self {
        let url = format!("{}/graphql", client.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().expect("a header"));
        Self(connect_async(request).await.expect("a socket").0)
    }
}

impl Connection for Socket {
    async fn receive(&mut self) -> Option<Message> {
        loop {
            return Some(match self.0.next().await?.ok()? {
                Frame::Text(text) => Message::Text(text.as_str().to_owned()),
                Frame::Ping(_) => Message::Ping,
                Frame::Pong(_) => Message::Pong,
                Frame::Close(frame) => Message::Close {
                    code: frame.as_ref().map(|frame| frame.code.into()),
                    reason: frame.map(|frame| frame.reason.to_string()),
                },
                Frame::Binary(_) | Frame::Frame(_) => continue,
            });
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        let frame = match message {
            Message::Text(text) => Frame::Text(text.into()),
            Message::Ping => Frame::Ping(Bytes::new()),
            Message::Pong => Frame::Pong(Bytes::new()),
            Message::Close { code, reason } => Frame::Close(
                code.zip(reason).map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() }),
            ),
        };
        self.0.send(frame).await.map_err(|error| Error::Send(error.to_string()))
    }
}
