//! Who somebody is, by their token. It never says why a token is not good beyond what its holder knows, and no token
//! reaches a log.
//!
//! Without a secret or keys this is development: everybody is staff, and only loopback is listened to. With them,
//! tokens are checked: signature, issuer, audience and expiry, all required. Nobody without a token is more than a guest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::config::{Access, Role};
use crate::domain::Time;
use crate::domain::party::Party;

use super::key_set::{Key, KeySet};

/// The subject of everybody in development.
const DEVELOPER: &str = "development";

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 4 * 1_024;

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 255;

/// Shortest secret, in bytes: as long as the signature that it makes.
const MIN_SECRET: usize = 32;

/// By how many seconds the clock of whoever makes tokens may differ from ours: so long after its `exp`, and before its
/// `nbf`, a token is still good for a request. What goes on, a socket or a stream of events, ends with `exp` itself.
const LEEWAY: u64 = 5;

/// Who somebody is, and until when their token says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub party: Party,
    /// When the token expires; never without one.
    pub expires_at: Option<Time>,
    /// The thumbprint of the key that the token is signed with, when it is one of a set.
    pub key: Option<String>,
}

impl Identity {
    /// Whether the token has expired by now: it may be within its leeway, but nothing that goes on begins with it.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// The token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadToken;

/// Checks tokens. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Kind>);

enum Kind {
    Development,
    Tokens { keys: Keys, issuer: String, audience: String },
}

enum Keys {
    Secret(DecodingKey),
    Set(Arc<KeySet>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    iss: String,
    aud: serde_json::Value,
    // A number of seconds that may have a fraction.
    exp: f64,
    #[serde(default)]
    role: Option<String>,
}

impl Gate {
    /// The gate that the settings ask for.
    ///
    /// # Errors
    /// When they do not fit together, or the keys cannot be read.
    pub async fn new(access: &Access) -> anyhow::Result<Self> {
        let keys = match (&access.secret, &access.jwks) {
            (None, None) => return Ok(Self(Arc::new(Kind::Development))),
            (Some(_), Some(_)) => bail!("set ONHAND_SECRET or ONHAND_JWKS, not both"),
            (Some(secret), None) if secret.len() < MIN_SECRET => {
                bail!("ONHAND_SECRET must have at least {MIN_SECRET} bytes")
            }
            (Some(secret), None) => Keys::Secret(DecodingKey::from_secret(secret.as_bytes())),
            (None, Some(source)) => Keys::Set(KeySet::open(source).await?),
        };
        let (Some(issuer), Some(audience)) = (access.issuer.clone(), access.audience.clone()) else {
            bail!("tokens need ONHAND_ISSUER and ONHAND_AUDIENCE to be checked against");
        };
        Ok(Self(Arc::new(Kind::Tokens { keys, issuer, audience })))
    }

    /// Whether everybody is staff here.
    #[must_use]
    pub fn is_development(&self) -> bool {
        matches!(*self.0, Kind::Development)
    }

    /// Who sends a request with these headers.
    ///
    /// # Errors
    /// When there is a token that is not good: it makes nobody a guest.
    pub fn admit_headers(&self, headers: &HeaderMap) -> Result<Identity, BadToken> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => self.admit(None),
            (Some(value), None) => self.admit(Some(value.to_str().map_err(|_| BadToken)?)),
            (Some(_), Some(_)) => Err(BadToken),
        }
    }

    /// Who somebody is by the value of an `Authorization` header, or of its like in `connection_init`.
    ///
    /// # Errors
    /// When there is a token that is not good.
    pub fn admit(&self, authorization: Option<&str>) -> Result<Identity, BadToken> {
        let Kind::Tokens { keys, issuer, audience } = &*self.0 else {
            return Ok(Identity { party: Party::Staff(DEVELOPER.to_owned()), expires_at: None, key: None });
        };
        let Some(authorization) = authorization else {
            return Ok(Identity { party: Party::Guest, expires_at: None, key: None });
        };
        let (scheme, token) = authorization.split_once(' ').ok_or(BadToken)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > MAX_TOKEN {
            return Err(BadToken);
        }
        let key = keys.find(token).ok_or(BadToken)?;
        // The algorithm is the key's, never the token's: a public key is not a secret to sign with.
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        // A token, with its leeway, is over in the second that it names.
        validation.reject_tokens_expiring_in_less_than = 1;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        let claims = decode::<Claims>(token, &key.decodes, &validation).map_err(|_| BadToken)?.claims;
        let party = party(&claims.sub, claims.role.as_deref()).ok_or(BadToken)?;
        let since = Duration::try_from_secs_f64(claims.exp.floor()).map_err(|_| BadToken)?;
        let since = chrono::Duration::from_std(since).map_err(|_| BadToken)?;
        let expires_at = Time::UNIX_EPOCH.checked_add_signed(since).ok_or(BadToken)?;
        Ok(Identity { party, expires_at: Some(expires_at), key: key.thumbprint })
    }
}

impl Gate {
    /// Waits until the key of a token is withdrawn from the set; for ever without one.
    pub async fn withdrawn(&self, identity: &Identity) {
        match (&*self.0, &identity.key) {
            (Kind::Tokens { keys: Keys::Set(set), .. }, Some(key)) => set.withdrawn(key).await,
            _ => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_development", &self.is_development()).finish()
    }
}

/// Who a subject with this role is; nobody when the subject is unfit for a log or the role is none of ours.
fn party(subject: &str, role: Option<&str>) -> Option<Party> {
    let is_fit =
        !subject.trim().is_empty() && subject.chars().count() <= MAX_SUBJECT && !subject.chars().any(char::is_control);
    match role {
        _ if !is_fit => None,
        Some("staff") => Some(Party::Staff(subject.to_owned())),
        Some("customer") | None => Some(Party::Customer(subject.to_owned())),
        Some(_) => None,
    }
}

impl Keys {
    /// The key that a token says it was signed with.
    fn find(&self, token: &str) -> Option<Key> {
        match self {
            Self::Secret(key) => {
                Some(Key { id: None, algorithm: Algorithm::HS256, decodes: key.clone(), thumbprint: None })
            }
            Self::Set(set) => set.find(decode_header(token).ok()?.kid.as_deref()),
        }
    }
}

/// A token for trying things out.
///
/// # Errors
/// When no secret is set to sign it with.
pub async fn token(
    access: &Access,
    role: Role,
    subject: &str,
    lifetime: Duration,
    now: Time,
) -> anyhow::Result<String> {
    Gate::new(access).await?;
    let secret = access.secret.as_ref().context("set ONHAND_SECRET to make tokens")?;
    let claims = Claims {
        sub: subject.to_owned(),
        iss: access.issuer.clone().unwrap_or_default(),
        aud: access.audience.clone().unwrap_or_default().into(),
        exp: (now + lifetime - Time::UNIX_EPOCH).as_seconds_f64().floor(),
        role: Some(role.word().to_owned()),
    };
    party(subject, Some(role.word())).context("a subject has 1 to 255 characters and no control characters")?;
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}
