//! Issues tokens for trying things out, with the secret of the settings. The server itself never does.

use std::time::Duration;

use anyhow::{Context, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use crate::config::{Access, Role};
use domain::Time;

use super::Authenticator;
use super::token::Claims;

/// Issues a token for trying things out.
///
/// # Errors
/// When no secret is set to sign it with, or the subject is not valid.
pub async fn issue_token(
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
    // Checks the settings.
    Authenticator::new(access).await?;
    let claims = Claims {
        sub: subject.to_owned(),
        iss: access.issuer.clone().unwrap_or_default(),
        aud: access.audience.clone().unwrap_or_default().into(),
        exp: (now + lifetime - Time::UNIX_EPOCH).as_seconds_f64().floor(),
        role: Some(role.as_str().to_owned()),
    };
    if claims.actor().is_err() {
        bail!("a subject has 1 to 255 characters and no control characters");
    }
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}
