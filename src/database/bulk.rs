//! Statements for many rows, in few shapes, so that a database prepares each once: on PostgreSQL arrays, whatever their
//! length; on SQLite groups of rows whose number is a power of two.
//!
//! It never decides which rows are written, nor in which order.

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, IntoActiveModel,
    Iterable, PrimaryKeyToColumn, PrimaryKeyTrait, QueryFilter,
};

use super::commit_token::{self, Token};
use super::postgres::Together;
use crate::faults::Transaction;

/// Most parameters in one statement: the smallest bound among our databases, with room to spare.
const MAX_PARAMETERS: usize = 30_000;

/// Most ids in one statement.
pub const MAX_IDS: usize = 4_096;

/// Whether a column has one of these ids, of which there are at most [`MAX_IDS`].
pub fn among<C: ColumnTrait>(backend: DbBackend, column: C, ids: &[Uuid]) -> Expr {
    if backend == DbBackend::Postgres {
        return Expr::col(column.as_column_ref()).eq(PgFunc::any(ids.to_vec()));
    }
    // The last one is repeated up to a power of two.
    let last = ids.last().copied().into_iter().cycle();
    column.is_in(ids.iter().copied().chain(last).take(ids.len().next_power_of_two()))
}

/// Adds a part to a statement: by these keys, of these columns, for these rows.
type Part<E> = fn(
    &mut Together,
    &[<E as EntityTrait>::Column],
    &[<E as EntityTrait>::Column],
    &[<E as EntityTrait>::Model],
) -> Result<(), DbErr>;

/// What a batch writes. PostgreSQL gets it in one statement, when it is sent; a file gets each part at once.
#[derive(Debug)]
pub struct Bulk<'a> {
    tx: &'a Transaction,
    together: Together,
}

impl<'a> Bulk<'a> {
    /// Begins to write in this transaction.
    pub fn new(tx: &'a Transaction) -> Self {
        Self { tx, together: Together::default() }
    }

    /// Whether many writers share the database.
    pub fn is_postgres(&self) -> bool {
        self.tx.get_database_backend() == DbBackend::Postgres
    }

    /// Adds rows. A key that the database counts up is the database's to give.
    ///
    /// # Errors
    /// When the database does not answer, or refuses a row.
    pub async fn insert<E>(&mut self, rows: impl IntoIterator<Item = E::Model>) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        let mut rows: Vec<E::Model> = rows.into_iter().collect();
        let is_counted = |column: &E::Column| E::PrimaryKey::auto_increment() && is_key::<E>(column);
        let columns: Vec<E::Column> = E::Column::iter().filter(|column| !is_counted(column)).collect();
        while !rows.is_empty() {
            let next = rows.split_off(group(self.tx.get_database_backend(), rows.len(), columns.len()));
            if self.is_postgres() {
                self.together.insert::<E>(&columns, &rows)?;
            } else {
                let rows = rows.into_iter().map(|row| to_add::<E>(row, is_counted));
                E::insert_many(rows).exec_without_returning(self.tx).await?;
            }
            rows = next;
        }
        Ok(())
    }

    /// Sets these columns of rows that are there and locked.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub async fn update<E>(
        &mut self,
        columns: &[E::Column],
        rows: impl IntoIterator<Item = E::Model>,
    ) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        self.change::<E>(columns, rows, Together::update::<E>).await
    }

    /// Adds rows, or sets these columns, which with the key are all, of those that are there: for rows that nobody has
    /// locked.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub async fn put<E>(&mut self, columns: &[E::Column], rows: impl IntoIterator<Item = E::Model>) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        self.change::<E>(columns, rows, Together::put::<E>).await
    }

    /// Adds to these columns of rows that are there, on SQLite; otherwise, and on PostgreSQL, adds the rows, which nobody else
    /// adds.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub async fn add<E>(&mut self, columns: &[E::Column], rows: impl IntoIterator<Item = E::Model>) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        if self.is_postgres() {
            return self.insert::<E>(rows).await;
        }
        let mut rows: Vec<E::Model> = rows.into_iter().collect();
        let sum = |column: &E::Column| {
            let new = Expr::col((Alias::new("excluded"), *column));
            (*column, Expr::col((E::default(), *column)).add(new))
        };
        let keys = || E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        while !rows.is_empty() {
            let next = rows.split_off(group(DbBackend::Sqlite, rows.len(), E::Column::iter().count()));
            let set = OnConflict::columns(keys()).values(columns.iter().map(sum)).to_owned();
            let added = rows.into_iter().map(|row| row.into_active_model().reset_all());
            E::insert_many(added).on_conflict(set).exec_without_returning(self.tx).await?;
            rows = next;
        }
        Ok(())
    }

    async fn change<E>(
        &mut self,
        columns: &[E::Column],
        rows: impl IntoIterator<Item = E::Model>,
        add: Part<E>,
    ) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        let mut rows: Vec<E::Model> = rows.into_iter().collect();
        let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
        while !rows.is_empty() {
            let next = rows.split_off(group(self.tx.get_database_backend(), rows.len(), E::Column::iter().count()));
            if self.is_postgres() {
                add(&mut self.together, &keys, columns, &rows)?;
            } else {
                // SQLite leaves indexes of other columns alone.
                let set = OnConflict::columns(keys.iter().copied()).update_columns(columns.iter().copied()).to_owned();
                let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
                E::insert_many(rows).on_conflict(set).exec_without_returning(self.tx).await?;
            }
            rows = next;
        }
        Ok(())
    }

    /// Deletes the rows whose column has one of these ids, at most [`MAX_IDS`], at once: whatever follows may take their
    /// place.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub async fn delete<E: EntityTrait>(&mut self, column: E::Column, ids: &[Uuid]) -> Result<(), DbErr> {
        let wanted = among(self.tx.get_database_backend(), column, ids);
        E::delete_many().filter(wanted).exec(self.tx).await?;
        Ok(())
    }

    /// Sends what there is before anything that follows.
    ///
    /// # Errors
    /// When the database does not answer, or refuses a row.
    pub async fn send(&mut self) -> Result<(), DbErr> {
        self.together.send(self.tx).await
    }

    /// Writes the commit token, and on PostgreSQL what changed, and sends all that is left.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn finish(mut self, changes: &[(&'static str, Uuid, i32)], token: Token) -> Result<(), DbErr> {
        if !self.is_postgres() {
            return commit_token::write(self.tx, token).await;
        }
        self.together.record(changes, token.new, token.earlier);
        self.together.send(self.tx).await
    }
}

