//! Clocks that jump: each server's own clock is set to another time every second, an hour forth or back.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::traffic::{Traffic, bad};
use super::{Need, Scenario, Size, Stage};
use crate::clients::{Api, CANCEL_ORDER, buyer};
use crate::world::{Wanted, World};

/// Clients.
const CLIENTS: usize = 16;

/// How far a clock jumps, in milliseconds.
const JUMP: u32 = 3_600_000;

/// Longest time until orders are cancelled.
const MAX_HELD: Duration = Duration::from_mins(1);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

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
        let_go(stage).await
    }
}

/// Cancels the orders that hold units until a time that lies an hour ahead, as staff would who see them.
async fn let_go(stage: &mut Stage) -> anyhow::Result<()> {
    let api = stage.world.api()?;
    let deadline = Instant::now() + MAX_HELD;
    while Instant::now() < deadline {
        let held = held(&api).await?;
        if held.is_empty() {
            return Ok(());
        }
        for order in held {
            // One that is being paid is not cancelled now, and holds its units again if that fails.
            buyer::insist(&api, CANCEL_ORDER, json!({ "orderId": order }), true).await;
        }
        sleep(PAUSE).await;
    }
    stage.unless(false, || "orders hold their units although staff cancel them".to_owned());
    Ok(())
}

/// Orders that hold units for a time.
async fn held(api: &Api) -> anyhow::Result<Vec<String>> {
    let query = "query($after: String) { orders(first: 100, after: $after) { \
        pageInfo { hasNextPage endCursor } nodes { id heldUntil } } }";
    let (mut held, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = api.ask(query, json!({ "after": after })).await.context("a page of orders")?;
        let orders = page["orders"]["nodes"].as_array().into_iter().flatten();
        let orders = orders.filter(|order| !order["heldUntil"].is_null());
        held.extend(orders.filter_map(|order| order["id"].as_str().map(str::to_owned)));
        if page["orders"]["pageInfo"]["hasNextPage"] != true {
            return Ok(held);
        }
        after = page["orders"]["pageInfo"]["endCursor"].clone();
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
