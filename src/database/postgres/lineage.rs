//! Which data a database holds: what tells that it was replaced by other or by older data while servers ran, by a
//! failover, by a restore, or by another cluster at the same address.
//!
//! Numbers of transactions, positions of the log and versions are comparable within one lineage only.

use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use crate::database::error::sql_state;

use super::sql;

/// The columns of a statement from which a [`Tables`] is read. Each is a look-up of some microseconds.
pub const TABLES: &str = "(SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database, \
    coalesce(to_regclass('stock_transaction')::oid::bigint, 0) AS log, \
    coalesce((SELECT max(oid)::bigint FROM pg_constraint WHERE conrelid IN (to_regclass('stock')::oid, \
    to_regclass('\"order\"')::oid, to_regclass('stock_transaction')::oid)), 0) AS constraints, \
    coalesce((SELECT position FROM stock_transaction ORDER BY position DESC LIMIT 1), 0) AS newest_position";

/// Their names.
pub const TABLE_NAMES: &str = "database, log, constraints, newest_position";

/// The answers of PostgreSQL that say that a role may not call a function, or that there is none.
const REFUSED: [&str; 3] = ["42501", "42883", "0A000"];

/// The database cluster, and its timeline: a number that rises when a standby is promoted, and when a cluster is
/// restored to an earlier moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    identifier: String,
    timeline: String,
}

/// The tables of the shop in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// The database; it changes when it is dropped and made anew.
    database: i64,
    /// The table of the log; it changes when a restore drops it and makes it anew.
    log: i64,
    /// The youngest constraint: a restore makes those last, when all rows are there.
    constraints: i64,
    /// The position of the newest row of the log. Rows are never deleted.
    newest_position: i64,
}

/// The data of a database at one moment.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The cluster.
    pub cluster: Cluster,
    /// The tables.
    pub tables: Tables,
}

impl Cluster {
    /// Asks which cluster this is. What the role may not ask is left out, and all are taken for one in that.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ask(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let identifier = "SELECT system_identifier::text AS told FROM pg_control_system()";
        // The control file tells of a promotion only after the next checkpoint; the name of the file that is written to
        // tells it at once. Its first eight digits are the timeline.
        let timeline = "SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS told";
        Ok(Self { identifier: told(db, identifier).await?, timeline: told(db, timeline).await? })
    }
}

impl Tables {
    /// Reads the columns of [`TABLES`].
    ///
    /// # Errors
    /// When they are not there.
    pub fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let number = |name| row.try_get("", name);
        Ok(Self {
            database: number("database")?,
            log: number("log")?,
            constraints: number("constraints")?,
            newest_position: number("newest_position")?,
        })
    }
}

impl Lineage {
    /// Whether this is the same data as before, at the same moment or a later one.
    #[must_use]
    pub fn continues(&self, earlier: &Self) -> bool {
        let (now, then) = (&self.tables, &earlier.tables);
        self.cluster == earlier.cluster
            && (now.database, now.log, now.constraints) == (then.database, then.log, then.constraints)
            && now.newest_position >= then.newest_position
    }
}

/// The name of the log's data, as cursors carry it: the same for as long as positions of the log mean the same.
///
/// # Errors
/// When the database does not answer.
pub async fn log_lineage(db: &impl ConnectionTrait) -> Result<String, DbErr> {
    let Cluster { identifier, timeline } = Cluster::ask(db).await?;
    let row = db.query_one_raw(sql(&format!("SELECT {TABLES}"), [])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the tables".to_owned()))?;
    let Tables { database, log, .. } = Tables::read(&row)?;
    Ok(format!("{identifier}/{timeline}/{database}/{log}"))
}

async fn told(db: &impl ConnectionTrait, statement: &str) -> Result<String, DbErr> {
    match db.query_one_raw(sql(statement, [])).await {
        Ok(row) => row.map_or_else(|| Ok(String::new()), |row| row.try_get("", "told")),
        Err(error) if sql_state(&error).is_some_and(|state| REFUSED.contains(&state.as_str())) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_and_older_data_does_not_continue_a_lineage() {
        let lineage = |[identifier, timeline]: [&str; 2], [database, log, constraints, newest_position]: [i64; 4]| {
            let cluster = Cluster { identifier: identifier.to_owned(), timeline: timeline.to_owned() };
            Lineage { cluster, tables: Tables { database, log, constraints, newest_position } }
        };
        let before = lineage(["7", "1"], [5, 6, 7, 100]);
        for later in [lineage(["7", "1"], [5, 6, 7, 100]), lineage(["7", "1"], [5, 6, 7, 101])] {
            assert!(later.continues(&before), "{later:?}");
        }
        for other in [
            lineage(["8", "1"], [5, 6, 7, 100]),
            lineage(["7", "2"], [5, 6, 7, 100]),
            lineage(["7", "1"], [4, 6, 7, 100]),
            lineage(["7", "1"], [5, 8, 7, 100]),
            lineage(["7", "1"], [5, 6, 9, 100]),
            lineage(["7", "1"], [5, 6, 7, 99]),
        ] {
            assert!(!other.continues(&before), "{other:?}");
        }
    }
}
