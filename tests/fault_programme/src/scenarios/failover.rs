//! Failovers: a standby is promoted while the name of the database still leads to the old primary; then the name moves. What
//! was acknowledged must be there when the standby was synchronous. An asynchronous one may lack the last commits.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use checker::journal::Record;
use rand::Rng;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::arguments::Kind;
use crate::world::cluster::Cluster;
use crate::world::proxy::Proxy;
use crate::world::{Site, Wanted, World, complaints_of};

/// Clients.
const CLIENTS: usize = 16;

/// What a standby needs that comes while there is much to do.
const SETTINGS: &str = "-c synchronous_commit=on -c wal_keep_size=512MB";

/// Longest time until a standby follows.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Failover {
    /// Whether a commit waits until the standby has it.
    pub is_synchronous: bool,
    /// Whether the old primary crashes and comes back before the name moves.
    pub comes_back: bool,
}

const fn failovers(size: Size) -> usize {
    size.of(1, 12)
}

#[async_trait]
impl Scenario for Failover {
    fn name(&self) -> &'static str {
        match (self.is_synchronous, self.comes_back) {
            (true, false) => "failover",
            (true, true) => "failover-back",
            (false, _) => "failover-async",
        }
    }

    fn what(&self) -> &'static str {
        match (self.is_synchronous, self.comes_back) {
            (true, false) => "a synchronous standby that is promoted while the name still leads to the old primary",
            (true, true) => "the same, and the old primary crashes and comes back before the name moves",
            (false, _) => "an asynchronous standby that is promoted, without the last commits",
        }
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Postgres, 1), (Kind::Postgres, 3)]
    }

    fn least(&self, size: Size) -> usize {
        failovers(size) * 200
    }

    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        World::prepare_at(wanted, Site { settings: SETTINGS, ..Site::default() }).await
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut standby = self.standby(&stage.world).await?;
        let name = Proxy::before(&stage.world.database).await;
        stage.world.start_all(&name.url).await?;
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        let count = failovers(stage.size);
        for turn in 1..=count {
            traffic.more(6 * CLIENTS, Duration::from_secs(10)).await;
            self.fail_over(stage, &name, standby).await?;
            traffic.more(6 * CLIENTS, Duration::from_secs(20)).await;
            if turn == count {
                break;
            }
            standby = self.standby(&stage.world).await?;
        }
        traffic.end(stage).await
    }
}

impl Failover {
    /// Moves from the primary to the standby.
    async fn fail_over(&self, stage: &mut Stage, name: &Proxy, standby: Cluster) -> anyhow::Result<()> {
        let old = stage.world.cluster.take().context("a primary")?;
        stage.world.journal().write(&Record::TakenOver);
        if !self.is_synchronous {
            stage.world.journal().write(&Record::SetBack);
        }
        let (is_first_dead, is_dead) =
            (stage.dice.random_ratio(1, 3) && !self.comes_back, stage.dice.random_ratio(1, 2));
        if is_first_dead {
            stage.fault("the primary crashes");
            block_in_place(|| old.stop("immediate"));
        }
        stage.fault("the standby is promoted; the name still leads to the old primary");
        block_in_place(|| standby.promote());
        sleep(Duration::from_millis(stage.dice.random_range(0..4_000))).await;
        if self.comes_back {
            // What waits for the standby is on its disk, and nobody waits any more when it is back.
            stage.fault("the old primary crashes and comes back");
            stage.world.journal().write(&Record::ShowsMore);
            block_in_place(|| {
                old.stop("immediate");
                old.resume();
            });
            sleep(Duration::from_millis(stage.dice.random_range(1_000..4_000))).await;
        }
        if is_dead && !is_first_dead {
            stage.fault("the old primary crashes");
            block_in_place(|| old.stop("immediate"));
        }
        stage.fault("the name leads to the new primary");
        stage.world.database = standby.url("shop");
        name.lead_to(&stage.world.database);
        stage.world.cluster = Some(standby);
        sleep(Duration::from_millis(stage.dice.random_range(0..1_000))).await;
        stage.violations.extend(complaints_of(&old));
        block_in_place(|| drop(old));
        stage.world.journal().write(&Record::Moved);
        Ok(())
    }

    /// A standby of the primary, which follows it. Afterwards no commit is acknowledged without it, if it is to be so.
    async fn standby(&self, world: &World) -> anyhow::Result<Cluster> {
        let primary = world.cluster.as_ref().context("a primary")?;
        let standby = block_in_place(|| primary.standby());
        let mut options = ConnectOptions::new(&world.database);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await?;
        let wanted = if self.is_synchronous {
            db.execute_unprepared("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
            db.execute_unprepared("SELECT pg_reload_conf()").await?;
            "sync_state = 'sync'"
        } else {
            "state = 'streaming'"
        };
        let deadline = Instant::now() + MAX_WAIT;
        while !follows(&db, wanted).await? {
            ensure!(Instant::now() < deadline, "the standby does not follow: {}", standby.log());
            sleep(PAUSE).await;
        }
        db.close().await?;
        Ok(standby)
    }
}

/// Whether a standby is as wanted.
async fn follows(db: &DatabaseConnection, wanted: &str) -> anyhow::Result<bool> {
    let query = format!("SELECT 1 FROM pg_stat_replication WHERE application_name = 'standby' AND {wanted}");
    Ok(db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await?.is_some())
}
