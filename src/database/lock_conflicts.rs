//! What of a batch's rows another transaction holds for longer than we wait, and which commands it concerns. Those are
//! set aside, so that a row that is held stalls nobody else.
//!
//! What may not be there yet cannot be locked as a row; it is locked by an advisory lock on a hash of its name.

use std::collections::BTreeSet;

use sea_orm::prelude::Uuid;
use sha2::{Digest, Sha256};

use domain::commands::Footprint;
use domain::payment::KeyId;

use super::load::Loaded;

/// What another transaction holds.
#[derive(Debug, Default)]
pub struct LockConflicts {
    /// Advisory locks.
    pub names: BTreeSet<i64>,
    /// Carts.
    pub carts: BTreeSet<Uuid>,
    /// Orders.
    pub orders: BTreeSet<Uuid>,
    /// Products that cannot even be referred to.
    pub products: BTreeSet<Uuid>,
    /// Products that cannot be changed.
    pub catalogue: BTreeSet<Uuid>,
    /// Stock records.
    pub stocks: BTreeSet<Uuid>,
}

impl LockConflicts {
    /// Returns whether nothing is held.
    pub fn is_empty(&self) -> bool {
        let Self { names, carts, orders, products, catalogue, stocks } = self;
        names.is_empty() && [carts, orders, products, catalogue, stocks].iter().all(|held| held.is_empty())
    }
}

/// Returns what another transaction holds of what a command needs: rows, and advisory locks. Empty when the command
/// need not wait.
pub fn conflicts_of(footprint: &Footprint, loaded: &Loaded) -> BTreeSet<u128> {
    let Footprint {
        keys: _,
        carts,
        orders,
        orders_without_stock,
        payments,
        payments_without_stock,
        products,
        catalogue,
        seen,
        skus: _,
        slugs: _,
        charges: _,
    } = footprint;
    let Loaded { tables, conflicts, orders_of_payments: _, stocks: _, catalogue: _ } = loaded;
    let mut found = BTreeSet::new();
    let mut check = |held: &BTreeSet<Uuid>, id: Uuid| {
        if held.contains(&id) {
            found.insert(id.as_u128());
        }
    };
    for id in products {
        check(&conflicts.products, id.0);
        check(&conflicts.stocks, id.0);
    }
    for id in catalogue {
        check(&conflicts.products, id.0);
        check(&conflicts.stocks, id.0);
        check(&conflicts.catalogue, id.0);
    }
    for id in seen {
        check(&conflicts.products, id.0);
    }
    for id in carts {
        check(&conflicts.carts, id.0);
        for item in tables.carts.get(id).map(|cart| cart.items.as_slice()).unwrap_or_default() {
            check(&conflicts.products, item.product.0);
        }
    }
    for id in orders.iter().copied().chain(loaded.orders_of(payments)) {
        check(&conflicts.orders, id.0);
        for item in tables.orders.get(&id).map(|order| order.items.as_slice()).unwrap_or_default() {
            check(&conflicts.products, item.product.0);
            check(&conflicts.stocks, item.product.0);
        }
    }
    for id in orders_without_stock.iter().copied().chain(loaded.orders_of(payments_without_stock)) {
        check(&conflicts.orders, id.0);
    }
    let payments = payments.iter().chain(payments_without_stock).filter_map(|id| tables.payments.get(id));
    let keys = payments.filter_map(|payment| payment.key.as_ref()).map(key_name);
    let names = advisory_names(footprint).into_iter().chain(keys).filter(|name| conflicts.names.contains(name));
    found.extend(names.map(|name| u128::from(name.cast_unsigned())));
    found
}

/// Returns the advisory locks of what a command needs for itself although it may not be there yet: keys, SKUs, slugs,
/// charges.
pub fn advisory_names(footprint: &Footprint) -> BTreeSet<i64> {
    let Footprint {
        keys,
        skus,
        slugs,
        charges,
        carts: _,
        orders: _,
        orders_without_stock: _,
        payments: _,
        payments_without_stock: _,
        products: _,
        catalogue: _,
        seen: _,
    } = footprint;
    let keys = keys.iter().map(key_name);
    let skus = skus.iter().map(|sku| name("sku", &[sku]));
    let slugs = slugs.iter().map(|slug| name("slug", &[slug]));
    let charges = charges.iter().map(|id| name("charge", &[&id.to_string()]));
    keys.chain(skus).chain(slugs).chain(charges).collect()
}

/// Returns the advisory lock of an idempotency key.
pub fn key_name(key: &KeyId) -> i64 {
    name("key", &[&key.scope, &key.key])
}

/// Two things share a lock once in 2^64; then one waits for the other, and nothing else happens.
fn name(kind: &str, parts: &[&str]) -> i64 {
    let mut digest = Sha256::new();
    digest.update(kind);
    for part in parts {
        digest.update([0]);
        digest.update(part);
    }
    let digest = digest.finalize();
    i64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}
