//! What a client says over a websocket, read so far that one bad operation spoils nothing else: the payload of an operation
//! is left as it came until its id is known.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::operation::Operation;
use super::refusal::{Fault, json_fault, read_operation};

/// What is said of a message that is none of the protocol.
const INVALID: &str = "Invalid message";

/// A message of a client.
#[derive(Debug)]
pub enum FromClient {
    /// Says who it is.
    ConnectionInit(serde_json::Map<String, serde_json::Value>),
    /// Asks for a pong with the same payload.
    Ping(Option<Box<RawValue>>),
    /// Answers a ping.
    Pong,
    /// Begins an operation, unless what it sent is none.
    Subscribe(String, Result<Operation, Fault>),
    /// Ends an operation.
    Complete(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

impl FromClient {
    /// Reads a message.
    ///
    /// # Errors
    /// Why the connection is closed: it is no message of the protocol.
    pub fn read(text: &str) -> Result<Self, String> {
        let invalid = |error: serde_json::Error| json_fault(&error, INVALID).1;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.trim_start().starts_with('{') {
            return Err(format!("{INVALID}: it is no JSON object"));
        }
        let Envelope { kind, id, payload } = serde_json::from_str(text).map_err(invalid)?;
        let payload = payload.filter(|payload| payload.get() != "null");
        let is_object = payload.is_none_or(|payload| payload.get().starts_with('{'));
        let id = || id.filter(|id| !id.is_empty()).ok_or_else(|| format!("{INVALID}: its `id` is missing"));
        match &*kind {
            "connection_init" | "ping" | "pong" if !is_object => Err(format!("{INVALID}: its `payload` is no object")),
            "connection_init" => match payload {
                None => Ok(Self::ConnectionInit(serde_json::Map::new())),
                Some(payload) => serde_json::from_str(payload.get()).map(Self::ConnectionInit).map_err(invalid),
            },
            "ping" => Ok(Self::Ping(payload.map(ToOwned::to_owned))),
            "pong" => Ok(Self::Pong),
            "subscribe" => {
                let text = payload.map_or("null", RawValue::get);
                Ok(Self::Subscribe(id()?, read_operation(text.as_bytes())))
            }
            "complete" => Ok(Self::Complete(id()?)),
            _ => Err(format!("{INVALID}: its `type` is none of graphql-transport-ws")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_told_in_the_reason_of_a_close() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            "{\"type\":7}",
            "{\"type\":\"start\",\"id\":\"1\"}",
            "{\"type\":\"subscribe\",\"payload\":{}}",
            "{\"type\":\"subscribe\",\"id\":\"\",\"payload\":{}}",
            "{\"type\":\"subscribe\",\"id\":7,\"payload\":{}}",
            "{\"type\":\"complete\"}",
            "{\"type\":\"ping\",\"payload\":[]}",
            "{\"type\":\"connection_init\",\"payload\":\"x\"}",
            "{\"type\":\"connection_init\",\"payload\":{\"a\":\"\\ud83d\"}}",
        ] {
            let told = FromClient::read(text).expect_err(text);
            assert!(!told.is_empty() && told.len() <= 123, "{text}: {told}");
        }
    }

    #[test]
    fn a_bad_operation_still_has_its_id() {
        for payload in
            ["{\"query\":7}", "[]", "null", "{\"variables\":{\"a\":\"\\ud83d\"}}", "{\"variables\":{\"a\":1e999}}"]
        {
            let text = format!("{{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{payload}}}");
            let read = FromClient::read(&text);
            assert!(matches!(&read, Ok(FromClient::Subscribe(id, Err(_))) if id == "1"), "{payload}: {read:?}");
        }
    }
}
