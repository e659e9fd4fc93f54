//! A server that ends at a named point: around every step of paying, of captures, voids and refunds, and of a batch.

use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;

use super::traffic::{Traffic, bad};
use super::{Need, Scenario, Size, Stage};

/// Clients.
const CLIENTS: usize = 24;

/// Longest time until somebody comes to the point.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// Most times that others pass a point before the process ends there.
const MAX_PASSES: u32 = 10;

/// The points of a server, the most dangerous ones last: those between the gateway's word and the commit.
const POINTS: [&str; 17] = [
    "writer.begun",
    "writer.decided",
    "writer.announced",
    "recovery.claimed",
    "operation.claimed",
    "pay.asked",
    "pay.settled",
    "operation.settled",
    "webhook.sending",
    "webhook.sent",
    "pay.begun",
    "pay.charged",
    "recovery.answered",
    "operation.begun",
    "operation.answered",
    "writer.saved",
    "writer.committed",
];

/// So many of them, from the end, where three servers take their time to start.
const OF_THREE: usize = 7;

#[derive(Debug)]
pub struct Points;

const fn rounds(size: Size) -> usize {
    size.of(1, 8)
}

#[async_trait]
impl Scenario for Points {
    fn name(&self) -> &'static str {
        "points"
    }

    fn what(&self) -> &'static str {
        "a server that ends at a named point around the steps of paying, capturing, voiding, refunding and of a batch"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Faults]
    }

    fn least(&self, size: Size) -> usize {
        OF_THREE * rounds(size) * 20
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, bad).await?;
        let skipped = if stage.world.replicas() == 1 { 0 } else { POINTS.len() - OF_THREE };
        for _ in 0..rounds(stage.size) {
            for point in &POINTS[skipped..] {
                end_at(stage, &traffic, point).await?;
            }
        }
        traffic.end(stage).await
    }
}

/// Has a server end at a point, and starts it again.
async fn end_at(stage: &mut Stage, traffic: &Traffic, point: &str) -> anyhow::Result<()> {
    let victim = stage.dice.random_range(0..stage.world.servers.len());
    let is_rare = point.starts_with("recovery") || point.starts_with("operation");
    let passes = if is_rare { 1 } else { stage.dice.random_range(1..=MAX_PASSES) };
    let (armed, usual) = (stage.world.plan(&format!("abort={point}:{passes}")), stage.world.plan(""));
    stage.fault(format!("server {victim} ends at {point}, the time {passes}"));
    let server = &mut stage.world.servers[victim];
    server.kill().await?;
    server.plan(&armed);
    server.begin()?;
    let deadline = tokio::time::Instant::now() + MAX_WAIT;
    while server.ended()?.is_none() && tokio::time::Instant::now() < deadline {
        traffic.more(1, Duration::from_millis(100)).await;
    }
    anyhow::ensure!(server.ended()?.is_some(), "nobody came to {point} in time");
    server.plan(&usual);
    server.start().await?;
    traffic.more(CLIENTS / 2, Duration::from_secs(3)).await;
    Ok(())
}
