//! Finds idempotency keys by scope and key together, in one statement of one shape however many there are.
//!
//! Each pair is one look-up in the primary key, whatever the planner knows about the table: a join could turn into a scan
//! of all keys that there are.

use entity::idempotency_key;
use sea_orm::{DbErr, FromQueryResult};

use super::sql;
use crate::faults::Transaction;

/// Returns the rows of these pairs of scope and key: the first of `scopes` with the first of `keys`, and so on.
///
/// # Errors
/// When the database does not answer.
pub async fn keys_of(
    tx: &Transaction,
    scopes: Vec<String>,
    keys: Vec<String>,
) -> Result<Vec<idempotency_key::Model>, DbErr> {
    // The columns by name: a later release may add one while this statement is prepared.
    let statement = "SELECT found.* FROM unnest($1::text[], $2::text[]) AS wanted (scope, key) CROSS JOIN LATERAL \
        (SELECT k.scope, k.key, k.mutation, k.fingerprint, k.payment_id, k.answer, k.created_at \
        FROM idempotency_key k WHERE k.scope = wanted.scope AND k.key = wanted.key LIMIT 1) AS found";
    idempotency_key::Model::find_by_statement(sql(statement, [scopes.into(), keys.into()])).all(tx).await
}
