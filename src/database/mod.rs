//! The databases: how they are opened, and how the rows of a batch come out of them and go back.
//!
//! It begins no transaction and decides nothing. Queries of clients are in `read`, which stands above it.

pub mod bounded;
pub mod bulk;
pub mod commit_token;
pub mod demand;
pub mod error;
pub mod load;
pub mod lock_conflicts;
pub(crate) mod postgres;
pub mod prune;
pub mod ranges;
pub(crate) mod rows;
pub mod save;
pub mod sqlite;
pub mod transfer;
pub(crate) mod webhooks;

mod keys;
mod open;
mod payment_rows;

pub use bounded::PoolUse;
pub use open::{
    Backup, Databases, Kind, check_output, faults, is_current, is_file, migrate, open, open_read_only, shown,
};
pub use postgres::{Change, Changed, FeedConnection, News, Notifier, Poll, Postgres};
pub use sqlite::{SqliteFile, corruption};

/// Parts that a database is verified in at the same time; each has a connection.
pub const VERIFIED_PARTS: u32 = 3;

/// Maximum number of scans of one replica at the same time; each has a connection.
pub const MAX_SCANS: u32 = 2;
