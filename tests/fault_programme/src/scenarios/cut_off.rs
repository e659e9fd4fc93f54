//! A replica that is cut off from its database without a word: packets vanish, and no connection is reset. The others go on,
//! although it may have died with rows locked; and when the link is back, so is the replica.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use rand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::traffic::{Traffic, usual};
use super::{Need, Scenario, Size, Stage};
use crate::arguments::Kind;
use crate::clients::{ADJUST_STOCK, done, fresh};
use crate::world::network::Network;
use crate::world::{Site, Wanted, World};

/// Clients.
const CLIENTS: usize = 16;

/// Longest time until a replica takes changes: the others while one is cut off, and that one when its link is back.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct CutOff;

const fn cuts(size: Size) -> usize {
    size.of(2, 12)
}

#[async_trait]
impl Scenario for CutOff {
    fn name(&self) -> &'static str {
        "cut-off"
    }

    fn what(&self) -> &'static str {
        "a replica in a network of its own that is cut off from its database without a reset"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Postgres, 3)]
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Network]
    }

    fn least(&self, size: Size) -> usize {
        cuts(size) * 100
    }

    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        World::prepare_at(wanted, Site { network: Some(Network::new()?), ..Site::default() }).await
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let database = stage.world.database.clone();
        for _ in 1..stage.world.replicas() {
            stage.world.start_one(&database).await?;
        }
        let mut far = stage.world.server_in_network()?;
        far.start().await?;
        let far_url = far.url.clone();
        stage.world.servers.push(far);
        stage.world.note_gauges().await?;
        let near_url = stage.world.servers[0].url.clone();
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        for turn in 0..cuts(stage.size) {
            traffic.more(2 * CLIENTS, Duration::from_secs(3)).await;
            // The short form has both kinds.
            let is_link = turn % 2 == 1;
            let (least, most) = (stage.size.of(3_000, 5_000) as u64, stage.size.of(4_000, 60_000) as u64);
            let until = Instant::now() + Duration::from_millis(stage.dice.random_range(least..most));
            cut(stage, is_link)?;
            takes_changes(stage, &near_url, &traffic.products, "another replica is cut off").await?;
            tokio::time::sleep_until(until).await;
            mend(stage, is_link)?;
            takes_changes(stage, &far_url, &traffic.products, "its link is back").await?;
        }
        traffic.more(2 * CLIENTS, Duration::from_secs(3)).await;
        traffic.end(stage).await
    }
}

fn cut(stage: &mut Stage, is_link: bool) -> anyhow::Result<()> {
    let network = stage.world.site.network.as_ref().context("a network")?;
    if is_link {
        network.link(false)?;
        stage.fault("the link of a replica is down");
    } else {
        network.swallow()?;
        stage.fault("nothing comes through between a replica and its database");
    }
    Ok(())
}

fn mend(stage: &mut Stage, is_link: bool) -> anyhow::Result<()> {
    let network = stage.world.site.network.as_ref().context("a network")?;
    if is_link {
        network.link(true)?;
    } else {
        network.restore()?;
    }
    stage.world.fault("the link is back");
    Ok(())
}

/// Waits until a server takes a change of each product.
async fn takes_changes(stage: &mut Stage, server: &str, products: &[String], when: &str) -> anyhow::Result<()> {
    let api = stage.world.api()?;
    let deadline = Instant::now() + MAX_WAIT;
    for product in products {
        let changes = [json!({ "productId": product, "action": "INCREMENT", "quantity": 1 })];
        let input =
            json!({ "changes": changes, "reason": "RECEIVED", "note": fresh("seen"), "idempotencyKey": fresh("key") });
        while done(&api.change_at(server, ADJUST_STOCK, input.clone()).await).is_none() {
            if Instant::now() >= deadline {
                stage.unless(false, || format!("{server} takes no changes although {when}"));
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}
