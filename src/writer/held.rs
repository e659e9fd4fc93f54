//! What of a batch's rows somebody else holds for longer than we wait, and which commands it concerns. Those are set
//! aside, so that a row that is held stalls nobody else.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::prelude::Uuid;
use sha2::{Digest, Sha256};

use crate::commands::Footprint;
use crate::domain::id::OrderId;
use crate::domain::payment::KeyId;

use super::world::World;

/// Rows, and names of rows, that are held by somebody else.
#[derive(Debug, Default)]
pub struct Held {
    /// Names of what may not be there yet.
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
    /// The orders of the payments that commands named, held or not.
    pub orders_of_payments: BTreeMap<Uuid, Uuid>,
}

impl Held {
    /// Whether nothing is held.
    pub fn is_nothing(&self) -> bool {
        let sets = [&self.carts, &self.orders, &self.products, &self.catalogue, &self.stocks];
        self.names.is_empty() && sets.iter().all(|set| set.is_empty())
    }

    /// Returns what of a command's needs is held: rows, and names of rows. Empty when it need not wait.
    pub fn of(&self, footprint: &Footprint, world: &World) -> BTreeSet<u128> {
        let mut found = BTreeSet::new();
        let mut look = |held: &BTreeSet<Uuid>, id: Uuid| {
            if held.contains(&id) {
                found.insert(id.as_u128());
            }
        };
        for id in &footprint.products {
            look(&self.products, id.0);
            look(&self.stocks, id.0);
        }
        for id in &footprint.catalogue {
            look(&self.products, id.0);
            look(&self.stocks, id.0);
            look(&self.catalogue, id.0);
        }
        for id in &footprint.seen {
            look(&self.products, id.0);
        }
        for id in &footprint.carts {
            look(&self.carts, id.0);
            for line in world.carts.get(id).map(|cart| cart.lines.as_slice()).unwrap_or_default() {
                look(&self.products, line.product.0);
            }
        }
        let of_payments = footprint.payments.iter().filter_map(|id| self.orders_of_payments.get(&id.0)).copied();
        for id in footprint.orders.iter().map(|id| id.0).chain(of_payments) {
            look(&self.orders, id);
            for item in world.orders.get(&OrderId(id)).map(|order| order.items.as_slice()).unwrap_or_default() {
                look(&self.products, item.product.0);
                look(&self.stocks, item.product.0);
            }
        }
        let payments = footprint.payments.iter().filter_map(|id| world.payments.get(id));
        let keys = payments.filter_map(|payment| payment.key.as_ref()).map(key_name);
        let names = names(footprint).into_iter().chain(keys).filter(|name| self.names.contains(name));
        found.extend(names.map(|name| u128::from(name.cast_unsigned())));
        found
    }
}

/// The names of what a command needs for itself although it may not be there yet: keys, SKUs, slugs, charges.
pub fn names(footprint: &Footprint) -> BTreeSet<i64> {
    let keys = footprint.keys.iter().map(key_name);
    let skus = footprint.skus.iter().map(|sku| name("sku", &[sku]));
    let slugs = footprint.slugs.iter().map(|slug| name("slug", &[slug]));
    let charges = footprint.charges.iter().map(|id| name("charge", &[&id.to_string()]));
    keys.chain(skus).chain(slugs).chain(charges).collect()
}

/// The name of an idempotency key.
pub fn key_name(key: &KeyId) -> i64 {
    name("key", &[&key.scope, &key.key])
}

/// Two things share a name once in 2^64; then one waits for the other, and nothing else happens.
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
