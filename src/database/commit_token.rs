//! How a commit ended whose answer was lost. Each transaction that changes something writes a random token; whoever wants
//! to know whether it was committed writes the same token under the same primary key. That waits for a transaction that
//! is still alive, finds the token of one that was committed, and keeps one that was not from ever being committed.
//!
//! On PostgreSQL the look-up is a transaction that writes, also where it finds the token: a primary that came back from a
//! crash shows commits that no synchronous standby has, and whoever writes after them waits until one has.
//!
//! It never goes by the number of a transaction: after a crash PostgreSQL gives numbers out again.

use chrono::TimeDelta;
use entity::commit_token::{ActiveModel, Column, Entity};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter};

use super::postgres::bar_unless_committed;
use crate::faults::{self, Transaction};
use domain::Time;

/// How long a token is kept that nobody removed because its process was killed. The transactions that it bars are over
/// long before.
const KEPT: TimeDelta = TimeDelta::days(1);

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything it wrote is there.
    Committed,
    /// Nothing of it is there, and never will be.
    NotCommitted,
}

/// The token of a transaction.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// The token itself.
    pub new: Uuid,
    /// The token of an earlier transaction whose outcome is known; it is removed.
    pub earlier: Option<Uuid>,
    /// When it is written.
    pub now: Time,
}

/// Writes a transaction's token.
///
/// # Errors
/// When the database does not answer.
pub async fn write(tx: &Transaction, token: Token) -> Result<(), DbErr> {
    if let Some(earlier) = token.earlier {
        Entity::delete_by_id(earlier).exec(tx).await?;
    }
    Entity::insert(row(token.new, false, token.now)).exec_without_returning(tx).await?;
    Ok(())
}

/// Returns how the transaction with this token ended, on another connection than its own. It may be asked again.
///
/// # Errors
/// When the database does not answer, or the transaction is still alive when the lock timeout is over.
pub async fn outcome(db: &DatabaseConnection, token: Uuid, now: Time) -> Result<Outcome, DbErr> {
    faults::database_call()?;
    if db.get_database_backend() == DbBackend::Postgres {
        let is_barred = bar_unless_committed(db, token).await?;
        return Ok(if is_barred { Outcome::NotCommitted } else { Outcome::Committed });
    }
    let nothing = OnConflict::column(Column::Token).do_nothing().to_owned();
    Entity::insert(row(token, true, now)).on_conflict(nothing).exec_without_returning(db).await?;
    let found = Entity::find_by_id(token).one(db).await?;
    let found = found.ok_or_else(|| DbErr::RecordNotFound("a commit token".to_owned()))?;
    Ok(if found.is_barred { Outcome::NotCommitted } else { Outcome::Committed })
}

/// Removes the tokens that processes left behind when they were killed.
///
/// # Errors
/// When the database does not answer.
pub async fn prune<C: ConnectionTrait>(db: &C, now: Time) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::CreatedAt.lt(now - KEPT)).exec(db).await?;
    Ok(())
}

const fn row(token: Uuid, is_barred: bool, now: Time) -> ActiveModel {
    ActiveModel { token: Set(token), is_barred: Set(is_barred), created_at: Set(now) }
}
