//! One unit and 64 buyers who all have an order and all pay at once, again and again.

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{Scenario, Size, Stage};
use crate::clients::buyer::{self, End};

/// Buyers of each unit.
const BUYERS: usize = 64;

#[derive(Debug)]
pub struct LastUnit;

const fn rounds(size: Size) -> usize {
    size.of(8, 500)
}

#[async_trait]
impl Scenario for LastUnit {
    fn name(&self) -> &'static str {
        "last-unit"
    }

    fn what(&self) -> &'static str {
        "64 buyers pay at once for the last unit of a product; one gets it"
    }

    fn least(&self, size: Size) -> usize {
        rounds(size) * BUYERS * 3
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let api = stage.world.api()?;
        for round in 0..rounds(stage.size) {
            let product = api.product(&format!("LAST-{round}"), 1).await?;
            let lines = [(product.clone(), 1)];
            let orders = join_all((0..BUYERS).map(|_| buyer::order(&api, &lines))).await;
            let pay = async |order: Option<String>| match order {
                Some(order) => buyer::end_of(&buyer::pay(&api, &order, "manual", None).await),
                None => End::NotSold,
            };
            let ends = join_all(orders.into_iter().map(pay)).await;
            let sold = ends.iter().filter(|end| **end == End::Paid).count();
            stage.unless(sold == 1, || format!("round {round}: one unit was sold {sold} times"));
            api.read_stock(&product).await;
        }
        Ok(())
    }
}
