//! A PostgreSQL that crashes under load, with numbers of transactions spent above the last one that was committed: after a
//! crash they are given out again.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use rand::Rng;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tokio::time::sleep;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::arguments::Kind;

/// Clients.
const CLIENTS: usize = 16;

/// Numbers of transactions that are spent before a crash.
const SPENT: usize = 500;

#[derive(Debug)]
pub struct Crashes;

const fn crashes(size: Size) -> usize {
    size.of(3, 40)
}

#[async_trait]
impl Scenario for Crashes {
    fn name(&self) -> &'static str {
        "crashes"
    }

    fn what(&self) -> &'static str {
        "a PostgreSQL that crashes and comes back, with numbers of transactions that are used twice"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Postgres, 1), (Kind::Postgres, 3)]
    }

    fn least(&self, size: Size) -> usize {
        crashes(size) * 40
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for turn in 0..crashes(stage.size) {
            traffic.more(3 * CLIENTS, Duration::from_secs(10)).await;
            if turn % 2 == 0 {
                spend(&stage.world.database).await?;
            }
            stage.fault("PostgreSQL crashes");
            let down = Duration::from_millis(stage.dice.random_range(0..2_000));
            let cluster = stage.world.cluster.take().context("a PostgreSQL of its own")?;
            let cluster = tokio::task::spawn_blocking(move || {
                cluster.stop("immediate");
                std::thread::sleep(down);
                cluster.resume();
                cluster
            });
            stage.world.cluster = Some(cluster.await?);
            sleep(Duration::from_millis(stage.dice.random_range(0..500))).await;
        }
        traffic.more(3 * CLIENTS, Duration::from_secs(10)).await;
        traffic.end(stage).await
    }
}

/// Spends numbers of transactions that leave nothing behind.
async fn spend(database: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(database);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    for _ in 0..SPENT {
        db.execute_unprepared("BEGIN; SELECT pg_current_xact_id(); ROLLBACK").await?;
    }
    db.close().await.map_err(Into::into)
}
