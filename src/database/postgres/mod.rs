//! What only PostgreSQL has words for: the way to it, its locks by name, the numbers of its transactions, the feed between
//! replicas and its LISTEN and NOTIFY. The only SQL in the form of text; it never holds a value that came from outside, which
//! are parameters always.

mod address;
mod bulk;
mod demand;
mod feed;
mod keys;
mod lineage;
mod log;
mod notifier;
mod search;
mod transaction;
mod transfer;

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr, Statement, Value};
use tokio::time::{Instant, sleep, timeout};

use crate::database::error::sql_state;

use super::open::newer;
use super::{MAX_SCANS, VERIFIED_PARTS};

pub use bulk::Together;
pub use demand::{merge_demand, recount_demand};
pub use feed::{CHANGE_LIFETIME, Change, Changed, FeedConnection, News, Poll, forget_other_clusters, prune_changes};
pub use keys::keys_of;
pub use lineage::log_lineage;
pub use log::{log_end, not_written_by, nth_position_of, written_by};
pub use notifier::Notifier;
pub use search::has_search_index;
pub use transaction::{Timeouts, advisory_lock, bar_unless_committed, begin_info};
pub use transfer::{continue_positions, is_empty, lock_tables};

/// Connections of one replica that read.
const READERS: u32 = 8;

/// Connections of one replica that ask whether the database answers.
const PROBES: u32 = 1;

/// The role of connections that read.
const READER: &str = "reader";

/// The role of connections that write.
const WRITER: &str = "writer";

/// The role of connections that search.
const SCANNER: &str = "scanner";

/// How long a query waits for a connection: less than a request may take, so that its answer says what is the matter.
const WAIT: Duration = Duration::from_secs(2);

/// Maximum number of statements that a connection keeps prepared. What a batch writes is one of some hundred, by the tables
/// that it writes to.
const MAX_PREPARED: usize = 512;

/// After so long without use a connection of those that are used most is asked whether it is still there before it is used.
const PING_AFTER: Duration = Duration::from_millis(100);

/// How long one statement may take.
const STATEMENT_TIMEOUT: &str = "5s";

/// How long a statement outside the writer waits for a lock.
const LOCK_TIMEOUT: &str = "2s";

/// How long a transaction may do nothing.
const IDLE_TIMEOUT: &str = "5s";

/// How long one statement of a migration, or of `verify`, may take, and how long those may do nothing: whoever reads what
/// is exported may be slow.
const LONG_TIMEOUT: &str = "1h";

/// How long a start waits for the database to be there.
const START_WAIT: Duration = Duration::from_secs(30);

/// How long a start waits while another replica migrates.
const MIGRATION_WAIT: Duration = Duration::from_mins(10);

/// How often it looks meanwhile.
const START_PAUSE: Duration = Duration::from_millis(250);

/// The lock that whoever migrates holds: any number that nobody else takes.
const MIGRATION_LOCK: i64 = 0x6f6e_6861_6e64;

/// The oldest release that has all we need: numbers of transactions with 64 bits.
const OLDEST_VERSION: i32 = 130_000;

/// A PostgreSQL, and how to get to it.
#[derive(Clone)]
pub struct Postgres {
    /// With the password.
    options: Arc<PgConnectOptions>,
    /// Whether the last connection led to a standby.
    is_standby: Arc<AtomicBool>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Postgres").field(&self.shown()).finish()
    }
}

