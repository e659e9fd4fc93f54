//! Loads the idempotency keys of a batch: those that it names, by scope and key together.
//!
//! It must never look for scopes and keys apart: who has made many keys would then be looked through whenever any other
//! scope uses a key in the same batch.

use std::collections::BTreeSet;

use entity::idempotency_key::{Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter};

use super::postgres::keys_of;
use crate::faults::Transaction;
use domain::payment::KeyId;

/// Maximum number of keys in one statement where each key takes two parameters.
const MAX_PAIRS: usize = 1_024;

/// Returns the rows of these keys, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn find(tx: &Transaction, wanted: &BTreeSet<KeyId>) -> Result<Vec<Model>, DbErr> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    if tx.get_database_backend() == DbBackend::Postgres {
        let (scopes, keys) = wanted.iter().map(|id| (id.scope.clone(), id.key.clone())).unzip();
        return keys_of(tx, scopes, keys).await;
    }
    let wanted: Vec<&KeyId> = wanted.iter().collect();
    let mut found = Vec::new();
    for pairs in wanted.chunks(MAX_PAIRS) {
        let pair = Expr::tuple([Expr::col(Column::Scope), Expr::col(Column::Key)]);
        found.append(&mut Entity::find().filter(pair.in_subquery(table_of(pairs))).all(tx).await?);
    }
    Ok(found)
}

/// The pairs as a table. The last one is repeated up to a power of two, so that there are few statements to prepare.
fn table_of(pairs: &[&KeyId]) -> SelectStatement {
    let last = pairs.last().copied().into_iter().cycle();
    let padded = pairs.iter().copied().chain(last).take(pairs.len().next_power_of_two());
    let rows = padded.map(|id| (id.scope.as_str(), id.key.as_str()));
    Query::select().column(sea_orm::sea_query::Asterisk).from_values(rows, "wanted").take()
}
