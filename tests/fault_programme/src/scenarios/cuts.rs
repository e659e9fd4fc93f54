//! Connections to PostgreSQL that are cut around COMMIT: after it was sent and before its answer came, before it was sent,
//! and so that it arrives late.

use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;
use tokio::time::sleep;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::arguments::Kind;
use crate::world::proxy::Proxy;
use crate::world::{Wanted, World};

/// Clients.
const CLIENTS: usize = 16;

/// Longest time until a commit comes by that is to be cut.
const MAX_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Cuts;

const fn cuts(size: Size) -> usize {
    size.of(16, 400)
}

#[async_trait]
impl Scenario for Cuts {
    fn name(&self) -> &'static str {
        "cuts"
    }

    fn what(&self) -> &'static str {
        "connections that are cut between COMMIT and its answer"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Postgres, 1), (Kind::Postgres, 3)]
    }

    fn least(&self, size: Size) -> usize {
        cuts(size) * 15
    }

    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        World::prepare(wanted).await
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut proxies = Vec::new();
        let database = stage.world.database.clone();
        for _ in 0..stage.world.replicas() {
            let proxy = Proxy::before(&database).await;
            stage.world.start_one(&proxy.url).await?;
            proxies.push(proxy);
        }
        stage.world.note_gauges().await?;
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for _ in 0..cuts(stage.size) {
            traffic.more(CLIENTS, Duration::from_secs(5)).await;
            let proxy = &proxies[stage.dice.random_range(0..proxies.len())];
            let fault = match stage.dice.random_range(0..6) {
                0..3 => {
                    proxy.lose_answer_of_commit();
                    "the answer to a commit is lost"
                }
                3 => {
                    proxy.lose_commit();
                    "a commit is lost"
                }
                4 => {
                    let late = stage.dice.random_range(1..1_500);
                    proxy.delay_commit(Duration::from_millis(late));
                    "a commit arrives after its connection broke"
                }
                _ => {
                    proxy.cut();
                    sleep(Duration::from_millis(stage.dice.random_range(10..1_500))).await;
                    proxy.mend();
                    "everything is cut for a while"
                }
            };
            let cut = async {
                while !proxy.has_lost_answer() {
                    traffic.more(1, Duration::from_millis(50)).await;
                }
            };
            // Whoever is silent has no commit that could be cut.
            if tokio::time::timeout(MAX_WAIT, cut).await.is_ok() {
                stage.fault(fault);
            }
        }
        traffic.end(stage).await
    }
}
