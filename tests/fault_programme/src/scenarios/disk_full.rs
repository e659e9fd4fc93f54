//! A disk that is full for some seconds, or almost full. Nothing that was acknowledged is lost, nothing that was refused is
//! there, and the shop sells again when there is room, without a restart of the server.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use rand::Rng;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::traffic::{Traffic, usual};
use super::{Need, Scenario, Size, Stage};
use crate::arguments::Kind;
use crate::clients::buyer::{End, Purchase, buy};
use crate::world::disk::Disk;
use crate::world::{Site, Wanted, World};

/// Clients.
const CLIENTS: usize = 16;

/// Megabytes of the disk: PostgreSQL itself has some forty.
const fn megabytes(kind: Kind) -> usize {
    match kind {
        Kind::Sqlite => 64,
        Kind::Postgres => 160,
    }
}

/// What PostgreSQL needs to live on a small disk.
const SETTINGS: &str = "-c shared_buffers=16MB -c min_wal_size=2MB -c max_wal_size=8MB";

/// Longest time until the shop sells again.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Room that is left on a disk that is almost full, in bytes.
const MAX_LEFT: u64 = 400_000;

#[derive(Debug)]
pub struct DiskFull;

const fn rounds(size: Size) -> usize {
    size.of(3, 40)
}

#[async_trait]
impl Scenario for DiskFull {
    fn name(&self) -> &'static str {
        "disk-full"
    }

    fn what(&self) -> &'static str {
        "a disk that is full, or almost full, for some seconds"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Sqlite, 1), (Kind::Postgres, 1)]
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Disk]
    }

    fn least(&self, size: Size) -> usize {
        rounds(size) * 50
    }

    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        let disk = Some(Disk::new(megabytes(wanted.kind))?);
        World::open_at(wanted, Site { disk, settings: SETTINGS, ..Site::default() }).await
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for turn in 0..rounds(stage.size) {
            traffic.more(3 * CLIENTS, Duration::from_secs(10)).await;
            let left = if turn % 3 == 1 { stage.dice.random_range(0..MAX_LEFT) } else { 0 };
            let until = Instant::now() + Duration::from_millis(stage.dice.random_range(500..3_000));
            stage.fault(format!("the disk is full but for {left} bytes"));
            disk(stage)?.fill()?;
            disk(stage)?.leave(left)?;
            while Instant::now() < until {
                sleep(PAUSE).await;
                if left == 0 {
                    disk(stage)?.fill()?;
                }
            }
            disk(stage)?.clear()?;
            stage.world.fault("the disk has room");
            sells_again(stage, &traffic.products[0]).await?;
        }
        traffic.more(3 * CLIENTS, Duration::from_secs(10)).await;
        traffic.end(stage).await
    }
}

fn disk(stage: &Stage) -> anyhow::Result<&Disk> {
    stage.world.site.disk.as_ref().context("a disk")
}

/// Waits until somebody can buy, starts PostgreSQL when it has ended, and never the server.
async fn sells_again(stage: &mut Stage, product: &str) -> anyhow::Result<()> {
    let api = stage.world.api()?;
    let deadline = Instant::now() + MAX_WAIT;
    while buy(&api, &Purchase::one(product)).await.1 != End::Paid {
        if let Some(cluster) = stage.world.cluster.as_ref().filter(|cluster| !cluster.is_running()) {
            block_in_place(|| cluster.resume());
            stage.fault("PostgreSQL had ended; it is started again");
        }
        if Instant::now() >= deadline {
            stage.unless(false, || "nobody can buy although the disk has room".to_owned());
            break;
        }
        sleep(PAUSE).await;
    }
    let is_running = stage.world.servers[0].is_running();
    stage.unless(is_running, || "the server ended because of a full disk".to_owned());
    Ok(())
}
