//! Outgoing webhooks: addresses that staff register, and the deliveries to them.
//!
//! Indexes of pending deliveries are partial: those that are over are many, and only listed and pruned.

use sea_orm_migration::prelude::*;

use crate::columns::{Columns, key, nullable};

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
        manager.create_table(webhooks(columns)).await?;
        manager.create_table(deliveries(columns)).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn webhooks(c: Columns) -> TableCreateStatement {
    let columns = [
        key(c.uuid("id")),
        c.text("url"),
        c.text("secret"),
        c.text("events"),
        c.flag("enabled"),
        nullable(c.text("disabled_reason")),
        nullable(c.time("failing_since")),
        c.count("failures"),
        nullable(c.uuid("last_failed")),
        c.time("retry_at"),
        c.time("resumed_at"),
        c.time("leased_until"),
        nullable(c.text("cursor")),
        c.time("created_at"),
        c.time("updated_at"),
    ];
    c.table("webhook", columns).check(Expr::cust("enabled = (disabled_reason IS NULL)")).take()
}

fn deliveries(c: Columns) -> TableCreateStatement {
    let columns = [
        c.position("position"),
        c.uuid("id"),
        c.uuid("webhook_id"),
        c.text("event"),
        c.uuid("thing"),
        c.text("data"),
        c.text("status"),
        c.count("attempts"),
        c.time("next_attempt_at"),
        nullable(c.time("attempted_at")),
        nullable(c.time("failing_since")),
        nullable(c.count("response_status")),
        nullable(c.text("error")),
        c.time("created_at"),
        nullable(c.time("delivered_at")),
    ];
    c.table("webhook_delivery", columns)
        .check(Expr::cust("status IN ('pending', 'delivered', 'failed')"))
        .check(Expr::cust("(status = 'delivered') = (delivered_at IS NOT NULL)"))
        .take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table("webhook_delivery");
        for column in columns {
            index.col(*column);
        }
        index
    };
    let pending = || Expr::cust("status = 'pending'");
    vec![
        index("webhook_delivery_id", &["id"]).unique().take(),
        index("webhook_delivery_by_webhook", &["webhook_id", "position"]).take(),
        index("webhook_delivery_pending", &["webhook_id", "thing", "position"]).and_where(pending()).take(),
        index("webhook_delivery_due", &["webhook_id", "next_attempt_at", "position"]).and_where(pending()).take(),
        index("webhook_delivery_tried", &["webhook_id", "attempted_at", "position"]).and_where(pending()).take(),
        index("webhook_delivery_by_time", &["created_at"]).take(),
    ]
}
