//! The keys that tokens are verified with: secrets of the settings, or a key set. It never chooses an algorithm by a token.

use std::sync::Arc;

use anyhow::bail;
use jsonwebtoken::{Algorithm, DecodingKey, decode_header};

use crate::config::Access;
use crate::observability::metrics::TokenFault;

use super::key_set::{Key, KeySet};
use super::token::{Claims, verify};

/// Minimum length of a secret, in bytes: that of the signature that it makes.
pub const MIN_SECRET: usize = 32;

/// The keys that tokens are verified with.
pub enum Keys {
    /// The secret, and the previous one while it is replaced.
    Secrets(Vec<DecodingKey>),
    /// Public keys.
    Set(Arc<KeySet>),
}

impl Keys {
    /// Returns the keys of these settings; `None` in development.
    ///
    /// # Errors
    /// When the settings do not fit together, or the file with the keys cannot be read.
    pub async fn of(access: &Access) -> anyhow::Result<Option<Self>> {
        let (secret, previous) = (access.secret.as_ref(), access.secret_previous.as_ref());
        match (secret, &access.jwks) {
            (None, _) if previous.is_some() => bail!("ONHAND_SECRET_PREVIOUS needs ONHAND_SECRET beside it"),
            (None, None) if access.issuer.is_some() || access.audience.is_some() => bail!(
                "ONHAND_ISSUER or ONHAND_AUDIENCE is set, and neither ONHAND_SECRET nor ONHAND_JWKS is: set one of them, or \
                 none of the four for development, where everybody is staff"
            ),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => bail!("set ONHAND_SECRET or ONHAND_JWKS, not both"),
            (Some(secret), None) => {
                let previous = previous.map(|secret| long_enough("ONHAND_SECRET_PREVIOUS", secret)).transpose()?;
                let secrets = [Some(long_enough("ONHAND_SECRET", secret)?), previous];
                let key = |secret: &String| DecodingKey::from_secret(secret.as_bytes());
                Ok(Some(Self::Secrets(secrets.into_iter().flatten().map(key).collect())))
            }
            (None, Some(source)) => Ok(Some(Self::Set(KeySet::open(source).await?))),
        }
    }

    /// Verifies a token. Returns its claims, and the thumbprint of its key if that is one of a set.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn verify(&self, token: &str, issuer: &str, audience: &str) -> Result<(Option<String>, Claims), TokenFault> {
        match self {
            Self::Secrets(secrets) => {
                let mut verified = Err(TokenFault::Signature);
                for secret in secrets {
                    verified = verify(token, Algorithm::HS256, secret, issuer, audience);
                    if !matches!(verified, Err(TokenFault::Signature)) {
                        break;
                    }
                }
                verified.map(|claims| (None, claims))
            }
            Self::Set(set) => {
                let id = decode_header(token).map_err(|_| TokenFault::Malformed)?.kid;
                let Some(key) = set.find(id.as_deref()) else {
                    return Err(if set.is_known() { TokenFault::UnknownKey } else { TokenFault::NoKeys });
                };
                let Key { algorithm, decodes, thumbprint, .. } = key;
                Ok((Some(thumbprint), verify(token, algorithm, &decodes, issuer, audience)?))
            }
        }
    }
}

/// Returns a secret of this name if it is long enough.
///
/// # Errors
/// When it is not.
pub fn long_enough<'a>(name: &str, secret: &'a String) -> anyhow::Result<&'a String> {
    if secret.len() < MIN_SECRET {
        bail!("{name} must have at least {MIN_SECRET} bytes");
    }
    Ok(secret)
}