impl Postgres {
    /// The database at this address.
    ///
    /// # Errors
    /// When it is no address that is understood; what is wrong with it is told without what may be a password.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        Ok(Self { options: Arc::new(address::read(url)?), is_standby: Arc::default() })
    }

    /// The address without what is secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let options = &self.options;
        let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
        let database = options.get_database().unwrap_or(user);
        match options.get_socket() {
            Some(socket) => format!("postgres://{user}@/{database} at {}", socket.display()),
            None => format!("postgres://{user}@{host}:{port}/{database}"),
        }
    }

    /// Connections that read.
    ///
    /// # Errors
    /// When the server cannot be reached for [`START_WAIT`], or is none that promises can be kept on.
    pub async fn readers(&self) -> anyhow::Result<DatabaseConnection> {
        let db = self.connect_when_ready(READER, READERS, STATEMENT_TIMEOUT).await?;
        check(&db).await?;
        Ok(db)
    }

    /// Connections that search.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn scanners(&self) -> anyhow::Result<DatabaseConnection> {
        self.connect_when_ready(SCANNER, MAX_SCANS, STATEMENT_TIMEOUT).await
    }

    /// The connection that asks whether the database answers.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn probes(&self) -> anyhow::Result<DatabaseConnection> {
        self.connect_when_ready("probe", PROBES, STATEMENT_TIMEOUT).await
    }

    /// The one connection that writes, which is the writer's: at once or not at all.
    pub(crate) async fn new_writer(&self) -> Result<DatabaseConnection, DbErr> {
        self.connect(WRITER, 1, STATEMENT_TIMEOUT).await
    }

    /// Connections for something that takes long: as many as `verify` needs, made when they are needed.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn long_reader(&self) -> anyhow::Result<DatabaseConnection> {
        self.connect_when_ready("verify", VERIFIED_PARTS, LONG_TIMEOUT).await
    }

    /// One connection for filling an empty database.
    pub(crate) async fn transfer_connection(&self) -> Result<DatabaseConnection, DbErr> {
        self.connect("transfer", 1, LONG_TIMEOUT).await
    }

    /// The connection of the feed between replicas. It is made when it is needed first.
    pub(crate) async fn feed(&self) -> Result<DatabaseConnection, DbErr> {
        self.connect("feed", 1, STATEMENT_TIMEOUT).await
    }

    /// A connection for deleting what is over.
    pub(crate) async fn maintenance(&self) -> Result<DatabaseConnection, DbErr> {
        self.connect("maintenance", 1, STATEMENT_TIMEOUT).await
    }

    /// The connection that listens for other replicas, in a pool that connects when it is asked to.
    pub(crate) fn listener(&self) -> PgPool {
        let options = PgConnectOptions::clone(&self.options).application_name("onhand listener");
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(WAIT).max_lifetime(None).idle_timeout(None);
        pool.connect_lazy_with(options)
    }

    /// The connection that sends NOTIFY. It connects on first use.
    pub(crate) async fn notify_connection(&self) -> Result<DatabaseConnection, DbErr> {
        self.connect("errands", 1, STATEMENT_TIMEOUT).await
    }

    /// Brings the schema up to date. Of several replicas one does it, and the others wait.
    ///
    /// # Errors
    /// When a change cannot be made; the changes before it stay made.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let guard = self.connect("migration lock", 1, STATEMENT_TIMEOUT).await?;
        let deadline = Instant::now() + MIGRATION_WAIT;
        while !locked(&guard).await? {
            if Instant::now() > deadline {
                bail!("another replica has been migrating the database for {} minutes", MIGRATION_WAIT.as_secs() / 60);
            }
            sleep(START_PAUSE).await;
        }
        let db = self.connect("migration", 1, LONG_TIMEOUT).await?;
        let migrated = bring_up_to_date(&db, self.options.get_username()).await;
        let swept = if migrated.is_ok() { forget_other_clusters(&db).await } else { Ok(()) };
        db.close().await?;
        // The lock goes with its connection.
        guard.close().await?;
        migrated?;
        Ok(swept?)
    }

    async fn connect_when_ready(
        &self,
        role: &'static str,
        connections: u32,
        statement_timeout: &'static str,
    ) -> anyhow::Result<DatabaseConnection> {
        let deadline = Instant::now() + START_WAIT;
        let mut told = String::new();
        loop {
            let connected = match self.try_connection().await {
                Ok(()) => self.connect(role, connections, statement_timeout).await,
                Err(error) => Err(DbErr::Conn(RuntimeErr::SqlxError(error.into()))),
            };
            let error = match connected {
                Ok(db) => return Ok(db),
                Err(_) if self.is_standby.load(Ordering::Relaxed) => {
                    bail!(
                        "this PostgreSQL is a standby: stock is written, and never read from a copy that may be late"
                    );
                }
                Err(error) => error,
            };
            let reason = reason(&error);
            if !is_temporary(&error) || Instant::now() >= deadline {
                bail!("cannot connect to {}: {reason}", self.shown());
            }
            if reason != told {
                tracing::warn!(
                    reason,
                    seconds = START_WAIT.as_secs(),
                    "the database is not there yet; it is waited for"
                );
                told = reason;
            }
            sleep(START_PAUSE).await;
        }
    }

    /// Opens one connection to see whether that can be done, and why not: a pool only says that it took too long.
    async fn try_connection(&self) -> Result<(), sqlx::Error> {
        let options = PgConnectOptions::clone(&self.options).application_name("onhand start");
        // A server that takes the connection may say nothing after that.
        let tried = timeout(WAIT, async {
            let mut connection = PgConnection::connect_with(&options).await?;
            refuse_standby(&mut connection, &self.is_standby).await?;
            connection.close().await
        });
        tried.await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))
    }

    async fn connect(
        &self,
        role: &str,
        connections: u32,
        statement_timeout: &'static str,
    ) -> Result<DatabaseConnection, DbErr> {
        // What is read from this address is replaced below, as a whole.
        let mut options = ConnectOptions::new("postgres://localhost");
        options.max_connections(connections).min_connections(0).acquire_timeout(WAIT).sqlx_logging(false);
        let to = PgConnectOptions::clone(&self.options).application_name(&format!("onhand {role}"));
        let idle_timeout = if statement_timeout == LONG_TIMEOUT { LONG_TIMEOUT } else { IDLE_TIMEOUT };
        // Whether an index helps with a search depends on the text, which a plan for any text knows nothing of.
        // The statements of the writer are few and look rows up by their keys, whatever the planner knows about the tables
        // yet: none of them may turn into a scan.
        let (plans, scans) = match role {
            SCANNER => ("force_custom_plan", "on"),
            WRITER => ("force_generic_plan", "off"),
            _ => ("auto", "on"),
        };
        options.map_sqlx_postgres_opts(move |_| {
            to.clone().statement_cache_capacity(MAX_PREPARED).options([
                ("plan_cache_mode", plans),
                ("enable_hashjoin", scans),
                ("enable_mergejoin", scans),
                ("enable_seqscan", scans),
                ("statement_timeout", statement_timeout),
                ("lock_timeout", LOCK_TIMEOUT),
                ("idle_in_transaction_session_timeout", idle_timeout),
            ])
        });
        // A ping before every statement of a request, or before every batch, would double its round trips.
        let unpinged = if matches!(role, READER | WRITER) { PING_AFTER } else { Duration::ZERO };
        let is_standby = Arc::clone(&self.is_standby);
        options.map_sqlx_postgres_pool_opts(move |pool| {
            let is_standby = Arc::clone(&is_standby);
            let pool = pool.test_before_acquire(false).before_acquire(move |session, used| {
                Box::pin(async move {
                    if used.idle_for > unpinged {
                        session.ping().await?;
                    }
                    Ok(true)
                })
            });
            pool.after_connect(move |session, _| {
                let is_standby = Arc::clone(&is_standby);
                Box::pin(async move { refuse_standby(session, &is_standby).await })
            })
        });
        Database::connect(options).await
    }
}

