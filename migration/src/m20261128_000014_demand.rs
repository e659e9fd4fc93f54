//! The demand for products: units in open carts and in unpaid orders, filled with what is there. And two indexes: which items
//! of orders hold units of a product, and which unpaid orders were left longest.
//!
//! Nothing refers to the table, and it refers to nothing: whoever adds to the demand for a product waits for nobody who sells it.
//!
//! Tables that have rows are written to meanwhile: PostgreSQL builds the indexes beside its writers, outside a transaction.
//! What an interrupted build left over is replaced by the next one.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::columns::Columns;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Each index with its table, its columns and its condition.
const INDEXES: [(&str, &str, &str, &str); 2] = [
    ("order_item_held", "order_item", "product_id, id", "allocated > 0"),
    ("order_unpaid", "order", "updated_at", "payment = 'unpaid' AND status = 'incomplete'"),
];

/// Rows of one batch, which upkeep merges.
const UNMERGED: &str = "CREATE INDEX IF NOT EXISTS stock_demand_unmerged ON stock_demand (product_id) \
    WHERE batch <> '00000000-0000-0000-0000-000000000000'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// PostgreSQL builds no index beside writers within a transaction. Each step is done or not, and is not done twice.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        let c = Columns(manager.get_database_backend());
        let demand = [c.uuid("product_id"), c.uuid("batch"), c.amount("in_carts"), c.amount("in_unpaid_orders")];
        let key = &mut Index::create().col("product_id").col("batch").take();
        manager.create_table(c.table("stock_demand", demand).primary_key(key).if_not_exists().take()).await?;
        if is_postgres {
            db.execute_unprepared(UNMERGED).await?;
        }
        fill(db, if is_postgres { "'00000000-0000-0000-0000-000000000000'::uuid" } else { "zeroblob(16)" }).await?;
        let is_beside_writers = is_postgres && has_carts(db).await?;
        for (name, table, columns, condition) in INDEXES {
            let mut how = "";
            if is_beside_writers {
                how = "CONCURRENTLY";
                prepare(db, name).await?;
            }
            let text = format!("CREATE INDEX {how} IF NOT EXISTS {name} ON \"{table}\" ({columns}) WHERE {condition}");
            db.execute_unprepared(&text).await?;
            if is_beside_writers {
                db.execute_unprepared("RESET lock_timeout").await?;
            }
        }
        Ok(())
    }
}

/// Counts what is there, once. What a release that does not count writes meanwhile is added by the next recount.
async fn fill(db: &impl ConnectionTrait, merged: &str) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO stock_demand (product_id, batch, in_carts, in_unpaid_orders) \
         SELECT product_id, {merged}, sum(in_carts), sum(in_unpaid_orders) FROM (\
         SELECT i.product_id, i.quantity AS in_carts, 0 AS in_unpaid_orders \
         FROM cart_item i JOIN cart c ON c.id = i.cart_id WHERE c.status = 'open' \
         UNION ALL SELECT i.product_id, 0, i.quantity FROM order_item i JOIN \"order\" o ON o.id = i.order_id \
         WHERE o.payment = 'unpaid' AND o.status <> 'cancelled') AS wanted \
         WHERE NOT EXISTS (SELECT 1 FROM stock_demand) GROUP BY product_id"
    );
    db.execute_unprepared(&text).await.map(drop)
}

/// Whether anybody has bought, or begun to.
async fn has_carts(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(db.query_one_raw(ask(db, "SELECT 1 FROM cart LIMIT 1")).await?.is_some())
}

/// Waits for transactions that are open, however long they are, and takes away what is half built.
async fn prepare(db: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    db.execute_unprepared("SET lock_timeout = 0").await?;
    let broken = format!("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid");
    if db.query_one_raw(ask(db, &broken)).await?.is_some() {
        db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
    }
    Ok(())
}

fn ask(db: &impl ConnectionTrait, text: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), text)
}
