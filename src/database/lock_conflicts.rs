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
    /// Outgoing webhooks.
    pub webhooks: BTreeSet<Uuid>,
}

impl LockConflicts {
    /// Returns whether nothing is held.
    pub fn is_empty(&self) -> bool {
        let Self { names, carts, orders, products, catalogue, stocks, webhooks } = self;
        names.is_empty() && [carts, orders, products, catalogue, stocks, webhooks].iter().all(|held| held.is_empty())
    }
}

/// Returns what another transaction holds of what a command needs: rows, and advisory locks. Empty when the command
/// need not wait.
pub fn conflicts_of(footprint: &Footprint, loaded: &Loaded) -> BTreeSet<u128> {
    let Footprint {
        keys: _,
        carts,
        carts_with_stock,
        orders,
        orders_without_stock,
        payments,
        payments_without_stock,
        returns_of: _,
        operations: _,
        products,
        catalogue,
        seen,
        skus: _,
        slugs: _,
        charges: _,
        webhooks,
        all_webhooks: _,
        deliveries,
    } = footprint;
    let Loaded {
        tables,
        conflicts,
        orders_of_payments: _,
        keys_of_operations: _,
        webhooks_of_deliveries,
        stocks: _,
        catalogue: _,
    } = loaded;
    let mut found = BTreeSet::new();
    let mut check = |held: &BTreeSet<Uuid>, id: Uuid| {
        if held.contains(&id) {
            found.insert(id.as_u128());
        }
    };
    for id in products.iter().chain(catalogue) {
        check(&conflicts.products, id.0);
        check(&conflicts.stocks, id.0);
    }
    for id in catalogue {
        check(&conflicts.catalogue, id.0);
    }
    for id in seen {
        check(&conflicts.products, id.0);
    }
    for id in carts.iter().chain(carts_with_stock) {
        check(&conflicts.carts, id.0);
        for item in tables.carts.get(id).map(|cart| cart.items.as_slice()).unwrap_or_default() {
            check(&conflicts.products, item.product.0);
            if carts_with_stock.contains(id) {
                check(&conflicts.stocks, item.product.0);
            }
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
    for id in webhooks.iter().chain(deliveries.iter().filter_map(|id| webhooks_of_deliveries.get(id))) {
        check(&conflicts.webhooks, id.0);
    }
    found.extend(names_held(footprint, loaded));
    found
}

/// Returns the advisory locks that a command needs and another transaction holds.
fn names_held(footprint: &Footprint, loaded: &Loaded) -> impl Iterator<Item = u128> {
    let Loaded { tables, conflicts, keys_of_operations, .. } = loaded;
    let payments = footprint.payments.iter().chain(&footprint.payments_without_stock);
    let of_payments = payments.filter_map(|id| tables.payments.get(id)?.key.as_ref());
    let of_operations = footprint.operations.iter().filter_map(|id| keys_of_operations.get(id));
    let names = advisory_names(footprint).into_iter().chain(of_payments.chain(of_operations).map(key_name));
    names.filter(|name| conflicts.names.contains(name)).map(|name| u128::from(name.cast_unsigned()))
}

/// Returns the advisory locks of what a command needs for itself although it may not be there yet: keys, SKUs, slugs,
/// charges, the number of webhooks.
pub fn advisory_names(footprint: &Footprint) -> BTreeSet<i64> {
    let Footprint {
        keys,
        skus,
        slugs,
        charges,
        carts: _,
        carts_with_stock: _,
        orders: _,
        orders_without_stock: _,
        payments: _,
        payments_without_stock: _,
        returns_of: _,
        operations: _,
        products: _,
        catalogue: _,
        seen: _,
        all_webhooks,
        webhooks: _,
        deliveries: _,
    } = footprint;
    let keys = keys.iter().map(key_name);
    let skus = skus.iter().map(|sku| name("sku", &[sku]));
    let slugs = slugs.iter().map(|slug| name("slug", &[slug]));
    let charges = charges.iter().map(|id| name("charge", &[&id.to_string()]));
    let webhooks = all_webhooks.then(|| name("webhooks", &[]));
    keys.chain(skus).chain(slugs).chain(charges).chain(webhooks).collect()
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

#[cfg(test)]
mod tests {
    use domain::Time;
    use domain::cart::{self, Cart};
    use domain::id::{CartId, DeliveryId, OrderId, OrderItemId, PaymentId, ProductId, WebhookId};
    use domain::money::Money;
    use domain::order::{self, Order, PaymentStatus, ShippingStatus};
    use domain::payment::{Method, Payment, Recovery, Status};
    use domain::world::Tables;

    use super::*;

    const CART: CartId = CartId(Uuid::from_u128(1));
    const ORDER: OrderId = OrderId(Uuid::from_u128(2));
    const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(3));
    const IN_CART: ProductId = ProductId(Uuid::from_u128(4));
    const IN_ORDER: ProductId = ProductId(Uuid::from_u128(5));
    const ALONE: ProductId = ProductId(Uuid::from_u128(6));

    fn key() -> KeyId {
        KeyId { scope: "guest".to_owned(), key: "K".to_owned() }
    }

    /// A cart, an order, and its payment, each with what it names.
    fn tables() -> Tables {
        let (now, price) = (Time::UNIX_EPOCH, Money::price(100, "EUR").expect("a price"));
        let mut tables = Tables::default();
        let items = vec![cart::Item { product: IN_CART, quantity: 1 }];
        let status = cart::Status::Open;
        tables.carts.load(CART, Cart { id: CART, status, owner: None, items, created_at: now, updated_at: now });
        let item = order::Item {
            id: OrderItemId(Uuid::from_u128(7)),
            product: IN_ORDER,
            sku: String::new(),
            name: String::new(),
            unit_price: price,
            quantity: 1,
            allocated: 0,
            shipped: 0,
            cancelled: 0,
            returned: 0,
        };
        let order = Order {
            id: ORDER,
            number: String::new(),
            status: order::Status::Incomplete,
            payment: PaymentStatus::Unpaid,
            shipping: ShippingStatus::Unfulfilled,
            cart: CART,
            owner: None,
            customer: None,
            items: vec![item],
            total: price,
            cancel_reason: None,
            cancel_note: None,
            held_until: None,
            version: 1,
            placed_at: now,
            updated_at: now,
        };
        tables.orders.load(ORDER, order);
        let payment = Payment {
            id: PAYMENT,
            order: ORDER,
            gateway: String::new(),
            method: Method::Purchase,
            status: Status::InProgress,
            amount: price,
            reference: None,
            decline_reason: None,
            decline_code: None,
            action: None,
            recovery: Recovery { leased_until: now, next_poll_at: now, polls: 0 },
            key: Some(key()),
            refunded: 0,
            operations: 0,
            created_at: now,
            updated_at: now,
        };
        tables.payments.load(PAYMENT, payment);
        tables
    }

    /// What a command waits for when somebody else holds this.
    fn waits(footprint: &Footprint, conflicts: LockConflicts) -> BTreeSet<u128> {
        let orders_of_payments = [(PAYMENT, ORDER)].into();
        let loaded = Loaded { tables: tables(), conflicts, orders_of_payments, ..Loaded::default() };
        conflicts_of(footprint, &loaded)
    }

    type Held = fn(&mut LockConflicts) -> &mut BTreeSet<Uuid>;

    /// What a command needs, and the rows that it waits for.
    type Case = (&'static str, Footprint, &'static [(Held, Uuid)]);

    #[test]
    fn a_command_waits_for_the_rows_that_it_needs_and_for_no_others() {
        let none = Footprint::default;
        let cases: [Case; 9] = {
            const CARTS: Held = |held| &mut held.carts;
            const ORDERS: Held = |held| &mut held.orders;
            const PRODUCTS: Held = |held| &mut held.products;
            const CATALOGUE: Held = |held| &mut held.catalogue;
            const STOCKS: Held = |held| &mut held.stocks;
            const OF_ORDER: &[(Held, Uuid)] = &[(ORDERS, ORDER.0), (PRODUCTS, IN_ORDER.0), (STOCKS, IN_ORDER.0)];
            [
                ("nothing", none(), &[]),
                ("a cart", Footprint { carts: vec![CART], ..none() }, &[(CARTS, CART.0), (PRODUCTS, IN_CART.0)]),
                ("an order", Footprint { orders: vec![ORDER], ..none() }, OF_ORDER),
                (
                    "an order without its stock",
                    Footprint { orders_without_stock: vec![ORDER], ..none() },
                    &[(ORDERS, ORDER.0)],
                ),
                ("a payment", Footprint { payments: vec![PAYMENT], ..none() }, OF_ORDER),
                (
                    "a payment without the stock",
                    Footprint { payments_without_stock: vec![PAYMENT], ..none() },
                    &[(ORDERS, ORDER.0)],
                ),
                ("stock", Footprint { products: vec![ALONE], ..none() }, &[(PRODUCTS, ALONE.0), (STOCKS, ALONE.0)]),
                (
                    "a product",
                    Footprint { catalogue: vec![ALONE], ..none() },
                    &[(PRODUCTS, ALONE.0), (STOCKS, ALONE.0), (CATALOGUE, ALONE.0)],
                ),
                ("a product that is only seen", Footprint { seen: vec![ALONE], ..none() }, &[(PRODUCTS, ALONE.0)]),
            ]
        };
        let kinds: [Held; 5] = [
            |held| &mut held.carts,
            |held| &mut held.orders,
            |held| &mut held.products,
            |held| &mut held.catalogue,
            |held| &mut held.stocks,
        ];
        for (what, footprint, needs) in &cases {
            for (kind, held) in kinds.iter().enumerate() {
                for id in [CART.0, ORDER.0, IN_CART.0, IN_ORDER.0, ALONE.0] {
                    let mut conflicts = LockConflicts::default();
                    held(&mut conflicts).insert(id);
                    let is_needed = needs.iter().any(|(needed, row)| {
                        let mut same = LockConflicts::default();
                        needed(&mut same).insert(*row);
                        *row == id && !held(&mut same).is_empty()
                    });
                    let expected: BTreeSet<u128> = is_needed.then_some(id.as_u128()).into_iter().collect();
                    assert_eq!(waits(footprint, conflicts), expected, "{what}: kind {kind}, {id}");
                }
            }
        }
    }

    #[test]
    fn a_command_waits_for_its_webhook_and_for_that_of_its_delivery() {
        let (webhook, delivery) = (WebhookId(ALONE.0), DeliveryId(CART.0));
        let none = Footprint::default;
        for (footprint, is_needed) in [
            (Footprint { webhooks: vec![webhook], ..none() }, true),
            (Footprint { deliveries: vec![delivery], ..none() }, true),
            (Footprint { orders: vec![ORDER], ..none() }, false),
        ] {
            let conflicts = LockConflicts { webhooks: [webhook.0].into(), ..LockConflicts::default() };
            let webhooks_of_deliveries = [(delivery, webhook)].into();
            let loaded = Loaded { conflicts, webhooks_of_deliveries, ..Loaded::default() };
            let expected: BTreeSet<u128> = is_needed.then_some(webhook.0.as_u128()).into_iter().collect();
            assert_eq!(conflicts_of(&footprint, &loaded), expected, "{footprint:?}");
        }
    }

    #[test]
    fn a_command_waits_for_its_key_and_for_that_of_its_payment() {
        let names = BTreeSet::from([key_name(&key())]);
        let expected: BTreeSet<u128> = names.iter().map(|name| u128::from(name.cast_unsigned())).collect();
        let none = Footprint::default;
        for (footprint, is_needed) in [
            (Footprint { keys: vec![key()], ..none() }, true),
            (Footprint { payments: vec![PAYMENT], ..none() }, true),
            (Footprint { payments_without_stock: vec![PAYMENT], ..none() }, true),
            (Footprint { orders: vec![ORDER], charges: vec![PAYMENT], ..none() }, false),
        ] {
            let conflicts = LockConflicts { names: names.clone(), ..LockConflicts::default() };
            let found = waits(&footprint, conflicts);
            assert_eq!(found, if is_needed { expected.clone() } else { BTreeSet::new() }, "{footprint:?}");
        }
    }

    #[test]
    fn what_may_not_be_there_yet_has_a_lock_of_its_own() {
        let none = Footprint::default;
        let all = [
            Footprint { keys: vec![key()], ..none() },
            Footprint { keys: vec![KeyId { scope: "guestK".to_owned(), key: String::new() }], ..none() },
            Footprint { skus: vec!["a".to_owned()], ..none() },
            Footprint { slugs: vec!["a".to_owned()], ..none() },
            Footprint { charges: vec![PAYMENT], ..none() },
            Footprint { all_webhooks: true, ..none() },
        ];
        let names: Vec<_> = all.iter().map(advisory_names).collect();
        assert!(names.iter().all(|names| names.len() == 1), "{names:?}");
        let different: BTreeSet<_> = names.iter().flatten().collect();
        assert_eq!(different.len(), all.len());
    }
}