/// Gives a new connection up when it leads to a standby: what it has may be late. A primary does not become one while a
/// session lasts, so no later look is needed; the next connection is made to wherever the name leads then.
async fn refuse_standby(session: &mut PgConnection, is_standby: &AtomicBool) -> Result<(), sqlx::Error> {
    is_standby.store(sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(session).await?, Ordering::Relaxed);
    if is_standby.load(Ordering::Relaxed) {
        return Err(sqlx::Error::Protocol("this PostgreSQL is a standby; only a primary is used".to_owned()));
    }
    Ok(())
}

/// Whether a server that could not be connected to may only be starting: waiting changes nothing about a wrong password, or
/// about a certificate that nobody known has signed.
fn is_temporary(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error;
    let DbErr::Conn(RuntimeErr::SqlxError(error)) = error else { return false };
    match &**error {
        Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53")),
        Error::Io(error) => !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput),
        Error::PoolTimedOut => true,
        _ => false,
    }
}

/// Why a server could not be connected to, in its own words.
fn reason(error: &DbErr) -> String {
    use sea_orm::sqlx::Error;
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error)) => match &**error {
            Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            Error::Io(error) => error.to_string(),
            Error::Database(error) => error.message().to_owned(),
            Error::PoolTimedOut => format!("no answer within {} s", WAIT.as_secs()),
            error => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// Makes what is missing. Where nothing is, it only reads: a role that serves needs no right to make tables.
async fn bring_up_to_date(db: &DatabaseConnection, user: &str) -> anyhow::Result<()> {
    let owner = || {
        format!(
            "the tables are not there or not up to date, and the role {user} may not make them: run `onhand migrate` as the owner"
        )
    };
    let pending = match Migrator::get_pending_migrations_read_only(db).await {
        Ok(pending) => pending,
        Err(error) if is_forbidden(&error) => bail!("{}", owner()),
        Err(error) => return Err(newer(error)),
    };
    if pending.is_empty() {
        return Ok(());
    }
    match Migrator::up(db, None).await {
        Err(error) if is_forbidden(&error) => bail!("{}", owner()),
        migrated => migrated.context("the database could not be migrated"),
    }
}

/// Whether the role lacks a right, or does not own what it would change.
fn is_forbidden(error: &DbErr) -> bool {
    sql_state(error).is_some_and(|code| code == "42501")
}

async fn locked(db: &DatabaseConnection) -> Result<bool, DbErr> {
    let row = db.query_one_raw(sql("SELECT pg_try_advisory_lock($1) AS locked", [MIGRATION_LOCK.into()])).await?;
    row.map_or(Ok(false), |row| row.try_get("", "locked"))
}

/// Refuses a server on which what was acknowledged could be lost, or that lacks what we need.
async fn check(db: &DatabaseConnection) -> anyhow::Result<()> {
    let settings = "SELECT current_setting('server_version_num')::integer AS version, current_setting('fsync') AS fsync, \
        current_setting('full_page_writes') AS pages, current_setting('server_encoding') AS encoding";
    let row = timeout(WAIT, db.query_one_raw(sql(settings, []))).await;
    let row = row.with_context(|| format!("the database gave no answer within {} s", WAIT.as_secs()))?;
    let row = row?.context("the database says nothing of itself")?;
    let version: i32 = row.try_get("", "version")?;
    if version < OLDEST_VERSION {
        bail!("PostgreSQL {} or newer is needed", OLDEST_VERSION / 10_000);
    }
    for (name, setting) in [("fsync", "fsync"), ("full_page_writes", "pages")] {
        if row.try_get::<String>("", setting)? != "on" {
            bail!(
                "{name} is off on this PostgreSQL: what was acknowledged would not survive a power cut; switch it on"
            );
        }
    }
    if row.try_get::<String>("", "encoding")? != "UTF8" {
        bail!("the database must be encoded in UTF8");
    }
    Ok(())
}

/// A statement in PostgreSQL's words, with its parameters.
fn sql<const N: usize>(text: &str, parameters: [Value; N]) -> Statement {
    Statement::from_sql_and_values(sea_orm::DbBackend::Postgres, text, parameters)
}
