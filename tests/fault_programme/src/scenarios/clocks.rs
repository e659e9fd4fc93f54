//! Clocks that jump: each server's own clock is set to another time every second, an hour forth or back.

use std::time::Duration;

use async_trait::async_trait;

use super::traffic::{Traffic, bad};
use super::{Need, Scenario, Size, Stage};
use crate::world::{Wanted, World};
use rand::rngs::StdRng;

/// Clients.
const CLIENTS: usize = 16;

/// How far a clock jumps, in milliseconds.
const JUMP: u32 = 3_600_000;

#[derive(Debug)]
pub struct Clocks;

const fn steps(size: Size) -> usize {
    size.of(100, 4_000)
}

#[async_trait]
impl Scenario for Clocks {
    fn name(&self) -> &'static str {
        "clocks"
    }

    fn what(&self) -> &'static str {
        "clocks that jump by up to an hour, forth and back, every second"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Faults]
    }

    fn least(&self, size: Size) -> usize {
        steps(size)
    }

    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        let plan = format!("{};clock={JUMP}", wanted.plan);
        World::open(Wanted { plan, ..wanted }).await
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, ends_by_itself).await?;
        traffic.more(steps(stage.size), Duration::from_secs(stage.size.of(60, 1_200) as u64)).await;
        traffic.end(stage).await?;
        stage.fault("the clocks go right again");
        // A time that lies an hour ahead is waited for: the shop comes to rest with clocks that go right.
        let usual = stage.world.plan("clock=0");
        for server in &mut stage.world.servers {
            server.stop().await?;
            server.plan(&usual);
            server.start().await?;
        }
        Ok(())
    }
}

/// Every bad way of a gateway but those that wait for a shopper: what the shopper was told to wait for lies an hour ahead.
fn ends_by_itself(dice: &mut StdRng) -> String {
    loop {
        let token = bad(dice);
        if !token.starts_with("act") {
            return token;
        }
    }
}
