//! Every setting with its variable, its default and its meaning, and the command line. The only reader of the
//! environment.

mod given;
mod limits;
mod listen;
mod origin;
mod secrets;
mod transfer;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use domain::quantity::MAX_QUANTITY;
use domain::stock::PublicStock;

use values::{digits, log_filter, switch, within_u32};

pub use given::{Given, NotGiven};
pub use limits::{DocumentLimits, LimitSettings, Room, Shares, Times};
pub use listen::{Host, Listen};
pub use origin::Origin;
pub use transfer::{ExportSettings, Exported, Format, ImportSettings, Mode};

/// Onhand keeps count of stock: total, allocated and available per product, never oversold, live over GraphQL.
///
/// Without a command it serves: GraphQL at /graphql, and a page to explore it at /.
#[derive(Debug, Parser)]
#[command(name = "onhand", version, max_term_width = 100, args_conflicts_with_subcommands = false)]
pub struct CommandLine {
    /// What to do; serves unless given.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The database: a file, made when it is not there, or postgres://user@host/database, which any number of servers may
    /// share.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://onhand.db", global = true, hide_env_values = true)]
    pub database_url: String,

    /// A file that holds the address of the database instead.
    #[arg(long, env = "DATABASE_URL_FILE", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// The password of the PostgreSQL, when its address has none.
    #[arg(long, env = "DATABASE_PASSWORD", global = true, hide_env_values = true)]
    pub database_password: Option<String>,

    /// A file that holds that password instead.
    #[arg(long, env = "DATABASE_PASSWORD_FILE", global = true)]
    pub database_password_file: Option<PathBuf>,

    /// Settings of the server.
    #[command(flatten)]
    pub serve: Serve,

    /// Who may do what.
    #[command(flatten)]
    pub access: Access,

    /// How much of everything there may be.
    #[command(flatten)]
    pub limits: LimitSettings,
}

impl CommandLine {
    /// Whether the settings of a server fit together.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self) -> Result<(), String> {
        self.limits.check()?;
        let PaymentTimes { pay_answer, pay_gateway, pay_lease, pay_retry, pay_retry_max, .. } = self.serve.payment;
        if pay_lease <= pay_gateway {
            return Err("ONHAND_PAY_LEASE must be longer than ONHAND_PAY_GATEWAY".to_owned());
        }
        if pay_answer >= self.limits.times.request {
            return Err("ONHAND_PAY_ANSWER must be shorter than ONHAND_WAIT_REQUEST".to_owned());
        }
        if pay_retry > pay_retry_max {
            return Err("ONHAND_PAY_RETRY is at most ONHAND_PAY_RETRY_MAX".to_owned());
        }
        Ok(())
    }
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Migrate the database, then serve until Ctrl-C or SIGTERM. This is the default.
    Serve,
    /// Bring the schema of the database up to date, and stop.
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Ask the server that listens at ONHAND_LISTEN whether it is ready. For containers, which have no other program.
    ///
    /// Exits with 0 when it is, or with 1.
    Health,
    /// Fold the whole log and compare it with every stock record and every order. Runs beside a server.
    ///
    /// Exits with 0 and says how much it checked, or with 1 and says what differs.
    Verify,
    /// Read products or stock from a file, CSV or JSON Lines, row by row. Beside servers on PostgreSQL only.
    ///
    /// Exits with 0 when no row was refused, with 1 when some were.
    Import(ImportSettings),
    /// Write the products with their stock, or the whole log. Runs beside a server.
    Export(ExportSettings),
    /// Make a token for trying things out, signed with ONHAND_SECRET.
    ///
    /// ONHAND_ISSUER and ONHAND_AUDIENCE must be set as well (or --issuer and --audience), to the same values as those of
    /// the server that is to take the token.
    Token {
        /// What its holder may do.
        #[arg(long)]
        role: Role,
        /// Who its holder is: the owner of carts and orders, the actor in the log.
        #[arg(long)]
        sub: String,
        /// How long it is good for.
        #[arg(long, default_value = "1h", value_parser = duration)]
        ttl: Duration,
    },
}

