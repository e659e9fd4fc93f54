//! How a websocket ends: with the code and the reason of a close frame, or without a word. It closes nothing itself.

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client is gone already; there is nobody to tell.
    Gone,
    /// The code and the reason that the client is told.
    Closed(u16, Cow<'static, str>),
}

impl End {
    /// An end with a code, and a reason of at most 123 bytes.
    pub fn closed(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Closed(code, reason.into())
    }

    /// The end after a frame that could not be taken, where a message has at most so many bytes.
    pub fn of_fault(error: axum::Error, max_message: usize) -> Self {
        match error.into_inner().downcast().as_deref() {
            Ok(Error::Capacity(_)) => Self::closed(1009, format!("A message has at most {max_message} bytes")),
            Ok(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Gone,
            Ok(Error::Protocol(_)) => Self::closed(1002, "Not a frame of a websocket"),
            Ok(Error::Utf8(_)) => Self::closed(1007, "Text is UTF-8"),
            Ok(_) | Err(_) => Self::Gone,
        }
    }
}
