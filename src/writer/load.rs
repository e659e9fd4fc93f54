//! Loads the rows that a batch needs, in stages, each in the order of ids: what payments name, then carts and orders,
//! then the products and stock that those name.
//!
//! It reads only inside the writer's transaction, so nothing that it loads can change before the commit.

use std::collections::BTreeSet;

use entity::{cart, cart_item, idempotency_key, order, order_item, payment, product, sandbox_charge, stock};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::commands::Footprint;
use crate::domain::id::ProductId;
use crate::domain::payment::KeyId;
use crate::store::rows;

use super::world::{Unique, World};

/// Most ids in one statement: databases bound the parameters of a statement.
const MAX_IDS: usize = 5_000;

/// Most rows that are looked at to find a free number for one slug.
const MAX_NUMBERED_SLUGS: u64 = 2_000;

/// Loads everything that the footprint names.
///
/// # Errors
/// When the database does not answer, or has a row that this release cannot read.
pub async fn world(tx: &DatabaseTransaction, footprint: Footprint) -> Result<World, DbErr> {
    let mut world = World::default();
    let mut keys = footprint.keys;
    let mut orders: BTreeSet<Uuid> = footprint.orders.iter().map(|id| id.0).collect();
    let mut products: BTreeSet<Uuid> = footprint.products.iter().map(|id| id.0).collect();

    let named = ids(footprint.payments.iter().map(|id| id.0));
    for row in rows_by::<payment::Entity>(tx, payment::Column::Id, &named).await? {
        let payment = rows::payment(row)?;
        orders.insert(payment.order.0);
        keys.extend(payment.key);
    }
    load_keys(tx, &mut world, keys).await?;
    load_carts(tx, &mut world, &ids(footprint.carts.iter().map(|id| id.0)), &mut products).await?;
    load_orders(tx, &mut world, &ids(orders), &mut products).await?;
    load_products(tx, &mut world, &ids(products)).await?;
    load_taken(tx, &mut world, footprint.skus, footprint.slugs).await?;
    let charges = ids(footprint.charges.iter().map(|id| id.0));
    for row in rows_by::<sandbox_charge::Entity>(tx, sandbox_charge::Column::PaymentId, &charges).await? {
        let charge = rows::charge(&row)?;
        world.charges.load(charge.payment, charge);
    }
    Ok(world)
}

fn ids(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// All rows whose column has one of these ids, in the order of ids.
async fn rows_by<E: EntityTrait>(
    tx: &DatabaseTransaction,
    column: E::Column,
    ids: &[Uuid],
) -> Result<Vec<E::Model>, DbErr> {
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_IDS) {
        let query = E::find().filter(column.is_in(ids.iter().copied())).order_by_asc(column);
        found.append(&mut query.all(tx).await?);
    }
    Ok(found)
}

async fn load_keys(tx: &DatabaseTransaction, world: &mut World, keys: Vec<KeyId>) -> Result<(), DbErr> {
    let wanted: BTreeSet<KeyId> = keys.into_iter().collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let scopes: BTreeSet<&str> = wanted.iter().map(|key| key.scope.as_str()).collect();
    let found = idempotency_key::Entity::find()
        .filter(idempotency_key::Column::Scope.is_in(scopes))
        .filter(idempotency_key::Column::Key.is_in(wanted.iter().map(|key| key.key.as_str())))
        .all(tx)
        .await?;
    for key in found.into_iter().map(rows::key).filter(|key| wanted.contains(&key.id)) {
        world.keys.load(key.id.clone(), key);
    }
    Ok(())
}

async fn load_carts(
    tx: &DatabaseTransaction,
    world: &mut World,
    ids: &[Uuid],
    products: &mut BTreeSet<Uuid>,
) -> Result<(), DbErr> {
    let carts = rows_by::<cart::Entity>(tx, cart::Column::Id, ids).await?;
    let lines = rows_by::<cart_item::Entity>(tx, cart_item::Column::CartId, ids).await?;
    products.extend(lines.iter().map(|line| line.product_id));
    let mut lines = rows::group(lines, |line| line.cart_id);
    for row in carts {
        let lines = lines.remove(&row.id).unwrap_or_default();
        let cart = rows::cart(row, lines)?;
        world.carts.load(cart.id, cart);
    }
    Ok(())
}

async fn load_orders(
    tx: &DatabaseTransaction,
    world: &mut World,
    ids: &[Uuid],
    products: &mut BTreeSet<Uuid>,
) -> Result<(), DbErr> {
    let orders = rows_by::<order::Entity>(tx, order::Column::Id, ids).await?;
    let items = rows_by::<order_item::Entity>(tx, order_item::Column::OrderId, ids).await?;
    products.extend(items.iter().map(|item| item.product_id));
    let mut items = rows::group(items, |item| item.order_id);
    for row in orders {
        let items = items.remove(&row.id).unwrap_or_default();
        let order = rows::order(row, items)?;
        world.orders.load(order.id, order);
    }
    for row in rows_by::<payment::Entity>(tx, payment::Column::OrderId, ids).await? {
        let payment = rows::payment(row)?;
        world.payments.load(payment.id, payment);
    }
    Ok(())
}

async fn load_products(tx: &DatabaseTransaction, world: &mut World, ids: &[Uuid]) -> Result<(), DbErr> {
    for row in rows_by::<product::Entity>(tx, product::Column::Id, ids).await? {
        let product = rows::product(row)?;
        world.products.load(product.id, product);
    }
    for row in rows_by::<stock::Entity>(tx, stock::Column::ProductId, ids).await? {
        let stock = rows::stock(&row);
        world.stocks.load(stock.product, stock);
    }
    Ok(())
}

/// What is taken of the SKUs and slugs that somebody wants, and of the numbered forms of those slugs.
async fn load_taken(
    tx: &DatabaseTransaction,
    world: &mut World,
    skus: Vec<String>,
    slugs: Vec<String>,
) -> Result<(), DbErr> {
    for skus in skus.chunks(MAX_IDS) {
        let query = product::Entity::find().filter(product::Column::SkuKey.is_in(skus));
        for row in query.all(tx).await? {
            world.taken.load((Unique::Sku, row.sku_key), ProductId(row.id));
        }
    }
    for slug in slugs.into_iter().collect::<BTreeSet<_>>() {
        // In ASCII "." follows "-": the range holds exactly what begins with the slug and a hyphen.
        let numbered = Condition::all()
            .add(product::Column::Slug.gte(format!("{slug}-")))
            .add(product::Column::Slug.lt(format!("{slug}.")));
        let either = Condition::any().add(product::Column::Slug.eq(slug)).add(numbered);
        let query = product::Entity::find().filter(either).order_by_asc(product::Column::Slug);
        for row in query.limit(MAX_NUMBERED_SLUGS).all(tx).await? {
            world.taken.load((Unique::Slug, row.slug), ProductId(row.id));
        }
    }
    Ok(())
}
