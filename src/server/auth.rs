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
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::config::{Access, Role};
use crate::observability::metrics::{self, TokenFault};
use domain::Time;
use domain::actor::Actor;

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
    pub actor: Actor,
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
pub struct Gate(Arc<Checks>);

struct Checks {
    kind: Kind,
    /// What may read metrics and nothing else.
    metrics: Option<String>,
}

enum Kind {
    Development,
    Tokens { keys: Keys, issuer: String, audience: String },
}

enum Keys {
    /// The secret, and the one from before while it is replaced.
    Secrets(Vec<DecodingKey>),
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
    /// The gate that the settings ask for. Keys at a web address may be away; they are read as soon as they are there.
    ///
    /// # Errors
    /// When they do not fit together, or the file with the keys cannot be read.
    pub async fn new(access: &Access) -> anyhow::Result<Self> {
        let metrics = access.metrics_token.as_ref();
        let metrics = metrics.map(|token| long_enough("ONHAND_METRICS_TOKEN", token)).transpose()?.cloned();
        if let Some(token) = &metrics
            && !(token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            bail!(
                "ONHAND_METRICS_TOKEN is sent in a header: it has {MIN_SECRET} to {MAX_TOKEN} letters, digits and signs of \
                 ASCII, and no spaces"
            );
        }
        if metrics.is_some() && [&access.secret, &access.secret_previous].contains(&&metrics) {
            bail!("ONHAND_METRICS_TOKEN and ONHAND_SECRET are the same: whoever reads metrics could sign tokens");
        }
        let (secret, previous) = (access.secret.as_ref(), access.secret_previous.as_ref());
        let keys = match (secret, &access.jwks) {
            (None, _) if previous.is_some() => bail!("ONHAND_SECRET_PREVIOUS needs ONHAND_SECRET beside it"),
            (None, None) if access.issuer.is_some() || access.audience.is_some() => bail!(
                "ONHAND_ISSUER or ONHAND_AUDIENCE is set, and neither ONHAND_SECRET nor ONHAND_JWKS is: set one of them, or \
                 none of the four for development, where everybody is staff"
            ),
            (None, None) => return Ok(Self(Arc::new(Checks { kind: Kind::Development, metrics }))),
            (Some(_), Some(_)) => bail!("set ONHAND_SECRET or ONHAND_JWKS, not both"),
            (Some(secret), None) => {
                let previous = previous.map(|secret| long_enough("ONHAND_SECRET_PREVIOUS", secret)).transpose()?;
                let secrets = [Some(long_enough("ONHAND_SECRET", secret)?), previous];
                let key = |secret: &String| DecodingKey::from_secret(secret.as_bytes());
                Keys::Secrets(secrets.into_iter().flatten().map(key).collect())
            }
            (None, Some(source)) => Keys::Set(KeySet::open(source).await?),
        };
        let (Some(issuer), Some(audience)) = (access.issuer.clone(), access.audience.clone()) else {
            bail!("tokens need ONHAND_ISSUER and ONHAND_AUDIENCE to be checked against");
        };
        Ok(Self(Arc::new(Checks { kind: Kind::Tokens { keys, issuer, audience }, metrics })))
    }

    /// Waits until the keys at a web address were read, or could not be, but not for long.
    pub async fn settled(&self) {
        if let Some(set) = self.key_set() {
            set.settled().await;
        }
    }

    /// Whether everybody is staff here.
    #[must_use]
    pub fn is_development(&self) -> bool {
        matches!(self.0.kind, Kind::Development)
    }

    /// The keys, where they are somebody else's.
    pub(super) fn key_set(&self) -> Option<&KeySet> {
        match &self.0.kind {
            Kind::Tokens { keys: Keys::Set(set), .. } => Some(set),
            _ => None,
        }
    }

    /// Whether nobody can tell yet which tokens are good, because the keys have never been read.
    #[must_use]
    pub fn lacks_keys(&self) -> bool {
        self.key_set().is_some_and(|set| !set.is_known())
    }

    /// Whether these headers have the token that may read metrics.
    #[must_use]
    pub fn may_read_metrics(&self, headers: &HeaderMap) -> bool {
        authorization(headers).is_ok_and(|value| value.is_some_and(|value| self.is_metrics_token(bearer(value).ok())))
    }

    fn is_metrics_token(&self, token: Option<&str>) -> bool {
        let Some((token, metrics)) = token.zip(self.0.metrics.as_deref()) else { return false };
        token.as_bytes().ct_eq(metrics.as_bytes()).into()
    }

    /// Who sends a request with these headers.
    ///
    /// # Errors
    /// When there is a token that is not good: it makes nobody a guest.
    pub fn admit_headers(&self, headers: &HeaderMap) -> Result<Identity, BadToken> {
        let identity = authorization(headers).and_then(|authorization| self.identify(authorization));
        identity.map_err(refused)
    }

    /// Who somebody is by the value of an `Authorization` header, or of its like in `connection_init`.
    ///
    /// # Errors
    /// When there is a token that is not good.
    pub fn admit(&self, authorization: Option<&str>) -> Result<Identity, BadToken> {
        self.identify(authorization).map_err(refused)
    }

