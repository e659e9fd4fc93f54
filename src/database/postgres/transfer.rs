//! What filling an empty database takes on PostgreSQL: locks on its tables, and the counters of positions.

use sea_orm::{ConnectionTrait, DbErr};

use super::sql;

/// Keeps everybody else from writing to these tables until the transaction ends.
///
/// # Errors
/// When somebody else holds one of them for longer than the lock timeout.
pub async fn lock_tables(db: &impl ConnectionTrait, tables: &[&str]) -> Result<(), DbErr> {
    let quoted: Vec<String> = tables.iter().map(|table| format!("\"{table}\"")).collect();
    db.execute_unprepared(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", quoted.join(", "))).await.map(drop)
}

/// Whether a table has no rows.
///
/// # Errors
/// When the database does not answer.
pub async fn is_empty(db: &impl ConnectionTrait, table: &str) -> Result<bool, DbErr> {
    let row = db.query_one_raw(sql(&format!("SELECT NOT EXISTS (SELECT 1 FROM \"{table}\") AS empty"), [])).await?;
    row.map_or(Ok(false), |row| row.try_get("", "empty"))
}

/// Lets the log, and deliveries to webhooks, go on after the last position that was copied.
///
/// # Errors
/// When the database does not answer.
pub async fn continue_positions(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for table in ["stock_transaction", "webhook_delivery"] {
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'position'), \
             (SELECT coalesce(max(position), 0) + 1 FROM {table}), false)"
        );
        db.execute_raw(sql(&next, [])).await?;
    }
    Ok(())
}
