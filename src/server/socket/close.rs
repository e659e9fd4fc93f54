//! How a websocket is closed: with the code and the reason of a close frame, or without one. It closes nothing itself.

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The client has disconnected: no close frame is sent.
    Disconnected,
    /// A close frame with this code and reason is sent.
    Frame(u16, Cow<'static, str>),
}

impl Close {
    /// Returns a close frame with a code, and a reason of at most 123 bytes.
    pub fn frame(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Frame(code, reason.into())
    }

    /// Returns the close after a frame that could not be read, where a message has at most this many bytes.
    pub fn of_error(error: axum::Error, max_message: usize) -> Self {
        match error.into_inner().downcast().as_deref() {
            Ok(Error::Capacity(_)) => Self::frame(1009, format!("A message has at most {max_message} bytes")),
            Ok(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Disconnected,
            Ok(Error::Protocol(_)) => Self::frame(1002, "Not a frame of a websocket"),
            Ok(Error::Utf8(_)) => Self::frame(1007, "Text is UTF-8"),
            Ok(_) | Err(_) => Self::Disconnected,
        }
    }
}