fn to_add<E>(row: E::Model, is_counted: impl Fn(&E::Column) -> bool) -> E::ActiveModel
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let mut row = row.into_active_model().reset_all();
    for key in E::Column::iter().filter(is_counted) {
        row.not_set(key);
    }
    row
}

fn is_key<E: EntityTrait>(column: &E::Column) -> bool {
    E::PrimaryKey::iter().any(|key| key.into_column().as_str() == column.as_str())
}

/// How many of so many rows the next statement takes.
fn group(backend: DbBackend, rows: usize, columns: usize) -> usize {
    let most = (MAX_PARAMETERS / columns.max(1)).max(1);
    if backend == DbBackend::Postgres {
        return rows.min(most);
    }
    // The greatest power of two that is not more.
    let rows = rows.min(most);
    1 << (usize::BITS - 1 - rows.max(1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_few_shapes() {
        let sizes = |backend, mut rows: usize| {
            let mut sizes = Vec::new();
            while rows > 0 {
                sizes.push(group(backend, rows, 10));
                rows -= sizes[sizes.len() - 1];
            }
            sizes
        };
        assert_eq!(sizes(DbBackend::Postgres, 3_007), [3_000, 7]);
        assert_eq!(sizes(DbBackend::Sqlite, 3_007), [2_048, 512, 256, 128, 32, 16, 8, 4, 2, 1]);
        assert_eq!(sizes(DbBackend::Sqlite, 1), [1]);
    }

    #[test]
    fn ids_are_looked_for_in_few_shapes() {
        use sea_orm::sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};
        let ids: Vec<Uuid> = (1..=5).map(Uuid::from_u128).collect();
        let find = |backend| {
            let of_ids = among(backend, entity::stock::Column::ProductId, &ids);
            Query::select().expr(Expr::val(1)).and_where(of_ids).take()
        };
        let (text, values) = find(DbBackend::Sqlite).build(SqliteQueryBuilder);
        assert_eq!((text.matches('?').count(), values.0.len()), (9, 9), "{text}");
        assert_eq!(values.0[8], Uuid::from_u128(5).into(), "the last one is repeated");
        let (text, values) = find(DbBackend::Postgres).build(PostgresQueryBuilder);
        assert_eq!((text.matches('$').count(), values.0.len()), (2, 2), "{text}");
    }
}