/// What somebody with a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything.
    Staff,
    /// Their own carts and orders.
    Customer,
}

impl Role {
    /// The word in a token's `role`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Customer => "customer",
        }
    }
}

/// Who may do what. Without a secret and without keys this is development: everybody is staff.
#[derive(Debug, Clone, Default, Args)]
pub struct Access {
    /// The secret that tokens are signed with (HS256), at least 32 bytes.
    #[arg(long, env = "ONHAND_SECRET", hide_env_values = true, global = true)]
    pub secret: Option<String>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_SECRET_FILE", global = true)]
    pub secret_file: Option<PathBuf>,

    /// The secret from before, whose tokens are still good while ONHAND_SECRET is replaced. Nothing is signed with it.
    #[arg(long, env = "ONHAND_SECRET_PREVIOUS", hide_env_values = true, global = true)]
    pub secret_previous: Option<String>,

    /// A file that holds that secret instead.
    #[arg(long, env = "ONHAND_SECRET_PREVIOUS_FILE", global = true)]
    pub secret_previous_file: Option<PathBuf>,

    /// A token that may read /metrics and nothing else, and does not expire: 32 to 4,096 letters, digits and signs of ASCII,
    /// sent as a bearer token.
    #[arg(long, env = "ONHAND_METRICS_TOKEN", hide_env_values = true, global = true)]
    pub metrics_token: Option<String>,

    /// A file that holds that token instead.
    #[arg(long, env = "ONHAND_METRICS_TOKEN_FILE", global = true)]
    pub metrics_token_file: Option<PathBuf>,

    /// A file or a web address with the public keys that tokens are signed with (a JWK set: RS256, ES256, EdDSA), read
    /// again every ten minutes, and when a token names a key that is not in it. A web address may be away at the start.
    #[arg(long, env = "ONHAND_JWKS", global = true)]
    pub jwks: Option<String>,

    /// What a token's `iss` must be.
    #[arg(long, env = "ONHAND_ISSUER", global = true)]
    pub issuer: Option<String>,

    /// What a token's `aud` must be, or have among others.
    #[arg(long, env = "ONHAND_AUDIENCE", global = true)]
    pub audience: Option<String>,

    /// What those who are not staff see of counts: "exact", or "capped:N" for at most N available and nothing else. A cap
    /// hides counts from who looks, not from who probes: whether a larger quantity fits into a cart tells more.
    #[arg(long, env = "ONHAND_PUBLIC_STOCK", default_value = "exact", value_parser = public_stock, global = true)]
    pub public_stock: PublicStock,

    /// Whether the sandbox may be paid with; unless given, in development only.
    #[arg(long, env = "ONHAND_SANDBOX", value_name = "BOOL", value_parser = switch, global = true)]
    pub sandbox: Option<bool>,

    /// Whether there is introspection, suggestions of near names in errors, and the pages at / and /demo; unless given, in
    /// development only.
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

/// Settings of the server.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Where to listen: an address or a name, and a port; a port alone is one of 127.0.0.1. In development everybody is
    /// staff, so there only loopback addresses are accepted.
    #[arg(long, env = "ONHAND_LISTEN", default_value = "127.0.0.1:8000", value_parser = listen::listen, global = true)]
    pub listen: Listen,

    /// Origins whose pages may use the API besides our own, with commas in between, such as "https://shop.example" or
    /// "capacitor://localhost".
    #[arg(long, env = "ONHAND_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = origin::entry, global = true)]
    pub allowed_origins: Vec<String>,

    /// Whether an empty catalogue is filled with a dozen demo products; unless given, in development only.
    #[arg(long, env = "ONHAND_DEMO", value_name = "BOOL", value_parser = switch, global = true)]
    pub demo: Option<bool>,

    /// What to log, for example "info" or "onhand=debug,sea_orm=info,warn".
    #[arg(long, env = "ONHAND_LOG", default_value = "onhand=info,warn", value_parser = log_filter, global = true)]
    pub log: String,

