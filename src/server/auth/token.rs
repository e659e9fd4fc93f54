//! The claims of a JSON Web Token, and their verification. It keeps no keys.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::{Deserialize, Serialize};

use crate::observability::metrics::TokenFault;
use domain::Time;
use domain::actor::Actor;

/// Maximum length of a subject, in characters.
const MAX_SUBJECT: usize = 255;

/// By how many seconds the clock of the issuer may differ from ours: for so long after its `exp`, and before its `nbf`, a
/// token is still valid for a request. Sockets and event streams end with `exp` itself.
const LEEWAY: u64 = 5;

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The subject.
    pub sub: String,
    /// The issuer.
    pub iss: String,
    /// The audience: a string or a list of them.
    pub aud: serde_json::Value,
    /// When the token expires, in seconds since 1970 that may have a fraction.
    pub exp: f64,
    /// The role; that of a customer if omitted.
    #[serde(default)]
    pub role: Option<String>,
}

impl Claims {
    /// Returns who the token is for.
    ///
    /// # Errors
    /// When the subject is unfit for a log, or the role is not known.
    pub fn actor(&self) -> Result<Actor, TokenFault> {
        let subject = &self.sub;
        let is_fit = !subject.trim().is_empty()
            && subject.chars().count() <= MAX_SUBJECT
            && !subject.chars().any(char::is_control);
        match self.role.as_deref() {
            _ if !is_fit => Err(TokenFault::Subject),
            Some("staff") => Ok(Actor::Staff(subject.clone())),
            Some("customer") | None => Ok(Actor::Customer(subject.clone())),
            Some(_) => Err(TokenFault::Role),
        }
    }

    /// Returns when the token expires.
    ///
    /// # Errors
    /// When that is out of range.
    pub fn expires_at(&self) -> Result<Time, TokenFault> {
        let since = Duration::try_from_secs_f64(self.exp.floor()).map_err(|_| TokenFault::Claims)?;
        let since = chrono::Duration::from_std(since).map_err(|_| TokenFault::Claims)?;
        Time::UNIX_EPOCH.checked_add_signed(since).ok_or(TokenFault::Claims)
    }
}

/// Verifies a token with this key and returns its claims.
///
/// # Errors
/// When it is not valid.
pub fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    issuer: &str,
    audience: &str,
) -> Result<Claims, TokenFault> {
    // The algorithm is the key's, never the token's: a public key is not a secret to sign with.
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    // A token expires, with its leeway, in the second that it names.
    validation.reject_tokens_expiring_in_less_than = 1;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    match decode::<Claims>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::ExpiredSignature => TokenFault::Expired,
            ErrorKind::ImmatureSignature => TokenFault::NotYetValid,
            ErrorKind::InvalidIssuer => TokenFault::Issuer,
            ErrorKind::InvalidAudience => TokenFault::Audience,
            ErrorKind::InvalidSignature => TokenFault::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenFault::Algorithm,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => TokenFault::Claims,
            _ => TokenFault::Malformed,
        }),
    }
}
