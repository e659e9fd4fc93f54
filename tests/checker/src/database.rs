//! Reads the whole shop from its database, as plain rows. The statements are the checker's own.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    FromQueryResult, IsolationLevel, QueryResult, Statement, TransactionTrait,
};
use uuid::Uuid;

/// Longest time for the connection and for a statement.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The stock of a product.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Stock {
    /// The product.
    pub product_id: Uuid,
    /// Whether it is managed.
    pub managed: bool,
    /// Units in the warehouse.
    pub total: i32,
    /// Units that belong to somebody.
    pub allocated: i32,
    /// Those of them that staff allocated.
    pub by_hand: i32,
    /// Those of them that unpaid orders hold.
    pub held: i32,
    /// Number of the newest row of the log.
    pub sequence: i32,
    /// Version.
    pub version: i32,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct LogRow {
    /// The product.
    pub product_id: Uuid,
    /// Its number in the log of the product.
    pub sequence: i32,
    /// What was done.
    pub action: String,
    /// The quantity.
    pub quantity: i32,
    /// Change of total.
    pub total_delta: i32,
    /// Change of allocated.
    pub allocated_delta: i32,
    /// Total afterwards.
    pub total_after: i32,
    /// Allocated afterwards.
    pub allocated_after: i32,
    /// Available afterwards.
    pub available_after: i32,
    /// Why.
    pub reason: String,
    /// What somebody wrote about it.
    pub note: Option<String>,
    /// For which order.
    pub order_id: Option<Uuid>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// The number by which people call it.
    pub number: String,
    /// Its state.
    pub status: String,
    /// The state of its payment.
    pub payment: String,
    /// The state of its shipping.
    pub shipping: String,
    /// The cart it was.
    pub cart_id: Uuid,
    /// What is charged.
    pub total_amount: i64,
    /// Until when it holds units without being paid.
    pub held_until: Option<DateTimeUtc>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Item {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// The product.
    pub product_id: Uuid,
    /// Price of a unit.
    pub unit_amount: i64,
    /// Units that were ordered.
    pub quantity: i32,
    /// Units that it holds.
    pub allocated: i32,
    /// Units that have left.
    pub shipped: i32,
    /// Units that never will.
    pub cancelled: i32,
    /// Shipped units that came back.
    pub returned: i32,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Payment {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// The gateway.
    pub gateway: String,
    /// How it was to charge.
    pub method: String,
    /// Its state.
    pub status: String,
    /// What was to be charged.
    pub amount: i64,
    /// What was refunded or is being refunded.
    pub refunded: i64,
    /// The idempotency key of the request.
    pub key: Option<String>,
}

/// A capture, a void or a refund.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Operation {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// The payment.
    pub payment_id: Uuid,
    /// What it is.
    pub kind: String,
    /// Its state.
    pub status: String,
    /// What is moved.
    pub amount: i64,
    /// Who began it.
    pub actor: String,
    /// The idempotency key of the request.
    pub key: Option<String>,
}

impl Operation {
    /// Whether its outcome is open.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == "in_progress"
    }
}

/// A line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct CartItem {
    /// The cart.
    pub cart_id: Uuid,
    /// The product.
    pub product_id: Uuid,
    /// Units.
    pub quantity: i32,
}

/// Everything that a shop has stored.
#[derive(Debug, Clone, Default)]
pub struct Shop {
    /// The SKU of each product.
    pub skus: BTreeMap<Uuid, String>,
    /// Stock by product.
    pub stocks: BTreeMap<Uuid, Stock>,
    /// The log by product, each in order of `sequence`.
    pub log: BTreeMap<Uuid, Vec<LogRow>>,
    /// Orders.
    pub orders: BTreeMap<Uuid, Order>,
    /// Lines by order.
    pub items: BTreeMap<Uuid, Vec<Item>>,
    /// Payments by order.
    pub payments: BTreeMap<Uuid, Vec<Payment>>,
    /// Captures, voids and refunds by payment.
    pub operations: BTreeMap<Uuid, Vec<Operation>>,
    /// How many shipments each order has.
    pub shipments: BTreeMap<Uuid, usize>,
    /// The shipments of each order.
    pub parcels: BTreeMap<Uuid, Vec<Uuid>>,
    /// How many units of each line of an order were put into shipments.
    pub sent: BTreeMap<Uuid, i32>,
    /// The state of each cart.
    pub carts: BTreeMap<Uuid, String>,
    /// Lines by cart.
    pub cart_items: BTreeMap<Uuid, Vec<CartItem>>,
}

