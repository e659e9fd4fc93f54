//! The settings that say who may do what. It checks no token, and never repeats a secret.

use std::path::PathBuf;

use clap::Args;

use domain::quantity::MAX_QUANTITY;
use domain::stock::PublicStock;

use super::values::switch;

/// Who may do what. Without a secret and without keys this is development: everybody is staff.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Access")]
pub struct Access {
    /// The secret that tokens are signed with (HS256), at least 32 bytes.
    #[arg(long, env = "ONHAND_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    pub secret: Option<String>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_SECRET_FILE", value_name = "FILE", global = true)]
    pub secret_file: Option<PathBuf>,

    /// The previous secret, whose tokens are still accepted while `ONHAND_SECRET` is replaced. Nothing is signed with it.
    #[arg(long, env = "ONHAND_SECRET_PREVIOUS", value_name = "SECRET", hide_env_values = true, global = true)]
    pub secret_previous: Option<String>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_SECRET_PREVIOUS_FILE", value_name = "FILE", global = true)]
    pub secret_previous_file: Option<PathBuf>,

    /// A bearer token that may read `/metrics` and nothing else, and does not expire: 32 to 4,096 letters, digits and signs
    /// of ASCII. It works beside a secret and beside a JWK set.
    #[arg(long, env = "ONHAND_METRICS_TOKEN", value_name = "TOKEN", hide_env_values = true, global = true)]
    pub metrics_token: Option<String>,

    /// A file that holds that token instead.
    #[arg(long, env = "ONHAND_METRICS_TOKEN_FILE", value_name = "FILE", global = true)]
    pub metrics_token_file: Option<PathBuf>,

    /// A file or a web address with the public keys that tokens are signed with, instead of a secret (a JWK set: RS256,
    /// ES256, EdDSA). It is read again every ten minutes, and when a token names a key that is not in it. A web address need
    /// not answer at the start: until it does, guests are served and tokens are refused.
    #[arg(long, env = "ONHAND_JWKS", value_name = "FILE or URL", global = true)]
    pub jwks: Option<String>,

    /// What a token's `iss` must be.
    #[arg(long, env = "ONHAND_ISSUER", value_name = "TEXT", global = true)]
    pub issuer: Option<String>,

    /// What a token's `aud` must be, or have among others.
    #[arg(long, env = "ONHAND_AUDIENCE", value_name = "TEXT", global = true)]
    pub audience: Option<String>,

    /// What customers and guests see of counts: `exact`, or `capped:N` for at most N available and nothing else. A cap does
    /// not hide a count from those who probe it with a cart.
    #[arg(long, env = "ONHAND_PUBLIC_STOCK", value_name = "exact or capped:N", default_value = "exact", value_parser = public_stock, global = true)]
    pub public_stock: PublicStock,

    /// Whether orders can be paid with the sandbox. Without a value: in development only.
    #[arg(long, env = "ONHAND_SANDBOX", value_name = "BOOL", value_parser = switch, global = true)]
    pub sandbox: Option<bool>,

    /// Whether there is introspection, suggestions of near names in errors, and the pages at `/` and `/demo`. Without a
    /// value: in development only.
    #[arg(long, env = "ONHAND_EXPLORE", value_name = "BOOL", value_parser = switch, global = true)]
    pub explore: Option<bool>,
}

/// Reads "exact" or "capped:N".
fn public_stock(text: &str) -> Result<PublicStock, String> {
    let most = match text.split_once(':') {
        None if text == "exact" => return Ok(PublicStock::Exact),
        Some(("capped", most)) => most.parse().ok().filter(|most| (1..=MAX_QUANTITY).contains(most)),
        _ => None,
    };
    most.map(PublicStock::Capped).ok_or_else(|| "this is exact, or capped:N with N from 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_stock_is_read() {
        assert_eq!(public_stock("exact"), Ok(PublicStock::Exact));
        assert_eq!(public_stock("capped:10"), Ok(PublicStock::Capped(10)));
        for bad in ["", "capped", "capped:", "capped:0", "capped:-1", "Exact", "capped:2000000000"] {
            assert!(public_stock(bad).is_err(), "{bad:?}");
        }
    }
}
