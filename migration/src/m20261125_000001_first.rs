//! The first schema: catalogue, stock and its log, carts, orders, payments, shipments, idempotency keys, and the
//! sandbox gateway's journal.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{Columns, key, nullable, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All of it or nothing, also on SQLite: a process may be ended at any moment.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let tables =
            [catalogue(columns), carts(columns), orders(columns), payments(columns), log(columns), own(columns)];
        for table in tables.into_iter().flatten() {
            manager.create_table(table).await?;
        }
        for index in indexes(columns) {
            manager.create_index(index).await?;
        }
        keep_log_append_only(manager).await
    }
}

fn check(condition: &'static str) -> Expr {
    Expr::cust(condition)
}

fn catalogue(c: Columns) -> Vec<TableCreateStatement> {
    let product = [
        key(c.uuid("id")),
        c.text("sku"),
        c.key_text("sku_key"),
        c.key_text("slug"),
        c.text("name"),
        c.key_text("name_key"),
        nullable(c.text("description")),
        c.amount("price_amount"),
        c.text("price_currency"),
        c.text("status"),
        c.time("created_at"),
        c.time("updated_at"),
    ];
    let stock = [
        key(c.uuid("product_id")),
        c.flag("managed"),
        c.count("low_stock_threshold"),
        c.count("total"),
        c.count("allocated"),
        c.count("by_hand"),
        c.count("sequence"),
        c.count("version"),
        c.time("updated_at"),
        c.count("shown_version"),
        c.time("shown_at"),
    ];
    vec![
        c.table("product", product)
            .check(check("price_amount BETWEEN 0 AND 9007199254740991"))
            .check(check("status IN ('active', 'archived')"))
            .take(),
        c.table("stock", stock)
            .foreign_key(&mut reference("stock", "product_id", "product", "id"))
            .check(check("total BETWEEN 0 AND 1000000000"))
            .check(check("allocated BETWEEN 0 AND total"))
            .check(check("by_hand BETWEEN 0 AND allocated"))
            .check(check("low_stock_threshold BETWEEN 0 AND 1000000000"))
            .check(check("sequence >= 0 AND version >= 1 AND shown_version BETWEEN 1 AND version"))
            .take(),
    ]
}

fn carts(c: Columns) -> Vec<TableCreateStatement> {
    let cart =
        [key(c.uuid("id")), c.text("status"), nullable(c.text("owner")), c.time("created_at"), c.time("updated_at")];
    let item = [c.uuid("cart_id"), c.uuid("product_id"), c.count("line"), c.count("quantity")];
    vec![
        c.table("cart", cart).check(check("status IN ('open', 'checked_out', 'expired')")).take(),
        c.table("cart_item", item)
            .primary_key(Index::create().col("cart_id").col("product_id"))
            .foreign_key(&mut reference("cart_item", "cart_id", "cart", "id"))
            .foreign_key(&mut reference("cart_item", "product_id", "product", "id"))
            .check(check("quantity BETWEEN 1 AND 1000000000"))
            .take(),
    ]
}

fn orders(c: Columns) -> Vec<TableCreateStatement> {
    let order = [
        key(c.uuid("id")),
        c.text("number"),
        c.text("status"),
        c.text("payment"),
        c.text("shipping"),
        c.uuid("cart_id"),
        nullable(c.text("owner")),
        nullable(c.text("customer_name")),
        nullable(c.text("customer_email")),
        c.amount("total_amount"),
        c.text("total_currency"),
        nullable(c.text("cancel_reason")),
        nullable(c.text("cancel_note")),
        c.count("version"),
        c.time("placed_at"),
        c.time("updated_at"),
    ];
    let item = [
        key(c.uuid("id")),
        c.uuid("order_id"),
        c.count("line"),
        c.uuid("product_id"),
        c.text("sku"),
        c.text("name"),
        c.amount("unit_amount"),
        c.count("quantity"),
        c.count("allocated"),
        c.count("shipped"),
        c.count("cancelled"),
    ];
    vec![
        c.table("order", order)
            .foreign_key(&mut reference("order", "cart_id", "cart", "id"))
            .check(check("status IN ('incomplete', 'complete', 'cancelled')"))
            .check(check("payment IN ('unpaid', 'in_progress', 'paid')"))
            .check(check("shipping IN ('unfulfilled', 'fulfilled')"))
            .check(check("status <> 'complete' OR payment = 'paid'"))
            .check(check("status <> 'cancelled' OR payment <> 'in_progress'"))
            .check(check("(cancel_reason IS NOT NULL) = (status = 'cancelled')"))
            .check(check("total_amount BETWEEN 0 AND 9007199254740991"))
            .take(),
        c.table("order_item", item)
            .foreign_key(&mut reference("order_item", "order_id", "order", "id"))
            .foreign_key(&mut reference("order_item", "product_id", "product", "id"))
            .check(check("quantity BETWEEN 1 AND 1000000000"))
            .check(check("allocated >= 0 AND shipped >= 0 AND cancelled >= 0"))
            .check(check("allocated + shipped + cancelled <= quantity"))
            .take(),
    ]
}

