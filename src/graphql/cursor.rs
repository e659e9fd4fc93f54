//! Cursors: opaque to clients, and good for one kind of list only. A cursor is data from outside; it is checked like
//! any other input.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Code;

/// Longest text that is looked at as a cursor, in bytes.
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
    let (found, place): (String, C) = serde_json::from_slice(&json).map_err(|_| bad())?;
    if found == kind && !json.windows(6).any(|part| part == br"\u0000") { Ok(place) } else { Err(bad()) }
}

/// What is answered to something that is no cursor here.
pub fn bad() -> async_graphql::Error {
    Code::BadCursor.error("This is not a cursor of this list.")
}
