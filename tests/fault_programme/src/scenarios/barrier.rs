//! Pay, cancel, ship and adjust on one order, at a barrier: every pair and every triple, in both states of the order, across
//! replicas, with a gateway that takes its time.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use rand::Rng;
use serde_json::json;
use tokio::sync::Barrier as Start;

use super::{Scenario, Size, Stage};
use crate::clients::{ADJUST_STOCK, Api, CANCEL_ORDER, PAY_ORDER, SHIP_ORDER, buyer, fresh};

/// Longest time that the gateway takes, in milliseconds.
const MAX_DELAY: u32 = 200;

/// What others hold of the product, so that nothing that is released twice goes below zero.
const HELD_BY_OTHERS: i32 = 20;

#[derive(Debug)]
pub struct Barrier;

#[derive(Debug, Clone, Copy)]
enum Step {
    Pay,
    Cancel,
    Ship,
    Adjust,
}

const STEPS: [Step; 4] = [Step::Pay, Step::Cancel, Step::Ship, Step::Adjust];

/// Every pair and every triple, a step twice or three times among them.
fn combinations() -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    for (a, first) in STEPS.iter().enumerate() {
        for (b, second) in STEPS.iter().enumerate().skip(a) {
            all.push(vec![*first, *second]);
            for third in &STEPS[b..] {
                all.push(vec![*first, *second, *third]);
            }
        }
    }
    all
}

const fn rounds(size: Size) -> usize {
    size.of(1, 30)
}

#[async_trait]
impl Scenario for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }

    fn what(&self) -> &'static str {
        "every pair and triple of pay, cancel, ship and adjust on one order, at the same moment"
    }

    fn least(&self, size: Size) -> usize {
        combinations().len() * 2 * rounds(size) * 4
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let api = stage.world.api()?;
        for round in 0..rounds(stage.size) {
            let product = api.product(&format!("RACE-{round}"), 100_000).await?;
            if let Some(order) = buyer::order(&api, &[(product.clone(), HELD_BY_OTHERS)]).await {
                buyer::pay(&api, &order, "manual", None).await;
            }
            for steps in combinations() {
                for is_paid in [false, true] {
                    race(stage, &api, &product, &steps, is_paid).await;
                }
            }
        }
        Ok(())
    }
}

async fn race(stage: &mut Stage, api: &Api, product: &str, steps: &[Step], is_paid: bool) {
    let Some(order) = buyer::order(api, &[(product.to_owned(), 2)]).await else { return };
    if is_paid {
        buyer::pay(api, &order, "remote", Some("ok")).await;
    }
    let start = Arc::new(Start::new(steps.len()));
    let from = stage.dice.random_range(0..api.servers().len());
    let racers = steps.iter().enumerate().map(|(at, step)| {
        let delay = stage.dice.random_range(0..=MAX_DELAY);
        let (api, product, order, start, step) =
            (api.clone(), product.to_owned(), order.clone(), Arc::clone(&start), *step);
        let server = api.servers()[(from + at) % api.servers().len()].clone();
        async move {
            start.wait().await;
            let (mutation, input) = match step {
                Step::Pay => {
                    (PAY_ORDER, json!({ "orderId": order, "gateway": "remote", "token": format!("slow:{delay}") }))
                }
                Step::Cancel => (CANCEL_ORDER, json!({ "orderId": order })),
                Step::Ship => (SHIP_ORDER, json!({ "orderId": order })),
                Step::Adjust => {
                    let change = json!({ "productId": product, "action": "DECREMENT", "quantity": 1 });
                    (ADJUST_STOCK, json!({ "changes": [change], "note": fresh("adjust") }))
                }
            };
            api.change_at(&server, mutation, input).await;
        }
    });
    join_all(racers).await;
    api.read_stock(product).await;
}
