//! A rolling restart under load: one server after the other is stopped in order and started again.

use std::time::Duration;

use async_trait::async_trait;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::arguments::Kind;

/// Clients.
const CLIENTS: usize = 16;

#[derive(Debug)]
pub struct Rolling;

const fn rounds(size: Size) -> usize {
    size.of(2, 30)
}

#[async_trait]
impl Scenario for Rolling {
    fn name(&self) -> &'static str {
        "rolling"
    }

    fn what(&self) -> &'static str {
        "servers that are stopped in order and started again, one after the other, under load"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Sqlite, 1), (Kind::Postgres, 3)]
    }

    fn least(&self, size: Size) -> usize {
        rounds(size) * 50
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for _ in 0..rounds(stage.size) {
            for at in 0..stage.world.servers.len() {
                traffic.more(CLIENTS, Duration::from_secs(5)).await;
                stage.fault(format!("server {at} is stopped"));
                let server = &mut stage.world.servers[at];
                server.stop().await?;
                server.start().await?;
            }
        }
        traffic.end(stage).await
    }
}
