//! The settings of payment gateways: which of them orders can be paid through, and what each of them needs. It opens nothing,
//! and never repeats a secret.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::{Host, Url};

use super::secrets::Secret;

/// The public address of Stripe's API.
const STRIPE_API: &str = "https://api.stripe.com";

/// A gateway that can be enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GatewayName {
    /// Records money that was taken elsewhere.
    Manual,
    /// Plays every outcome, without money.
    Sandbox,
    /// A payment service of the shop's own.
    Http,
    /// Stripe.
    Stripe,
}

impl GatewayName {
    /// Returns its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Sandbox => "sandbox",
            Self::Http => "http",
            Self::Stripe => "stripe",
        }
    }
}

/// Which payment gateways there are, and what they need.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Payments")]
pub struct GatewaySettings {
    /// The gateways that orders can be paid through, separated by commas. Customers may use all but `manual`. Without a
    /// value: `manual`. The sandbox comes with it in development, or as `ONHAND_SANDBOX` says.
    #[arg(
        long,
        env = "ONHAND_GATEWAYS",
        value_name = "NAMES",
        value_delimiter = ',',
        value_enum,
        ignore_case = true,
        global = true
    )]
    pub gateways: Vec<GatewayName>,

    /// The gateway that charges when `payOrder` names none. Without a value: `manual` if it is enabled, otherwise the first
    /// of `ONHAND_GATEWAYS`.
    #[arg(long, env = "ONHAND_DEFAULT_GATEWAY", value_name = "NAME", value_enum, ignore_case = true, global = true)]
    pub default_gateway: Option<GatewayName>,

    /// The secret key of the Stripe account: `sk_...`, or a restricted key `rk_...`. See `docs/payments.md`.
    #[arg(long, env = "ONHAND_STRIPE_SECRET_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    pub stripe_secret_key: Option<Secret>,

    /// A file that holds that key instead.
    #[arg(long, env = "ONHAND_STRIPE_SECRET_KEY_FILE", value_name = "FILE", global = true)]
    pub stripe_secret_key_file: Option<PathBuf>,

    /// The signing secret of the webhook endpoint at Stripe: `whsec_...`. While it is replaced, the old and the new one,
    /// separated by a space.
    #[arg(long, env = "ONHAND_STRIPE_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    pub stripe_webhook_secret: Option<Secret>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_STRIPE_WEBHOOK_SECRET_FILE", value_name = "FILE", global = true)]
    pub stripe_webhook_secret_file: Option<PathBuf>,

    /// The publishable key of the Stripe account: `pk_...`. Only the demo shop uses it; it is no secret.
    #[arg(long, env = "ONHAND_STRIPE_PUBLISHABLE_KEY", value_name = "KEY", value_parser = publishable_key, global = true)]
    pub stripe_publishable_key: Option<String>,

    /// Where Stripe's API is, for a stand-in in tests. Only addresses of this machine may be without TLS.
    #[arg(long, env = "ONHAND_STRIPE_API", value_name = "URL", default_value = STRIPE_API, value_parser = stripe_api, global = true)]
    pub stripe_api: String,

    /// The address of the shop's own payment service, for the gateway `http`: `https://payments.example/onhand`. Without
    /// TLS its messages are signed, but everybody on the way can read them.
    #[arg(long, env = "ONHAND_HTTP_GATEWAY_URL", value_name = "URL", value_parser = service, hide_env_values = true, global = true)]
    pub http_gateway_url: Option<String>,

    /// The secret that the messages of the gateway `http` are signed with, at least 32 bytes. While it is replaced, the new
    /// and the old one, separated by a space: the first one signs.
    #[arg(long, env = "ONHAND_HTTP_GATEWAY_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    pub http_gateway_secret: Option<Secret>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_HTTP_GATEWAY_SECRET_FILE", value_name = "FILE", global = true)]
    pub http_gateway_secret_file: Option<PathBuf>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            gateways: Vec::new(),
            default_gateway: None,
            stripe_secret_key: None,
            stripe_secret_key_file: None,
            stripe_webhook_secret: None,
            stripe_webhook_secret_file: None,
            stripe_publishable_key: None,
            stripe_api: STRIPE_API.to_owned(),
            http_gateway_url: None,
            http_gateway_secret: None,
            http_gateway_secret_file: None,
        }
    }
}

/// Minimum length of the secret of the gateway `http`, in bytes.
const MIN_SECRET: usize = 32;

