//! The commands of the command line. Nothing is done here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::transfer::{ExportSettings, ImportSettings};
use super::values::duration;

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
    /// Write a copy of an SQLite database, also beside a running server, and verify it.
    ///
    /// The copy is as the database stood at one moment. It gets its name once it is whole and verified; a file of that name is
    /// replaced. Of a PostgreSQL, use pg_dump.
    Backup {
        /// The file of the copy.
        output: PathBuf,
    },
    /// Copy everything of an SQLite database to an empty PostgreSQL: products, carts, orders and the whole log.
    ///
    /// No server may run on either. What was copied is compared row by row before it is kept, and verified afterwards; the
    /// SQLite database stays as it is.
    Transfer {
        /// The address of the PostgreSQL: postgres://user@host/database
        #[arg(long)]
        to: String,
    },
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
