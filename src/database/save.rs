//! Saves what a batch changed with a few statements of many rows each. It writes every changed row whole and nothing
//! else, parents before children; and for replicas, what changed. It never writes a row that was only looked at.

use std::collections::BTreeSet;

use entity::{
    cart, cart_item, idempotency_key, order, order_item, payment, product, sandbox_charge, shipment, shipment_item,
    stock, stock_transaction,
};
use sea_orm::ActiveValue::NotSet;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, Iterable,
    PrimaryKeyToColumn, QueryFilter,
};

use crate::faults::Transaction;
use domain::cart::Cart;
use domain::transaction::StockTransaction;
use domain::world::Tables;

use super::commit_token::{self, Token};
use super::load::Loaded;
use super::postgres::record;
use super::rows;

/// Most parameters in one statement: the smallest bound among our databases, with room to spare.
const MAX_PARAMETERS: usize = 30_000;

/// Saves everything that changed, and the commit token.
///
/// # Errors
/// When the database does not answer, or refuses a row that breaks one of its constraints; when a command changed what
/// its footprint does not name.
pub async fn save(tx: &Transaction, loaded: &Loaded, token: Token) -> Result<(), DbErr> {
    // What is taken is saved with the products that have it.
    let Tables { products, taken: _, stocks, log, carts, orders, payments, shipments, keys, charges } = &loaded.tables;
    must_be_locked(stocks.changed_keys().map(|id| id.0), &loaded.stocks)?;
    must_be_locked(products.changed_keys().map(|id| id.0), &loaded.catalogue)?;
    upsert::<product::Entity>(tx, products.changes().map(rows::product_row)).await?;
    upsert::<stock::Entity>(tx, stocks.changes().map(rows::stock_row)).await?;
    save_carts(tx, carts.changes()).await?;
    let (order_rows, items): (Vec<_>, Vec<_>) = orders.changes().map(rows::order_rows).unzip();
    upsert::<order::Entity>(tx, order_rows).await?;
    upsert::<order_item::Entity>(tx, items.into_iter().flatten()).await?;
    upsert::<payment::Entity>(tx, payments.changes().map(rows::payment_row)).await?;
    let (shipments, items): (Vec<_>, Vec<_>) = shipments.changes().map(rows::shipment_rows).unzip();
    upsert::<shipment::Entity>(tx, shipments).await?;
    upsert::<shipment_item::Entity>(tx, items.into_iter().flatten()).await?;
    append_log(tx, log.rows()).await?;
    let key_rows: Vec<_> = keys.changes().map(rows::key_row).collect::<Result<_, _>>()?;
    upsert::<idempotency_key::Entity>(tx, key_rows).await?;
    upsert::<sandbox_charge::Entity>(tx, charges.changes().map(rows::charge_row)).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        let stocks = stocks.changes().map(|stock| ("stock", stock.product.0, stock.version));
        let orders = orders.changes().map(|order| ("order", order.id.0, order.version));
        record(tx, &stocks.chain(orders).collect::<Vec<_>>(), token.new, token.earlier).await
    } else {
        commit_token::write(tx, token).await
    }
}

/// A cart is written with all its items, which may be fewer than before.
async fn save_carts(tx: &Transaction, carts: impl Iterator<Item = &Cart>) -> Result<(), DbErr> {
    let (carts, items): (Vec<_>, Vec<_>) = carts.map(rows::cart_rows).unzip();
    let changed: Vec<_> = carts.iter().map(|cart| cart.id).collect();
    upsert::<cart::Entity>(tx, carts).await?;
    for ids in changed.chunks(MAX_PARAMETERS) {
        let ids = ids.iter().copied();
        cart_item::Entity::delete_many().filter(cart_item::Column::CartId.is_in(ids)).exec(tx).await?;
    }
    upsert::<cart_item::Entity>(tx, items.into_iter().flatten()).await
}

/// A row that was not locked may have been changed by another replica since it was read.
fn must_be_locked(mut changed: impl Iterator<Item = Uuid>, locked: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    match changed.find(|id| !locked.contains(id)) {
        None => Ok(()),
        Some(id) => Err(DbErr::Custom(format!("a command changed {id}, which its footprint only looks at"))),
    }
}

/// Inserts rows, or replaces those that are there: the bulk update that every database speaks.
async fn upsert<E>(tx: &Transaction, rows: impl IntoIterator<Item = E::Model>) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let is_key = |column: &E::Column| E::PrimaryKey::iter().any(|key| same(&key.into_column(), column));
    let on_conflict = OnConflict::columns(E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column))
        .update_columns(E::Column::iter().filter(|column| !is_key(column)))
        .to_owned();
    let rows: Vec<_> = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    for rows in rows.chunks(MAX_PARAMETERS / E::Column::iter().count()) {
        let insert = E::insert_many(rows.to_vec()).on_conflict(on_conflict.clone());
        insert.exec_without_returning(tx).await?;
    }
    Ok(())
}

fn same<C: ColumnTrait>(a: &C, b: &C) -> bool {
    a.as_str() == b.as_str()
}

async fn append_log(tx: &Transaction, log: &[StockTransaction]) -> Result<(), DbErr> {
    let columns = <stock_transaction::Entity as EntityTrait>::Column::iter().count();
    for log in log.chunks(MAX_PARAMETERS / columns) {
        let rows = log.iter().map(|row| {
            let row = rows::transaction_row(row).into_active_model().reset_all();
            stock_transaction::ActiveModel { position: NotSet, ..row }
        });
        stock_transaction::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}
