//! The schema of the database, one file per change. What is published here is never edited, only followed by another.
//!
//! CHECK constraints and foreign keys live here: the second place, beside `domain`, where the rules of stock stand.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod columns;
mod m20261125_000001_first;
mod m20261125_000002_feed;
mod m20261126_000003_commit_token;
mod m20261126_000004_search;
mod m20261126_000008_decline_code;
mod m20261128_000011_log_filters;
mod m20261128_000012_order_life;
mod m20261128_000013_one_payment;
mod m20261128_000014_demand;
mod m20261128_000014_webhooks;
mod m20261128_000016_holds;

/// Every change, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261125_000001_first::Migration),
            Box::new(m20261125_000002_feed::Migration),
            Box::new(m20261126_000003_commit_token::Migration),
            Box::new(m20261126_000004_search::Migration),
            Box::new(m20261126_000008_decline_code::Migration),
            Box::new(m20261128_000011_log_filters::Migration),
            Box::new(m20261128_000012_order_life::Migration),
            Box::new(m20261128_000013_one_payment::Migration),
            Box::new(m20261128_000014_demand::Migration),
            Box::new(m20261128_000014_webhooks::Migration),
            Box::new(m20261128_000016_holds::Migration),
        ]
    }
}
