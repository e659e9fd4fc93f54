//! A gateway in each of its bad ways, under load, until recovery has brought every payment to its end.

use std::time::Duration;

use async_trait::async_trait;

use super::traffic::{Traffic, bad};
use super::{Scenario, Size, Stage};

/// Clients.
const CLIENTS: usize = 48;

#[derive(Debug)]
pub struct Gateways;

const fn steps(size: Size) -> usize {
    size.of(200, 6_000)
}

#[async_trait]
impl Scenario for Gateways {
    fn name(&self) -> &'static str {
        "gateways"
    }

    fn what(&self) -> &'static str {
        "a gateway that is slow, late, silent, lost, or wrong; every payment comes to its end"
    }

    fn least(&self, size: Size) -> usize {
        steps(size) * 2
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, bad).await?;
        traffic.more(steps(stage.size), Duration::from_secs(stage.size.of(60, 1_200) as u64)).await;
        traffic.end(stage).await
    }
}