    /// How a line of the log looks: "text" for people, or "json", one object a line, for collectors.
    #[arg(long, env = "ONHAND_LOG_FORMAT", default_value = "text", ignore_case = true, global = true)]
    pub log_format: LogFormat,

    /// Where spans are sent: an OpenTelemetry collector that takes OTLP over HTTP, such as "http://127.0.0.1:4318".
    #[arg(long, env = "ONHAND_OTLP", value_parser = collector, hide_env_values = true, global = true)]
    pub otlp: Option<String>,

    /// How long paying may take.
    #[command(flatten)]
    pub payment: PaymentTimes,

    /// Days after which a cart that nobody touched expires. A week later it is deleted.
    #[arg(long, env = "ONHAND_CART_DAYS", default_value_t = 30, value_parser = within_u32::<1, 3650>, global = true)]
    pub cart_days: u32,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How long paying may take, and when recovery looks at payments whose outcome is open. Times like "4s" or "15m".
#[derive(Debug, Clone, Copy, Args)]
pub struct PaymentTimes {
    /// After this payOrder answers IN_PROGRESS, whatever the gateway does.
    #[arg(long, env = "ONHAND_PAY_ANSWER", default_value = "4s", value_parser = duration, global = true)]
    pub pay_answer: Duration,

    /// After this one call of a gateway counts as without an answer.
    #[arg(long, env = "ONHAND_PAY_GATEWAY", default_value = "20s", value_parser = duration, global = true)]
    pub pay_gateway: Duration,

    /// How long one attempt, or one look of recovery, has a payment for itself; longer than a call of a gateway.
    #[arg(long, env = "ONHAND_PAY_LEASE", default_value = "30s", value_parser = duration, global = true)]
    pub pay_lease: Duration,

    /// Recovery looks again after this, then after twice as long, and so on.
    #[arg(long, env = "ONHAND_PAY_RETRY", default_value = "1s", value_parser = duration, global = true)]
    pub pay_retry: Duration,

    /// Recovery never waits longer than this between two looks.
    #[arg(long, env = "ONHAND_PAY_RETRY_MAX", default_value = "60s", value_parser = duration, global = true)]
    pub pay_retry_max: Duration,

    /// After this a payment without an outcome is cancelled at the gateway, and then released.
    #[arg(long, env = "ONHAND_PAY_GIVE_UP", default_value = "15m", value_parser = duration, global = true)]
    pub pay_give_up: Duration,
}

/// Reads "250ms", "4s", "15m" or "24h".
fn duration(text: &str) -> Result<Duration, String> {
    let length = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let (number, unit) = text.split_at(length);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time looks like 250ms, 4s, 15m or 24h".to_owned()),
    };
    let number: Option<u32> = digits(number).and_then(|digits| digits.parse().ok());
    let number = number.ok_or_else(|| "a time starts with a whole number".to_owned())?;
    let duration = Duration::from_millis(u64::from(number) * millis);
    let longest = Duration::from_hours(30 * 24);
    if duration > longest { Err("a time is at most 30 days".to_owned()) } else { Ok(duration) }
}

/// Reads the address of a collector, without the path that every collector has.
fn collector(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let is_address = ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#'));
    if is_address && is_plain {
        Ok(text.to_owned())
    } else {
        Err("a collector looks like http://127.0.0.1:4318".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        for bad in ["", "5", "s", "-1s", "1.5s", "99999999999s", "4294967295h", "1d"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn public_stock_is_read() {
        assert_eq!(public_stock("exact"), Ok(PublicStock::Exact));
        assert_eq!(public_stock("capped:10"), Ok(PublicStock::Capped(10)));
        for bad in ["", "capped", "capped:", "capped:0", "capped:-1", "Exact", "capped:2000000000"] {
            assert!(public_stock(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn collectors_are_read() {
        assert_eq!(collector("http://127.0.0.1:4318/").as_deref(), Ok("http://127.0.0.1:4318"));
        assert_eq!(collector("https://otel.example/tenant").as_deref(), Ok("https://otel.example/tenant"));
        for bad in ["", "http://", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://a b", "http://a?b"] {
            assert!(collector(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }
}
