//! `connection_init`: who the client is, by the token in its payload or in the handshake. It executes nothing.

use serde_json::{Map, Value};

use domain::client::ClientKey;

use super::super::Identity;
use super::super::auth::InvalidToken;
use super::super::error_response::socket_limit_message;
use super::close::Close;
use super::connection::Connection;

/// The reason for closing after an invalid token.
const INVALID_TOKEN: &str = "Forbidden: this token is not good";

/// Names under which other servers take a token.
const MISNAMED: [&str; 3] = ["authToken", "token", "accessToken"];

impl Connection {
    /// Authenticates the client, and counts the socket as theirs from now on.
    ///
    /// # Errors
    /// When the token is not valid, or the client has the maximum number of sockets open.
    pub(super) fn initialise(&mut self, payload: &Map<String, Value>) -> Result<(), Close> {
        let identity = self.identify(payload)?;
        if identity.is_expired(self.state.app.clock.now()) {
            return Err(Close::frame(4403, "Forbidden: this token has expired"));
        }
        let client = ClientKey::of(&identity.actor, self.address);
        if client != self.client {
            let permit = self.state.acquire_socket(&client);
            self.permit = permit.map_err(|most| Close::frame(4429, socket_limit_message(&client, most)))?;
            self.client = client;
        }
        self.identity = Some(identity);
        Ok(())
    }

    /// Returns who the client is. Tokens in the handshake and in the payload have to be of the same actor.
    fn identify(&mut self, payload: &Map<String, Value>) -> Result<Identity, Close> {
        let authenticator = &self.state.config.authenticator;
        let token = sent_token(payload)?;
        let expected = match (token, self.handshake_identity.take()) {
            (None, Some(identity)) => return Ok(*identity),
            (None, None) if !authenticator.is_development() && has_misnamed_token(payload) => {
                return Err(Close::frame(4403, "Forbidden: send the token as \"Authorization\": \"Bearer …\""));
            }
            (_, identity) => identity.map(|identity| identity.actor),
        };
        let identity = authenticator.authenticate_value(token).map_err(|InvalidToken| {
            if authenticator.lacks_keys() {
                Close::frame(1013, "The keys could not be read yet; try again")
            } else {
                Close::frame(4403, INVALID_TOKEN)
            }
        })?;
        if expected.is_some_and(|actor| actor != identity.actor) {
            let reason = "Forbidden: this is somebody else than the token of the handshake says";
            return Err(Close::frame(4403, reason));
        }
        Ok(identity)
    }
}

/// Returns the value of `Authorization` in the payload of `connection_init`, or among the `headers` there: some clients send
/// it in several cases, and empty when nobody has signed in.
fn sent_token(payload: &Map<String, Value>) -> Result<Option<&str>, Close> {
    let mut sent = None;
    for (name, value) in members(payload) {
        if !name.eq_ignore_ascii_case("authorization") || value.is_null() {
            continue;
        }
        let text = value.as_str().ok_or_else(|| Close::frame(4403, INVALID_TOKEN))?.trim();
        if text.is_empty() {
            continue;
        }
        if sent.replace(text).is_some_and(|other| other != text) {
            return Err(Close::frame(4403, "Forbidden: there are two tokens that differ"));
        }
    }
    Ok(sent)
}

/// Returns whether there is a token where other servers look for it: its sender does not mean to be a guest.
fn has_misnamed_token(payload: &Map<String, Value>) -> bool {
    let is_one = |name: &str| MISNAMED.iter().any(|one| name.eq_ignore_ascii_case(one));
    members(payload).any(|(name, value)| is_one(name) && value.as_str().is_some_and(|text| !text.trim().is_empty()))
}

/// Returns the members of a payload, and those of its `headers`.
fn members(payload: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let headers = payload.iter().filter(|(name, _)| name.eq_ignore_ascii_case("headers"));
    payload.iter().chain(headers.filter_map(|(_, headers)| headers.as_object()).flatten())
}
