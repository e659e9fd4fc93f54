//! Every setting with its variable, its default and its meaning, and the command line. The only reader of the
//! environment. It uses no other module of the server, so that each can take its settings from here.

mod access;
mod command;
pub mod documents;
#[cfg(feature = "faults")]
mod fault_plan;
mod gateways;
mod given;
mod holds;
mod libpq;
mod limits;
mod listen;
mod origin;
mod payment;
mod removed;
mod secrets;
mod serve;
mod timeouts;
mod transfer;
mod values;
mod webhooks;

use std::path::PathBuf;

use clap::Parser;

pub use access::Access;
pub use command::{Command, Role};
pub use documents::DocumentLimits;
#[cfg(feature = "faults")]
pub use fault_plan::fault_plan;
pub use gateways::{GatewayName, GatewaySettings};
pub use given::{Given, NotGiven};
pub use holds::{HoldSettings, Holds};
pub use limits::{ClientLimits, LimitSettings, SizeLimits, StaffLimits};
pub use listen::{Host, ListenAddress};
pub use origin::Origin;
pub use payment::PaymentTimeouts;
pub use removed::removed;
pub use secrets::Secret;
pub use serve::{EarlierRelease, LogFormat, Serve};
pub use timeouts::Timeouts;
pub use transfer::{ExportSettings, Exported, Format, ImportSettings, Mode};
pub use webhooks::WebhookSettings;

/// Onhand keeps count of stock: total, allocated and available per product, never oversold, live over GraphQL.
///
/// Without a command it serves: GraphQL at /graphql, and a page to explore it at /.
#[derive(Debug, Parser)]
#[command(name = "onhand", version, max_term_width = 100, args_conflicts_with_subcommands = false)]
pub struct CommandLine {
    /// What to do; serves unless given.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The database: a file, made when it is missing (an absolute path has three slashes: `sqlite:///var/lib/onhand.db`), or
    /// a PostgreSQL, which any number of servers may share: `postgres://user@host/database`.
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://onhand.db",
        global = true,
        hide_env_values = true
    )]
    pub database_url: String,

    /// A file that holds that address instead.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// The password of the PostgreSQL, when `DATABASE_URL` has none.
    #[arg(long, env = "DATABASE_PASSWORD", value_name = "PASSWORD", global = true, hide_env_values = true)]
    pub database_password: Option<String>,

    /// A file that holds that password instead.
    #[arg(long, env = "DATABASE_PASSWORD_FILE", value_name = "FILE", global = true)]
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
    /// Checks that the settings of a server fit together.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self) -> Result<(), String> {
        self.limits.check()?;
        self.serve.gateways.check(self.access.sandbox)?;
        self.serve.webhooks.check()?;
        self.serve.payment.check(self.limits.timeouts.request)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
