//! The rest of an order's life: money that is only authorized, refunds, partial shipments, returned units; and a table of the
//! operations on payments: captures, voids and refunds.
//!
//! SQLite cannot alter a CHECK constraint. It documents two ways: to copy the table, or, for a constraint that every row
//! fulfils, to edit the text of the table in `sqlite_schema`. The second is taken: it copies no order, keeps indexes, triggers
//! and foreign keys by not touching them, and is part of the transaction. Every new constraint allows what the old one allowed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

use crate::columns::{Columns, key, nullable, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// States of an order. `authorized` is the only payment of an order that is `processing`.
const ORDER_STATUS: &str = "status IN ('incomplete', 'processing', 'complete', 'cancelled')";
const ORDER_PAYMENT: &str =
    "payment IN ('unpaid', 'in_progress', 'authorized', 'paid', 'partially_refunded', 'refunded')";
const ORDER_SHIPPING: &str = "shipping IN ('unfulfilled', 'partially_fulfilled', 'fulfilled')";
const COMPLETE: &str = "status <> 'complete' OR payment IN ('paid', 'partially_refunded', 'refunded')";
const CANCELLED: &str = "(status <> 'cancelled' OR payment NOT IN ('in_progress', 'authorized')) \
     AND (status = 'processing') = (payment = 'authorized')";
const PAYMENT_STATUS: &str =
    "status IN ('in_progress', 'requires_action', 'authorized', 'succeeded', 'declined', 'voided')";
const REFUNDED: &str = "refunded BETWEEN 0 AND amount";
const OPERATIONS: &str = "operations >= 0";
const RETURNED: &str = "returned BETWEEN 0 AND shipped";
const SANDBOX_FATE: &str = "fate IN ('charged', 'authorized', 'declined', 'pending', 'cancelled')";

/// The constraints of before, as their text stands in a SQLite file: table, old text, new text.
const REPLACED: [(&str, &str, &str); 7] = [
    ("order", "status IN ('incomplete', 'complete', 'cancelled')", ORDER_STATUS),
    ("order", "payment IN ('unpaid', 'in_progress', 'paid')", ORDER_PAYMENT),
    ("order", "shipping IN ('unfulfilled', 'fulfilled')", ORDER_SHIPPING),
    ("order", "status <> 'complete' OR payment = 'paid'", COMPLETE),
    ("order", "status <> 'cancelled' OR payment <> 'in_progress'", CANCELLED),
    ("payment", "status IN ('in_progress', 'requires_action', 'succeeded', 'declined', 'voided')", PAYMENT_STATUS),
    ("sandbox_charge", "fate IN ('charged', 'declined', 'pending', 'cancelled')", SANDBOX_FATE),
];

/// The constraints of before on PostgreSQL, which has named them: table, and what the definition of each has in it.
const DROPPED: [(&str, &str); 3] = [
    ("\"order\"", "'(incomplete|unpaid|unfulfilled|complete|in_progress)'"),
    ("payment", "'declined'"),
    ("sandbox_charge", "'declined'"),
];

/// The constraints that PostgreSQL gets in their place: table, name, condition. The next change validates them, beside
/// whoever writes.
pub(crate) const ADDED: [(&str, &str, &str); 10] = [
    ("\"order\"", "order_status_known", ORDER_STATUS),
    ("\"order\"", "order_payment_known", ORDER_PAYMENT),
    ("\"order\"", "order_shipping_known", ORDER_SHIPPING),
    ("\"order\"", "order_complete_is_paid", COMPLETE),
    ("\"order\"", "order_states_agree", CANCELLED),
    ("payment", "payment_status_known", PAYMENT_STATUS),
    ("payment", "payment_refunded_in_range", REFUNDED),
    ("payment", "payment_operations_in_range", OPERATIONS),
    ("order_item", "order_item_returned_in_range", RETURNED),
    ("sandbox_charge", "sandbox_charge_fate_known", SANDBOX_FATE),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All of it or nothing, also on SQLite: a process may be ended at any moment.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        if manager.get_database_backend() == DbBackend::Sqlite {
            change_file(manager).await?;
        } else {
            change_server(manager).await?;
        }
        for table in [operations(columns), sandbox_operations(columns)] {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("payment_operation_by_order", "payment_operation", "order_id"),
            ("sandbox_operation_by_payment", "sandbox_operation", "payment_id"),
        ] {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        let running = || Expr::cust("status = 'in_progress'");
        let mut due =
            Index::create().name("payment_operation_open").table("payment_operation").col("look_at").to_owned();
        manager.create_index(due.and_where(running()).take()).await?;
        // One at a time: the database, too, refuses a second one beside one whose outcome is open.
        let mut one = Index::create().name("payment_operation_one_at_a_time").table("payment_operation").to_owned();
        manager.create_index(one.col("payment_id").unique().and_where(running()).take()).await
    }
}

async fn change_file(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for text in [
        "ALTER TABLE \"order\" ADD COLUMN held_until TEXT".to_owned(),
        format!("ALTER TABLE order_item ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK ({RETURNED})"),
        format!("ALTER TABLE payment ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0 CHECK ({REFUNDED})"),
        format!("ALTER TABLE payment ADD COLUMN operations INTEGER NOT NULL DEFAULT 0 CHECK ({OPERATIONS})"),
        "ALTER TABLE sandbox_charge ADD COLUMN token TEXT".to_owned(),
    ] {
        db.execute_unprepared(&text).await?;
    }
    let version: i64 = ask(manager, "PRAGMA schema_version").await?;
    db.execute_unprepared("PRAGMA writable_schema = ON").await?;
    for (table, old, new) in REPLACED {
        let [old, new] = [old, new].map(|text| text.replace('\'', "''"));
        let of_table = format!("type = 'table' AND name = '{table}'");
        let update = "UPDATE sqlite_schema SET sql = replace(sql";
        db.execute_unprepared(&format!("{update}, '{old}', '{new}') WHERE {of_table}")).await?;
        let found = format!("SELECT count(*) FROM sqlite_schema WHERE {of_table} AND instr(sql, '{new}') > 0");
        if ask(manager, &found).await? != 1 {
            return Err(DbErr::Custom(format!("the table {table} is not as the releases before made it")));
        }
    }
    // Other connections read the schema anew when its version is another one, and this one when it is told to.
    db.execute_unprepared(&format!("PRAGMA schema_version = {}", version + 1)).await?;
    db.execute_unprepared("PRAGMA writable_schema = RESET").await.map(drop)
}

async fn ask(manager: &SchemaManager<'_>, text: &str) -> Result<i64, DbErr> {
    let row = manager.get_connection().query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await?;
    row.map_or_else(|| Err(DbErr::RecordNotFound(text.to_owned())), |row| row.try_get_by_index(0))
}

async fn change_server(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for (table, has) in DROPPED {
        let has = has.replace('\'', "''");
        db.execute_unprepared(&format!(
            "DO $$ DECLARE found record; BEGIN \
             FOR found IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass \
             AND pg_get_constraintdef(oid) ~ '{has}' \
             LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', found.conname); END LOOP; END $$"
        ))
        .await?;
    }
    for text in [
        "ALTER TABLE \"order\" ADD COLUMN held_until timestamptz",
        "ALTER TABLE order_item ADD COLUMN returned integer NOT NULL DEFAULT 0",
        "ALTER TABLE payment ADD COLUMN refunded bigint NOT NULL DEFAULT 0, ADD COLUMN operations integer NOT NULL DEFAULT 0",
        "ALTER TABLE sandbox_charge ADD COLUMN token text",
    ] {
        db.execute_unprepared(text).await?;
    }
    for (table, name, condition) in ADDED {
        db.execute_unprepared(&format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"))
            .await?;
    }
    Ok(())
}

/// A capture, a void or a refund. It is there before the gateway is asked.
fn operations(c: Columns) -> TableCreateStatement {
    let operation = [
        key(c.uuid("id")),
        c.uuid("order_id"),
        c.uuid("payment_id"),
        c.text("kind"),
        c.text("status"),
        c.amount("amount"),
        nullable(c.text("restock")),
        nullable(c.text("reference")),
        nullable(c.text("failure_reason")),
        c.text("actor"),
        c.time("leased_until"),
        c.time("look_at"),
        c.count("looks"),
        nullable(c.text("key_scope")),
        nullable(c.text("key")),
        c.time("created_at"),
        c.time("updated_at"),
    ];
    c.table("payment_operation", operation)
        .foreign_key(&mut reference("payment_operation", "order_id", "order", "id"))
        .foreign_key(&mut reference("payment_operation", "payment_id", "payment", "id"))
        .check(Expr::cust("kind IN ('capture', 'void', 'forced_void', 'refund')"))
        .check(Expr::cust("status IN ('in_progress', 'succeeded', 'failed')"))
        .check(Expr::cust("amount BETWEEN 0 AND 9007199254740991"))
        .take()
}

/// What the sandbox was asked to capture and to refund.
fn sandbox_operations(c: Columns) -> TableCreateStatement {
    let operation = [
        key(c.uuid("operation_id")),
        c.uuid("payment_id"),
        c.text("kind"),
        c.text("fate"),
        c.time("due_at"),
        c.amount("amount"),
        c.count("requests"),
        c.time("created_at"),
    ];
    c.table("sandbox_operation", operation)
        .check(Expr::cust("kind IN ('capture', 'refund')"))
        .check(Expr::cust("fate IN ('done', 'refused', 'pending')"))
        .check(Expr::cust("requests >= 0"))
        .take()
}
