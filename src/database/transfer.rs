//! Copies every table of an SQLite database into an empty PostgreSQL, in one transaction, and compares what has arrived with what
//! was read before it commits. The source is locked by its caller; nothing in it is changed.
//!
//! Outside the writer, as the migrations are: nobody uses the database that is filled here.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use anyhow::{Context, bail, ensure};
use futures_util::TryStreamExt;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityName, EntityTrait,
    IntoActiveModel, Iterable, PaginatorTrait, StreamTrait, TransactionTrait,
};

use super::postgres::{self, Postgres};
use super::sqlite;

/// Maximum number of rows in one statement.
const MAX_ROWS: usize = 1_000;

/// Maximum number of parameters in one statement; PostgreSQL takes 65,535.
const MAX_PARAMETERS: usize = 60_000;

/// Tables that are not copied: what SeaORM keeps of migrations, and what the writer keeps of commits that are over.
const NOT_COPIED: [&str; 2] = ["seaql_migrations", "commit_token"];

/// How many rows there are, and the sum of their digests, whatever their order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: u64,
}

impl Digest {
    fn add(&mut self, row: &impl Debug) {
        let mut hasher = DefaultHasher::new();
        // Both databases give the same values in the same types.
        format!("{row:?}").hash(&mut hasher);
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

macro_rules! tables {
    ($($module:ident),+) => {
        /// The names of the tables that are copied; each comes after those that it refers to.
        fn names() -> Vec<&'static str> {
            vec![$(entity::$module::Entity.table_name()),+]
        }

        /// Returns how many rows are to be copied.
        ///
        /// # Errors
        /// When the database does not answer.
        pub async fn count(from: &DatabaseConnection) -> Result<u64, DbErr> {
            Ok(0 $(+ entity::$module::Entity::find().count(from).await?)+)
        }

        async fn copy_all(
            from: &DatabaseConnection,
            to: &DatabaseTransaction,
            progress: &mut impl FnMut(u64),
        ) -> anyhow::Result<Vec<(&'static str, u64)>> {
            Ok(vec![$(copy::<entity::$module::Entity>(from, to, progress).await?),+])
        }
    };
}

tables!(
    product,
    stock,
    cart,
    cart_item,
    order,
    order_item,
    payment,
    payment_operation,
    shipment,
    shipment_item,
    stock_transaction,
    stock_demand,
    idempotency_key,
    sandbox_charge,
    sandbox_operation,
    webhook,
    webhook_delivery
);

/// Copies everything and returns how many rows of which table there were. All is copied or nothing.
///
/// # Errors
/// When there are tables that this release does not know, when the target has rows, when a database does not answer, or when
/// what arrived is not what was sent.
#[expect(clippy::disallowed_methods, reason = "a database that nobody uses yet is filled in one transaction")]
pub async fn run(
    from: &DatabaseConnection,
    to: &Postgres,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let known = names();
    for table in sqlite::tables(from).await? {
        let is_known = known.iter().chain(&NOT_COPIED).any(|known| *known == table);
        ensure!(is_known, "the table {table:?} is not one of this release: nothing was copied");
    }
    let connection = to.transfer_connection().await.context("cannot connect to the PostgreSQL")?;
    let transaction = connection.begin().await?;
    // No server may write to it meanwhile.
    postgres::lock_tables(&transaction, &known).await?;
    for table in &known {
        if !postgres::is_empty(&transaction, table).await? {
            bail!("{} is not empty: the table \"{table}\" has rows. Nothing was copied", to.shown());
        }
    }
    let copied = copy_all(from, &transaction, &mut progress).await?;
    postgres::continue_positions(&transaction).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(copied)
}

/// Copies one table and compares.
async fn copy<E>(
    from: &DatabaseConnection,
    to: &DatabaseTransaction,
    progress: &mut impl FnMut(u64),
) -> anyhow::Result<(&'static str, u64)>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Debug + Send + Sync,
    E::ActiveModel: Send,
{
    let table = E::default().table_name();
    let at_once = MAX_ROWS.min(MAX_PARAMETERS / E::Column::iter().count().max(1));
    let mut sent = Digest::default();
    let mut batch = Vec::with_capacity(at_once);
    {
        let mut rows = E::find().stream(from).await?;
        while let Some(row) = rows.try_next().await? {
            sent.add(&row);
            batch.push(row.into_active_model().reset_all());
            if batch.len() == at_once {
                insert::<E>(to, &mut batch, progress).await?;
            }
        }
    }
    insert::<E>(to, &mut batch, progress).await?;
    let arrived = digest::<E>(to).await?;
    ensure!(arrived == sent, "the rows of {table:?} did not arrive as they were sent: nothing was copied");
    Ok((table, sent.rows))
}

async fn insert<E>(
    to: &DatabaseTransaction,
    batch: &mut Vec<E::ActiveModel>,
    progress: &mut impl FnMut(u64),
) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::ActiveModel: Send,
{
    if batch.is_empty() {
        return Ok(());
    }
    let count = batch.len() as u64;
    E::insert_many(std::mem::take(batch)).exec_without_returning(to).await?;
    progress(count);
    Ok(())
}

/// Reads a table back.
async fn digest<E>(db: &(impl ConnectionTrait + StreamTrait)) -> Result<Digest, DbErr>
where
    E: EntityTrait,
    E::Model: Debug,
{
    let mut digest = Digest::default();
    let mut rows = E::find().stream(db).await?;
    while let Some(row) = rows.try_next().await? {
        digest.add(&row);
    }
    Ok(digest)
}
