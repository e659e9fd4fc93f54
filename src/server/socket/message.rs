//! The messages of a client over a websocket. The payload of an operation is parsed after its id, so that an invalid one
//! fails only that operation and not the connection.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::error_response::Problem;
use super::super::operation::Operation;
use super::super::operation_json::{json_problem, parse_operation};

/// The beginning of the reason when a message is not one of the protocol.
const INVALID: &str = "Invalid message";

/// A message of a client, by graphql-transport-ws.
#[derive(Debug)]
pub enum ClientMessage {
    /// Authenticates the connection.
    ConnectionInit(serde_json::Map<String, serde_json::Value>),
    /// Asks for a pong with the same payload.
    Ping(Option<Box<RawValue>>),
    /// Answers a ping.
    Pong,
    /// Starts the operation with this id; an error if its payload is not an operation.
    Subscribe(String, Result<Operation, Problem>),
    /// Stops the operation with this id.
    Complete(String),
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

impl ClientMessage {
    /// Parses a message.
    ///
    /// # Errors
    /// The reason for closing the connection: it is not a message of the protocol.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = |error: serde_json::Error| json_problem(&error, INVALID).message;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.trim_start().starts_with('{') {
            return Err(format!("{INVALID}: it is no JSON object"));
        }
        let Message { kind, id, payload } = serde_json::from_str(text).map_err(invalid)?;
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
                Ok(Self::Subscribe(id()?, parse_operation(text.as_bytes())))
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
    fn an_invalid_message_is_named_in_the_reason_of_the_close_frame() {
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
            let reason = ClientMessage::parse(text).expect_err(text);
            assert!(!reason.is_empty() && reason.len() <= 123, "{text}: {reason}");
        }
    }

    #[test]
    fn an_invalid_operation_still_has_its_id() {
        for payload in
            ["{\"query\":7}", "[]", "null", "{\"variables\":{\"a\":\"\\ud83d\"}}", "{\"variables\":{\"a\":1e999}}"]
        {
            let text = format!("{{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{payload}}}");
            let parsed = ClientMessage::parse(&text);
            assert!(matches!(&parsed, Ok(ClientMessage::Subscribe(id, Err(_))) if id == "1"), "{payload}: {parsed:?}");
        }
    }
}