fn payments(c: Columns) -> Vec<TableCreateStatement> {
    let payment = [
        key(c.uuid("id")),
        c.uuid("order_id"),
        c.text("gateway"),
        c.text("method"),
        c.text("status"),
        c.amount("amount"),
        c.text("currency"),
        nullable(c.text("reference")),
        nullable(c.text("decline_reason")),
        nullable(c.text("action_kind")),
        nullable(c.text("action_url")),
        nullable(c.text("action_secret")),
        nullable(c.time("action_expires_at")),
        c.time("leased_until"),
        c.time("look_at"),
        c.count("looks"),
        nullable(c.text("key_scope")),
        nullable(c.text("key")),
        c.time("created_at"),
        c.time("updated_at"),
    ];
    let shipment = [
        key(c.uuid("id")),
        c.uuid("order_id"),
        nullable(c.text("carrier")),
        nullable(c.text("tracking_number")),
        c.time("shipped_at"),
    ];
    let item = [c.uuid("shipment_id"), c.uuid("order_item_id"), c.count("line"), c.count("quantity")];
    vec![
        c.table("payment", payment)
            .foreign_key(&mut reference("payment", "order_id", "order", "id"))
            .check(check("status IN ('in_progress', 'requires_action', 'succeeded', 'declined', 'voided')"))
            .check(check("status <> 'requires_action' OR (action_kind IS NOT NULL AND action_expires_at IS NOT NULL)"))
            .check(check("amount BETWEEN 0 AND 9007199254740991"))
            .take(),
        c.table("shipment", shipment).foreign_key(&mut reference("shipment", "order_id", "order", "id")).take(),
        c.table("shipment_item", item)
            .primary_key(Index::create().col("shipment_id").col("order_item_id"))
            .foreign_key(&mut reference("shipment_item", "shipment_id", "shipment", "id"))
            .foreign_key(&mut reference("shipment_item", "order_item_id", "order_item", "id"))
            .check(check("quantity >= 1"))
            .take(),
    ]
}

fn log(c: Columns) -> Vec<TableCreateStatement> {
    let row = [
        c.position("position"),
        c.uuid("id"),
        c.uuid("product_id"),
        c.count("sequence"),
        c.text("action"),
        c.count("quantity"),
        c.count("total_delta"),
        c.count("allocated_delta"),
        c.count("available_delta"),
        c.count("total_after"),
        c.count("allocated_after"),
        c.count("available_after"),
        c.text("reason"),
        nullable(c.text("note")),
        nullable(c.text("reference")),
        c.text("actor"),
        nullable(c.uuid("order_id")),
        c.uuid("operation_id"),
        c.time("created_at"),
    ];
    vec![
        c.table("stock_transaction", row)
            .foreign_key(&mut reference("stock_transaction", "product_id", "product", "id"))
            .foreign_key(&mut reference("stock_transaction", "order_id", "order", "id"))
            .check(check("sequence >= 1 AND quantity >= 0"))
            .check(check("allocated_after BETWEEN 0 AND total_after AND total_after <= 1000000000"))
            .check(check("available_after = total_after - allocated_after"))
            .check(check("available_delta = total_delta - allocated_delta"))
            .check(check(
                "(action IN ('create', 'increment') AND total_delta = quantity AND allocated_delta = 0) \
                 OR (action = 'decrement' AND total_delta = -quantity AND allocated_delta = 0) \
                 OR (action = 'allocate' AND total_delta = 0 AND allocated_delta = quantity) \
                 OR (action = 'deallocate' AND total_delta = 0 AND allocated_delta = -quantity) \
                 OR (action = 'ship' AND total_delta = -quantity AND allocated_delta = -quantity) \
                 OR (action = 'set' AND total_after = quantity AND allocated_delta = 0)",
            ))
            .take(),
    ]
}

