//! Cursors: opaque to clients, and good for one kind of list only. A cursor is data from outside; it is checked like
//! any other input.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Code;

/// Longest text that is looked at as a cursor, in bytes. The cursors of lists stay well below it: the longest has a name of
/// 200 characters, 1,200 bytes with what is around it.
const MAX_LENGTH: usize = 4_096;

/// A cursor for a list of this kind.
pub fn encode<C: Serialize>(kind: &str, place: &C) -> String {
    // Our places are plain values, which always can be written as JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(kind, place)).unwrap_or_default())
}

/// The place that a cursor of a list of this kind means.
///
/// # Errors
/// `BAD_CURSOR` for anything else.
pub fn decode<C: DeserializeOwned>(kind: &str, text: &str) -> async_graphql::Result<C> {
    if text.len() > MAX_LENGTH {
        return Err(bad());
    }
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
    let json: Value = serde_json::from_slice(&json).map_err(|_| bad())?;
    let is_kept_by_databases = !has_nul(&json);
    let (found, place): (String, C) = serde_json::from_value(json).map_err(|_| bad())?;
    if found == kind && is_kept_by_databases { Ok(place) } else { Err(bad()) }
}

/// Whether there is a text with the one character that no database keeps.
fn has_nul(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What is answered to something that is no cursor here.
pub fn bad() -> async_graphql::Error {
    Code::BadCursor.error("This is not a cursor of this list.")
}
