//! Orders of several products in any order, with repeats: whoever locks them does so in one order, so nobody waits for each
//! other. PostgreSQL's own log tells.

use async_trait::async_trait;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{Scenario, Size, Stage};
use crate::arguments::Kind;
use crate::clients::{CANCEL_ORDER, SHIP_ORDER, buyer};

/// Clients.
const CLIENTS: usize = 64;

/// Products.
const PRODUCTS: usize = 5;

#[derive(Debug)]
pub struct Deadlocks;

const fn rounds(size: Size) -> usize {
    size.of(8, 100)
}

#[async_trait]
impl Scenario for Deadlocks {
    fn name(&self) -> &'static str {
        "deadlocks"
    }

    fn what(&self) -> &'static str {
        "64 clients order five products in any order, with repeats; nobody waits for each other"
    }

    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Postgres, 1), (Kind::Postgres, 3)]
    }

    fn least(&self, size: Size) -> usize {
        rounds(size) * CLIENTS * 3
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let api = stage.world.api()?;
        let mut products = Vec::new();
        for number in 0..PRODUCTS {
            products.push(api.product(&format!("P{number}"), 1_000_000).await?);
        }
        let rounds = rounds(stage.size);
        let clients = (0..CLIENTS).map(|_| {
            let (api, products) = (api.clone(), products.clone());
            let mut dice = StdRng::seed_from_u64(stage.dice.random());
            async move {
                for _ in 0..rounds {
                    let count = dice.random_range(2..=5);
                    let line = |_| (products[dice.random_range(0..PRODUCTS)].clone(), 1);
                    let lines: Vec<(String, i32)> = (0..count).map(line).collect();
                    let Some(order) = buyer::order(&api, &lines).await else { continue };
                    buyer::pay(&api, &order, "manual", None).await;
                    let after = if dice.random() { CANCEL_ORDER } else { SHIP_ORDER };
                    api.change(after, json!({ "orderId": order })).await;
                }
            }
        });
        join_all(clients).await;
        Ok(())
    }
}