#[derive(FromQueryResult)]
struct ProductRow {
    id: Uuid,
    sku: String,
}

#[derive(FromQueryResult)]
struct CartRow {
    id: Uuid,
    status: String,
}

#[derive(FromQueryResult)]
struct ShipmentRow {
    id: Uuid,
    order_id: Uuid,
}

#[derive(FromQueryResult)]
struct ShipmentItemRow {
    order_item_id: Uuid,
    quantity: i32,
}

impl Shop {
    /// Reads a shop as it is at one moment.
    ///
    /// # Errors
    /// When the database does not answer, or has other tables than a shop.
    pub async fn read(address: &str) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(address);
        options.max_connections(1).connect_timeout(TIMEOUT).acquire_timeout(TIMEOUT).sqlx_logging(false);
        let db = Database::connect(options).await.context("the database")?;
        let shop = Self::read_at_once(&db).await.context("the shop's tables");
        db.close().await?;
        shop
    }

    #[expect(clippy::disallowed_methods, reason = "it reads, and the ban is the server's")]
    async fn read_at_once(db: &DatabaseConnection) -> Result<Self, DbErr> {
        // A transaction of SQLite sees one moment without being told so.
        let moment = match db.get_database_backend() {
            DbBackend::Postgres => {
                db.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await?
            }
            _ => db.begin().await?,
        };
        let shop = Self::read_from(&moment).await;
        moment.rollback().await?;
        shop
    }

    async fn read_from(db: &DatabaseTransaction) -> Result<Self, DbErr> {
        let mut shop = Self::default();
        for row in rows::<ProductRow>(db, "SELECT id, sku FROM product").await? {
            shop.skus.insert(row.id, row.sku);
        }
        for row in rows::<Stock>(db, "SELECT * FROM stock").await? {
            shop.stocks.insert(row.product_id, row);
        }
        for row in rows::<LogRow>(db, "SELECT * FROM stock_transaction ORDER BY product_id, sequence").await? {
            shop.log.entry(row.product_id).or_default().push(row);
        }
        for row in rows::<Order>(db, "SELECT * FROM \"order\"").await? {
            shop.orders.insert(row.id, row);
        }
        for row in rows::<Item>(db, "SELECT * FROM order_item ORDER BY order_id, line").await? {
            shop.items.entry(row.order_id).or_default().push(row);
        }
        for row in rows::<Payment>(db, "SELECT * FROM payment ORDER BY created_at, id").await? {
            shop.payments.entry(row.order_id).or_default().push(row);
        }
        for row in rows::<Operation>(db, "SELECT * FROM payment_operation ORDER BY created_at, id").await? {
            shop.operations.entry(row.payment_id).or_default().push(row);
        }
        for row in rows::<ShipmentRow>(db, "SELECT id, order_id FROM shipment").await? {
            *shop.shipments.entry(row.order_id).or_default() += 1;
            shop.parcels.entry(row.order_id).or_default().push(row.id);
        }
        for row in rows::<ShipmentItemRow>(db, "SELECT order_item_id, quantity FROM shipment_item").await? {
            *shop.sent.entry(row.order_item_id).or_default() += row.quantity;
        }
        for row in rows::<CartRow>(db, "SELECT id, status FROM cart").await? {
            shop.carts.insert(row.id, row.status);
        }
        for row in rows::<CartItem>(db, "SELECT * FROM cart_item ORDER BY cart_id, line").await? {
            shop.cart_items.entry(row.cart_id).or_default().push(row);
        }
        Ok(shop)
    }

    /// The payments of an order.
    #[must_use]
    pub fn payments_of(&self, order: Uuid) -> &[Payment] {
        self.payments.get(&order).map_or(&[], Vec::as_slice)
    }

    /// What was done to a payment.
    #[must_use]
    pub fn operations_of(&self, payment: Uuid) -> &[Operation] {
        self.operations.get(&payment).map_or(&[], Vec::as_slice)
    }

    /// The lines of an order.
    #[must_use]
    pub fn items_of(&self, order: Uuid) -> &[Item] {
        self.items.get(&order).map_or(&[], Vec::as_slice)
    }

    /// The log of a product.
    #[must_use]
    pub fn log_of(&self, product: Uuid) -> &[LogRow] {
        self.log.get(&product).map_or(&[], Vec::as_slice)
    }
}

async fn rows<T: FromQueryResult>(db: &DatabaseTransaction, statement: &str) -> Result<Vec<T>, DbErr> {
    let found: Vec<QueryResult> =
        db.query_all_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    found.iter().map(|row| T::from_query_result(row, "")).collect()
}
