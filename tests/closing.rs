//! The end of a websocket, byte by byte: a client that closes is answered by a close frame, and all that it watched is let go.

use onhand::server::TransportConfig;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, eventually};

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
/// In place of a length: it follows in two bytes.
const LONG: u8 = 0x7e;

/// A connection whose frames are made by hand.
struct Raw(TcpStream);

impl Raw {
    async fn open(shop: &Shop) -> Self {
        let host = shop.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        let request = format!(
            "GET /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it is taken");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time").expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut raw = Self(stream);
        raw.send(TEXT, json!({ "type": "connection_init" }).to_string().as_bytes()).await;
        assert_eq!(raw.next().await, Some((TEXT, br#"{"type":"connection_ack"}"#.to_vec())));
        raw
    }

    /// Sends a frame of up to 125 bytes, or 65,535, under a mask of zeros.
    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match u8::try_from(payload.len()) {
            Ok(length) if length < LONG => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | LONG);
                frame.extend(u16::try_from(payload.len()).expect("a short payload").to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).await.expect("it is taken");
    }

    /// The next frame that is no ping; nothing when the connection is at its end.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let frame = timeout(PATIENCE, self.frame()).await.expect("a frame or the end in time");
            match frame {
                Some((9, _)) => {}
                frame => return frame,
            }
        }
    }

    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await.ok()?;
        let mut length = usize::from(self.0.read_u8().await.expect("a length"));
        if length == usize::from(LONG) {
            length = usize::from(self.0.read_u16().await.expect("a length"));
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.expect("a payload");
        assert_eq!(kind & 0x80, 0x80, "whole frames");
        Some((kind & 0x0f, payload))
    }
}

#[tokio::test]
async fn a_close_is_answered_by_a_close_and_frees_what_ran() {
    let transport = TransportConfig::default();
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mug = shop.product("MUG", 5).await;
    let query = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";
    let begin = json!({ "type": "subscribe", "id": "1", "payload": { "query": query, "variables": { "ids": [mug] } } });
    let with_reason = [&1000_u16.to_be_bytes()[..], b"bye"].concat();
    for (what, payload, code) in [
        ("without a code", &[][..], None),
        ("normally", &1000_u16.to_be_bytes()[..], Some(1000)),
        ("with a reason", &with_reason, Some(1000)),
        ("going away", &1001_u16.to_be_bytes()[..], Some(1001)),
        ("with a code of its own", &4999_u16.to_be_bytes()[..], Some(4999)),
        ("with a code that is not to be sent", &1005_u16.to_be_bytes()[..], Some(1002)),
    ] {
        let mut idle = Raw::open(&shop).await;
        let mut busy = Raw::open(&shop).await;
        busy.send(TEXT, begin.to_string().as_bytes()).await;
        let (_, first) = busy.next().await.expect("the stock");
        assert!(String::from_utf8_lossy(&first).contains("\"total\":5"), "{what}");
        assert_eq!((sockets.in_use(), shop.app.hub.watched()), (2, 1), "{what}");
        for raw in [&mut idle, &mut busy] {
            raw.send(CLOSE, payload).await;
            let (kind, answer) = raw.next().await.unwrap_or_else(|| panic!("closed {what}: no answer"));
            assert_eq!(kind, CLOSE, "closed {what}");
            let told = answer.first_chunk().map(|code| u16::from_be_bytes(*code));
            assert!(told == code || code.is_none() && told == Some(1000), "closed {what}: {answer:?}");
            assert_eq!(raw.next().await, None, "closed {what}: nothing follows, and the connection ends");
        }
        eventually("nothing is left of them", || async { sockets.in_use() == 0 && shop.app.hub.watched() == 0 }).await;
    }
    shop.close().await;
}