/// What the server keeps for itself, and what the sandbox keeps.
fn own(c: Columns) -> Vec<TableCreateStatement> {
    let idempotency_key = [
        c.text("scope"),
        c.text("key"),
        c.text("mutation"),
        c.text("fingerprint"),
        nullable(c.uuid("payment_id")),
        nullable(c.text("answer")),
        c.time("created_at"),
    ];
    let charge = [
        key(c.uuid("payment_id")),
        c.text("fate"),
        c.time("due_at"),
        c.amount("amount"),
        c.count("requests"),
        c.time("created_at"),
    ];
    vec![
        c.table("idempotency_key", idempotency_key)
            .primary_key(Index::create().col("scope").col("key"))
            .check(check("answer IS NOT NULL OR payment_id IS NOT NULL"))
            .take(),
        c.table("sandbox_charge", charge)
            .check(check("fate IN ('charged', 'declined', 'pending', 'cancelled')"))
            .check(check("requests >= 0"))
            .take(),
    ]
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

fn unique(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index(name, table, columns).unique().take()
}

/// A unique index on a column that rows are updated with. PostgreSQL takes the columns of a plain one for keys that
/// others may refer to: an update that names them waits for whoever inserts a reference to the row, and the two may wait
/// for each other. With a condition, even one that always holds, an index is nobody's key.
fn unique_value(c: Columns, name: &'static str, table: &'static str, column: &'static str) -> IndexCreateStatement {
    let mut index = unique(name, table, &[column]);
    if c.0 == DbBackend::Postgres {
        index.and_where(Expr::col(column).is_not_null());
    }
    index
}

fn indexes(c: Columns) -> Vec<IndexCreateStatement> {
    vec![
        unique_value(c, "product_sku_key", "product", "sku_key"),
        unique_value(c, "product_slug", "product", "slug"),
        index("product_by_name", "product", &["name_key", "id"]),
        unique("stock_transaction_id", "stock_transaction", &["id"]),
        unique("stock_transaction_sequence", "stock_transaction", &["product_id", "sequence"]),
        index("stock_transaction_by_time", "stock_transaction", &["created_at", "product_id", "sequence"]),
        index("stock_transaction_by_order", "stock_transaction", &["order_id"]),
        index("cart_by_status", "cart", &["status", "updated_at"]),
        unique_value(c, "order_number", "order", "number"),
        unique_value(c, "order_cart", "order", "cart_id"),
        index("order_by_time", "order", &["placed_at", "id"]),
        index("order_by_owner", "order", &["owner", "placed_at", "id"]),
        unique("order_item_line", "order_item", &["order_id", "line"]),
        index("payment_by_order", "payment", &["order_id"]),
        index("payment_open", "payment", &["look_at"])
            .and_where(check("status IN ('in_progress', 'requires_action')"))
            .take(),
        // Charged at most once: the database, too, refuses a second attempt beside one that is open or has succeeded.
        unique("payment_one_at_a_time", "payment", &["order_id"])
            .and_where(check("status IN ('in_progress', 'requires_action', 'succeeded')"))
            .take(),
        index("shipment_by_order", "shipment", &["order_id"]),
        index("idempotency_key_by_time", "idempotency_key", &["created_at"]),
    ]
}

/// The log is append-only, whoever writes to the database. On PostgreSQL the next change sees to it.
async fn keep_log_append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    for verb in ["UPDATE", "DELETE"] {
        let name = verb.to_lowercase();
        manager
            .get_connection()
            .execute_unprepared(&format!(
                "CREATE TRIGGER stock_transaction_no_{name} BEFORE {verb} ON stock_transaction \
                 BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
            ))
            .await?;
    }
    Ok(())
}
