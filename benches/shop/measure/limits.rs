//! The limits of the machine, measured in the same run.

use anyhow::Result;

use super::Run;
use crate::arguments::DatabaseKind;
use crate::client::followers::{Changes, Follow};
use crate::client::load::{Load, Until, Work};
use crate::client::sqlite::Limit as SqliteLimit;
use crate::client::{Client, Job};
use crate::figures::{Figure, LIMIT};
use crate::limits::{Limit, bare, fanout, sql};
use crate::progress::say;
use crate::usage::Watched;

/// Names of the limits.
pub const SQL_HOT: &str = "PostgreSQL: one statement, one row, 64 connections";
pub const SQL_SPREAD: &str = "PostgreSQL: BEGIN ... COMMIT, 1,000 rows, 64 connections";
pub const SQLITE_HOT: &str = "SQLite: a commit per order, one row";
pub const SQLITE_SPREAD: &str = "SQLite: a commit per order, 1,000 rows";
pub const BARE: &str = "axum that answers ready bytes";
pub const FANOUT: &str = "websockets that send ready bytes";

impl Run<'_> {
    /// Commits as fast as the database takes them.
    pub async fn commit_limits(&mut self, kind: DatabaseKind) -> Result<()> {
        let (plan, seconds) = (self.plan, self.plan.limit);
        match (kind, self.cluster) {
            (DatabaseKind::Postgres, Some(cluster)) => {
                for (work, script) in [(SQL_HOT, sql::HOT), (SQL_SPREAD, sql::SPREAD)] {
                    let timing = sql::measure(cluster, script, plan.buyers, seconds).await?;
                    self.figures.add(Figure::rate(LIMIT, work, &timing, "orders/s"));
                }
            }
            _ => {
                for (work, products) in [(SQLITE_HOT, 1), (SQLITE_SPREAD, 1_000)] {
                    let folder = tempfile::tempdir_in(self.folder)?;
                    let file = folder.path().join("limit.db");
                    let timing = Client::run(&Job::Sqlite(SqliteLimit { file, products, seconds })).await?;
                    self.figures.add(Figure::rate(LIMIT, work, &timing, "orders/s"));
                }
            }
        }
        Ok(())
    }

    /// Answers requests without looking at them.
    pub async fn bare(&mut self) -> Result<()> {
        let limit = Limit::start(bare::ARGUMENT).await?;
        let load = Load {
            host: limit.host(0)?,
            connections: self.plan.readers,
            work: Work::Bare,
            until: Until::Seconds { warm_up: self.plan.warm_up, measured: self.plan.limit },
            watched: Watched { server: limit.id(), database: None },
        };
        let timing = Client::run(&Job::Load(load)).await?;
        self.figures.add(Figure::rate(LIMIT, BARE, &timing, "requests/s"));
        limit.stop().await
    }

    /// Sends to websockets what nobody had to look up.
    pub async fn fanout(&mut self) -> Result<()> {
        let plan = self.plan;
        say(&format!("{LIMIT}: opening {} websockets", plan.subscribers));
        let limit = Limit::start(fanout::ARGUMENT).await?;
        let changes = Changes { host: limit.host(1)?, rate: plan.rate, warm_up: plan.warm_up, measured: plan.follow };
        let follow = Follow {
            host: limit.host(0)?,
            subscribers: plan.subscribers,
            product: "product".to_owned(),
            stock: fanout::STOCK.to_owned(),
            others: Vec::new(),
            changes: Some(changes),
            watched: Watched { server: limit.id(), database: None },
        };
        let timing = Client::run(&Job::Follow(follow)).await?;
        self.figures.add(Figure::rate(LIMIT, FANOUT, &timing, "events/s"));
        limit.stop().await
    }
}