impl GatewaySettings {
    /// Returns whether a gateway is named; `manual` if none is.
    #[must_use]
    pub fn has(&self, name: GatewayName) -> bool {
        if self.gateways.is_empty() { name == GatewayName::Manual } else { self.gateways.contains(&name) }
    }

    /// Returns whether the gateway with this name in the API is named.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        GatewayName::value_variants().iter().any(|one| one.as_str() == name && self.has(*one))
    }

    /// Returns the gateway that charges when a request names none.
    #[must_use]
    pub fn default_name(&self) -> GatewayName {
        let first = || self.gateways.first().copied().filter(|_| !self.has(GatewayName::Manual));
        self.default_gateway.or_else(first).unwrap_or(GatewayName::Manual)
    }

    /// Returns whether there is a sandbox, by `ONHAND_SANDBOX` and where this is.
    #[must_use]
    pub fn has_sandbox(&self, setting: Option<bool>, is_development: bool) -> bool {
        setting.unwrap_or_else(|| is_development || self.has(GatewayName::Sandbox))
    }

    /// Checks that each gateway that is named has what it needs.
    ///
    /// # Errors
    /// When one has not; the message is for people.
    pub fn check(&self, sandbox: Option<bool>) -> Result<(), String> {
        if self.has(GatewayName::Sandbox) && sandbox == Some(false) {
            return Err("ONHAND_GATEWAYS names sandbox, and ONHAND_SANDBOX is false: set one of them".to_owned());
        }
        self.check_stripe()?;
        self.check_http()?;
        match self.default_gateway {
            Some(name) if name != GatewayName::Sandbox && !self.has(name) => Err(format!(
                "ONHAND_DEFAULT_GATEWAY is {name}, and ONHAND_GATEWAYS does not name {name}",
                name = name.as_str()
            )),
            _ => Ok(()),
        }
    }

    /// Checks that the default gateway is enabled, once it is known whether there is a sandbox.
    ///
    /// # Errors
    /// When it is not; the message is for people.
    pub fn check_default(&self, has_sandbox: bool) -> Result<(), String> {
        if self.default_gateway == Some(GatewayName::Sandbox) && !has_sandbox {
            return Err(
                "ONHAND_DEFAULT_GATEWAY is sandbox, and there is none: ONHAND_GATEWAYS or ONHAND_SANDBOX enables it"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn check_stripe(&self) -> Result<(), String> {
        if !self.has(GatewayName::Stripe) {
            return Ok(());
        }
        let needed = [
            ("ONHAND_STRIPE_SECRET_KEY", &self.stripe_secret_key, &["sk_", "rk_"][..]),
            ("ONHAND_STRIPE_WEBHOOK_SECRET", &self.stripe_webhook_secret, &["whsec_"][..]),
        ];
        for (name, secret, prefixes) in needed {
            let Some(secret) = secret else { return Err(format!("ONHAND_GATEWAYS names stripe, which needs {name}")) };
            let is_sound = |part: &str| prefixes.iter().any(|prefix| part.starts_with(prefix)) && is_visible(part);
            if secret.parts().next().is_none() || !secret.parts().all(is_sound) {
                return Err(format!("{name} begins with {}", prefixes.join(" or ")));
            }
        }
        if self.stripe_secret_key.as_ref().is_some_and(|key| key.parts().count() > 1) {
            return Err("ONHAND_STRIPE_SECRET_KEY is one key".to_owned());
        }
        Ok(())
    }

    fn check_http(&self) -> Result<(), String> {
        if !self.has(GatewayName::Http) {
            return Ok(());
        }
        if self.http_gateway_url.is_none() {
            return Err("ONHAND_GATEWAYS names http, which needs ONHAND_HTTP_GATEWAY_URL".to_owned());
        }
        let Some(secret) = &self.http_gateway_secret else {
            return Err("ONHAND_GATEWAYS names http, which needs ONHAND_HTTP_GATEWAY_SECRET".to_owned());
        };
        if secret.parts().next().is_none() || secret.parts().any(|part| part.len() < MIN_SECRET) {
            return Err(format!("ONHAND_HTTP_GATEWAY_SECRET has at least {MIN_SECRET} bytes"));
        }
        Ok(())
    }
}

/// Returns whether a key can be sent in a header.
fn is_visible(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a publishable key. A secret key in its place would be shown to everybody.
fn publishable_key(text: &str) -> Result<String, String> {
    let is_key = text.starts_with("pk_") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_key { Ok(text.to_owned()) } else { Err("a publishable key begins with pk_".to_owned()) }
}

/// Reads the address of Stripe's API or of a stand-in: without TLS on this machine only.
fn stripe_api(text: &str) -> Result<String, String> {
    let url = address(text)?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || is_here {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("this address begins with https://, unless it is one of this machine".to_owned())
    }
}

/// Reads the address of a payment service.
fn service(text: &str) -> Result<String, String> {
    address(text).map(|_| text.to_owned())
}

/// Reads an address on the web. It has no password: what is sent is signed or has a key.
fn address(text: &str) -> Result<Url, String> {
    let form = || "this is an address such as https://payments.example/onhand".to_owned();
    let url = Url::parse(text).map_err(|_| form())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_web && is_plain { Ok(url) } else { Err(form()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(gateways: &[GatewayName]) -> GatewaySettings {
        let secret = |text: &str| Some(Secret::from(text.to_owned()));
        GatewaySettings {
            gateways: gateways.to_vec(),
            stripe_secret_key: secret("sk_test_1"),
            stripe_webhook_secret: secret("whsec_1 whsec_2"),
            http_gateway_url: Some("http://payments:8080".to_owned()),
            http_gateway_secret: secret("0123456789abcdef0123456789abcdef"),
            ..GatewaySettings::default()
        }
    }

    #[test]
    fn a_gateway_that_is_named_needs_its_settings() {
        use GatewayName::{Http, Manual, Sandbox, Stripe};
        let sound = with(&[Manual, Stripe, Http]);
        assert_eq!(sound.check(None), Ok(()));
        assert_eq!(GatewaySettings::default().check(None), Ok(()));
        let secret = |text: &str| Some(Secret::from(text.to_owned()));
        for (settings, word) in [
            (GatewaySettings { stripe_secret_key: None, ..sound.clone() }, "ONHAND_STRIPE_SECRET_KEY"),
            (GatewaySettings { stripe_secret_key: secret("pk_test_1"), ..sound.clone() }, "sk_"),
            (GatewaySettings { stripe_secret_key: secret("sk_a sk_b"), ..sound.clone() }, "one key"),
            (GatewaySettings { stripe_webhook_secret: None, ..sound.clone() }, "ONHAND_STRIPE_WEBHOOK_SECRET"),
            (GatewaySettings { stripe_webhook_secret: secret("sk_1"), ..sound.clone() }, "whsec_"),
            (GatewaySettings { http_gateway_url: None, ..sound.clone() }, "ONHAND_HTTP_GATEWAY_URL"),
            (GatewaySettings { http_gateway_secret: None, ..sound.clone() }, "ONHAND_HTTP_GATEWAY_SECRET"),
            (GatewaySettings { http_gateway_secret: secret("short"), ..sound.clone() }, "32 bytes"),
            (GatewaySettings { default_gateway: Some(Stripe), ..with(&[Manual]) }, "ONHAND_DEFAULT_GATEWAY"),
        ] {
            let refused = settings.check(None).expect_err(word);
            assert!(refused.contains(word), "{refused}");
            assert!(!refused.contains("whsec_1") && !refused.contains("0123"), "{refused}");
        }
        assert!(with(&[Sandbox]).check(Some(false)).is_err());
    }

    #[test]
    fn manual_is_the_default_where_it_is_enabled() {
        use GatewayName::{Http, Manual, Stripe};
        let default_of = |gateways: &[GatewayName]| with(gateways).default_name();
        assert_eq!(default_of(&[]), Manual);
        assert_eq!(default_of(&[Stripe, Manual]), Manual);
        assert_eq!(default_of(&[Http, Stripe]), Http);
        assert_eq!(GatewaySettings { default_gateway: Some(Stripe), ..with(&[Http, Stripe]) }.default_name(), Stripe);
    }

    #[test]
    fn addresses_are_read() {
        for sound in ["https://api.stripe.com", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9"] {
            assert_eq!(stripe_api(sound).as_deref(), Ok(sound));
        }
        for bad in ["http://stripe.example", "ftp://127.0.0.1", "https://u:p@api.stripe.com", "stripe", ""] {
            assert!(stripe_api(bad).is_err(), "{bad:?}");
        }
        assert!(service("http://payments:8080/onhand?shop=1").is_ok());
        assert!(service("payments:8080").is_err());
        assert!(publishable_key("pk_test_1").is_ok());
        assert!(publishable_key("sk_test_1").is_err());
    }

    #[test]
    fn no_debug_output_has_a_secret() {
        let shown = format!("{:?}", with(&[GatewayName::Stripe]));
        for secret in ["sk_test_1", "whsec_1", "0123456789"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
