//! `kill -9` at random moments under load.

use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;
use tokio::time::sleep;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};

/// Clients.
const CLIENTS: usize = 16;

#[derive(Debug)]
pub struct Kills;

const fn kills(size: Size) -> usize {
    size.of(20, 80)
}

#[async_trait]
impl Scenario for Kills {
    fn name(&self) -> &'static str {
        "kills"
    }

    fn what(&self) -> &'static str {
        "servers that are killed at random moments while they sell"
    }

    fn least(&self, size: Size) -> usize {
        kills(size) * 20
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for _ in 0..kills(stage.size) {
            traffic.more(CLIENTS, Duration::from_secs(5)).await;
            sleep(Duration::from_millis(stage.dice.random_range(0..300))).await;
            let victim = stage.dice.random_range(0..stage.world.servers.len());
            stage.fault(format!("kill -9 of server {victim}"));
            stage.world.servers[victim].kill().await?;
            if stage.dice.random() {
                sleep(Duration::from_millis(stage.dice.random_range(0..300))).await;
            }
            stage.world.servers[victim].start().await?;
        }
        traffic.more(CLIENTS, Duration::from_secs(5)).await;
        traffic.end(stage).await
    }
}