    fn identify(&self, authorization: Option<&str>) -> Result<Identity, TokenFault> {
        let Kind::Tokens { keys, issuer, audience } = &self.0.kind else {
            return Ok(Identity { actor: Actor::Staff(DEVELOPER.to_owned()), expires_at: None, key: None });
        };
        // Some clients send the header with nothing in it when nobody has signed in.
        let Some(authorization) = authorization.filter(|value| !value.trim().is_empty()) else {
            return Ok(Identity { actor: Actor::Guest, expires_at: None, key: None });
        };
        let token = bearer(authorization)?;
        if self.is_metrics_token(Some(token)) {
            return Err(TokenFault::MetricsOnly);
        }
        let (key, claims) = keys.check(token, issuer, audience)?;
        let actor = actor(&claims.sub, claims.role.as_deref())?;
        let since = Duration::try_from_secs_f64(claims.exp.floor()).map_err(|_| TokenFault::Claims)?;
        let since = chrono::Duration::from_std(since).map_err(|_| TokenFault::Claims)?;
        let expires_at = Time::UNIX_EPOCH.checked_add_signed(since).ok_or(TokenFault::Claims)?;
        Ok(Identity { actor, expires_at: Some(expires_at), key })
    }

    /// Waits until the key of a token is withdrawn from the set; for ever without one.
    pub async fn withdrawn(&self, identity: &Identity) {
        match (self.key_set(), &identity.key) {
            (Some(set), Some(key)) => set.withdrawn(key).await,
            _ => std::future::pending().await,
        }
    }
}

/// Counts a token that is not good. The log is told why, and nothing of the token.
fn refused(fault: TokenFault) -> BadToken {
    metrics::token_refused(fault);
    tracing::debug!(reason = fault.as_str(), "a token was refused");
    BadToken
}

/// The value of the one `Authorization` header.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, TokenFault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| TokenFault::Malformed),
        (Some(_), Some(_)) => Err(TokenFault::Malformed),
    }
}

/// The token in the value of an `Authorization` header.
fn bearer(authorization: &str) -> Result<&str, TokenFault> {
    let (scheme, token) = authorization.split_once(' ').ok_or(TokenFault::Malformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(TokenFault::Malformed);
    }
    if token.len() > MAX_TOKEN { Err(TokenFault::TooLong) } else { Ok(token) }
}

/// A secret of this name that nobody can guess.
fn long_enough<'a>(name: &str, secret: &'a String) -> anyhow::Result<&'a String> {
    if secret.len() < MIN_SECRET {
        bail!("{name} must have at least {MIN_SECRET} bytes");
    }
    Ok(secret)
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_development", &self.is_development()).finish()
    }
}

/// Who a subject with this role is; nobody when the subject is unfit for a log or the role is none of ours.
fn actor(subject: &str, role: Option<&str>) -> Result<Actor, TokenFault> {
    let is_fit =
        !subject.trim().is_empty() && subject.chars().count() <= MAX_SUBJECT && !subject.chars().any(char::is_control);
    match role {
        _ if !is_fit => Err(TokenFault::Subject),
        Some("staff") => Ok(Actor::Staff(subject.to_owned())),
        Some("customer") | None => Ok(Actor::Customer(subject.to_owned())),
        Some(_) => Err(TokenFault::Role),
    }
}

impl Keys {
    /// What a token claims, and the thumbprint of its key when that is one of a set.
    fn check(&self, token: &str, issuer: &str, audience: &str) -> Result<(Option<String>, Claims), TokenFault> {
        match self {
            Self::Secrets(secrets) => {
                let mut checked = Err(TokenFault::Signature);
                for secret in secrets {
                    checked = claims(token, (Algorithm::HS256, secret), issuer, audience);
                    if !matches!(checked, Err(TokenFault::Signature)) {
                        break;
                    }
                }
                checked.map(|claims| (None, claims))
            }
            Self::Set(set) => {
                let id = decode_header(token).map_err(|_| TokenFault::Malformed)?.kid;
                let Some(key) = set.find(id.as_deref()) else {
                    return Err(if set.is_known() { TokenFault::UnknownKey } else { TokenFault::NoKeys });
                };
                let Key { algorithm, decodes, thumbprint, .. } = key;
                Ok((Some(thumbprint), claims(token, (algorithm, &decodes), issuer, audience)?))
            }
        }
    }
}

/// What a token that this key has signed claims.
fn claims(
    token: &str,
    (algorithm, key): (Algorithm, &DecodingKey),
    issuer: &str,
    audience: &str,
) -> Result<Claims, TokenFault> {
    // The algorithm is the key's, never the token's: a public key is not a secret to sign with.
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    // A token, with its leeway, is over in the second that it names.
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
    let secret = access.secret.as_ref().context(
        "set ONHAND_SECRET to make tokens; with ONHAND_JWKS, only who has the private keys makes them (metrics are read with \
         ONHAND_METRICS_TOKEN, too)",
    )?;
    Gate::new(access).await?;
    let claims = Claims {
        sub: subject.to_owned(),
        iss: access.issuer.clone().unwrap_or_default(),
        aud: access.audience.clone().unwrap_or_default().into(),
        exp: (now + lifetime - Time::UNIX_EPOCH).as_seconds_f64().floor(),
        role: Some(role.as_str().to_owned()),
    };
    if actor(subject, Some(role.as_str())).is_err() {
        bail!("a subject has 1 to 255 characters and no control characters");
    }
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}
