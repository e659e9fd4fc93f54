//! Authentication: who a request is from, by its token. It never says more about an invalid token than its holder knows, and
//! no token reaches a log.
//!
//! Without a secret or keys this is development: everybody is staff, and only loopback is listened to. With them,
//! tokens are verified: signature, issuer, audience and expiry, all required. Nobody without a token is more than a guest.

mod issue;
mod key_set;
mod keys;
mod token;

use std::fmt;
use std::sync::Arc;

use anyhow::bail;
use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::config::Access;
use crate::observability::metrics::{self, TokenFault};
use domain::Time;
use domain::actor::Actor;

use self::key_set::KeySet;
use self::keys::{Keys, MIN_SECRET, long_enough};

pub use self::issue::issue_token;

/// The subject of everybody in development.
const DEVELOPER: &str = "development";

/// Maximum length of a token, in bytes.
pub const MAX_TOKEN: usize = 4 * 1_024;

/// Who a request is from, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is from.
    pub actor: Actor,
    /// When the token expires; `None` without one.
    pub expires_at: Option<Time>,
    /// The thumbprint of the key that verified the token, if it is one of a key set.
    pub key: Option<String>,
}

impl Identity {
    const fn without_token(actor: Actor) -> Self {
        Self { actor, expires_at: None, key: None }
    }

    /// Returns whether the token has expired. Requests may still be within its leeway; sockets and event streams are not
    /// opened with it any more.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidToken;

/// Verifies tokens. Clones share the keys.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    mode: Mode,
    /// The token that may read metrics and nothing else.
    metrics_token: Option<String>,
}

enum Mode {
    Development,
    Tokens { keys: Keys, issuer: String, audience: String },
}

impl Authenticator {
    /// Returns the authenticator for these settings. Keys at a URL may be unreachable; they are loaded as soon as they can.
    ///
    /// # Errors
    /// When the settings do not fit together, or the file with the keys cannot be read.
    pub async fn new(access: &Access) -> anyhow::Result<Self> {
        let metrics_token = metrics_token(access)?;
        let mode = match Keys::of(access).await? {
            None => Mode::Development,
            Some(keys) => {
                let (Some(issuer), Some(audience)) = (access.issuer.clone(), access.audience.clone()) else {
                    bail!("tokens need ONHAND_ISSUER and ONHAND_AUDIENCE to be checked against");
                };
                Mode::Tokens { keys, issuer, audience }
            }
        };
        Ok(Self(Arc::new(Inner { mode, metrics_token })))
    }

    /// Waits until the keys at a URL were loaded or could not be, for a bounded time.
    pub async fn wait_for_keys(&self) {
        if let Some(set) = self.key_set() {
            set.wait_until_tried().await;
        }
    }

    /// Returns whether everybody is staff.
    #[must_use]
    pub fn is_development(&self) -> bool {
        matches!(self.0.mode, Mode::Development)
    }

    /// Returns the key set, if tokens are verified with one.
    pub(super) fn key_set(&self) -> Option<&KeySet> {
        match &self.0.mode {
            Mode::Tokens { keys: Keys::Set(set), .. } => Some(set),
            _ => None,
        }
    }

    /// Returns whether no token can be verified because the key set has never been loaded.
    #[must_use]
    pub fn lacks_keys(&self) -> bool {
        self.key_set().is_some_and(|set| !set.is_known())
    }

    /// Returns whether these headers have the metrics token.
    #[must_use]
    pub fn may_read_metrics(&self, headers: &HeaderMap) -> bool {
        authorization(headers).is_ok_and(|value| value.is_some_and(|value| self.is_metrics_token(bearer(value).ok())))
    }

    fn is_metrics_token(&self, token: Option<&str>) -> bool {
        let Some((token, metrics_token)) = token.zip(self.0.metrics_token.as_deref()) else { return false };
        token.as_bytes().ct_eq(metrics_token.as_bytes()).into()
    }

    /// Returns who a request with these headers is from.
    ///
    /// # Errors
    /// When there is a token that is not valid: it makes nobody a guest.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, InvalidToken> {
        authorization(headers).and_then(|value| self.identify(value)).map_err(invalid)
    }

    /// Returns who a connection is from, by the value of an `Authorization` header or its like in `connection_init`.
    ///
    /// # Errors
    /// When there is a token that is not valid.
    pub fn authenticate_value(&self, authorization: Option<&str>) -> Result<Identity, InvalidToken> {
        self.identify(authorization).map_err(invalid)
    }

    fn identify(&self, authorization: Option<&str>) -> Result<Identity, TokenFault> {
        let Mode::Tokens { keys, issuer, audience } = &self.0.mode else {
            return Ok(Identity::without_token(Actor::Staff(DEVELOPER.to_owned())));
        };
        // Some clients send an empty header when nobody has signed in.
        let Some(authorization) = authorization.filter(|value| !value.trim().is_empty()) else {
            return Ok(Identity::without_token(Actor::Guest));
        };
        let token = bearer(authorization)?;
        if self.is_metrics_token(Some(token)) {
            return Err(TokenFault::MetricsOnly);
        }
        let (key, claims) = keys.verify(token, issuer, audience)?;
        Ok(Identity { actor: claims.actor()?, expires_at: Some(claims.expires_at()?), key })
    }

    /// Waits until the key of a token is removed from the key set; for ever if the token has none.
    pub async fn key_revoked(&self, identity: &Identity) {
        match (self.key_set(), &identity.key) {
            (Some(set), Some(key)) => set.removed(key).await,
            _ => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("is_development", &self.is_development()).finish()
    }
}

/// Returns the metrics token of these settings.
///
/// # Errors
/// When it is too short, cannot be sent in a header, or is the secret.
fn metrics_token(access: &Access) -> anyhow::Result<Option<String>> {
    let token = access.metrics_token.as_ref();
    let token = token.map(|token| long_enough("ONHAND_METRICS_TOKEN", token)).transpose()?.cloned();
    if let Some(token) = &token
        && !(token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        bail!(
            "ONHAND_METRICS_TOKEN is sent in a header: it has {MIN_SECRET} to {MAX_TOKEN} letters, digits and signs of \
             ASCII, and no spaces"
        );
    }
    if token.is_some() && [&access.secret, &access.secret_previous].contains(&&token) {
        bail!("ONHAND_METRICS_TOKEN and ONHAND_SECRET are the same: whoever reads metrics could sign tokens");
    }
    Ok(token)
}

/// Counts an invalid token. The reason is logged, and nothing of the token.
fn invalid(fault: TokenFault) -> InvalidToken {
    metrics::token_refused(fault);
    tracing::debug!(reason = fault.as_str(), "a token was refused");
    InvalidToken
}

/// Returns the value of the only `Authorization` header.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, TokenFault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| TokenFault::Malformed),
        (Some(_), Some(_)) => Err(TokenFault::Malformed),
    }
}

/// Returns the token in the value of an `Authorization` header.
fn bearer(authorization: &str) -> Result<&str, TokenFault> {
    let (scheme, token) = authorization.split_once(' ').ok_or(TokenFault::Malformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(TokenFault::Malformed);
    }
    if token.len() > MAX_TOKEN { Err(TokenFault::TooLong) } else { Ok(token) }
}
