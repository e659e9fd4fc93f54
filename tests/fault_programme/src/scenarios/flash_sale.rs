//! Many more buyers than units, a third of whom are declined. In the end everything is sold, exactly.

use async_trait::async_trait;
use checker::database::Shop;
use futures_util::{StreamExt, stream};
use rand::Rng;

use super::{Scenario, Size, Stage};
use crate::clients::buyer::{self, End, Purchase};
use crate::clients::{Api, rest};

/// Buyers who are in the shop at the same time.
const AT_ONCE: usize = 200;

/// Declined, of a hundred.
const DECLINED: u32 = 30;

#[derive(Debug)]
pub struct FlashSale;

#[async_trait]
impl Scenario for FlashSale {
    fn name(&self) -> &'static str {
        "flash-sale"
    }

    fn what(&self) -> &'static str {
        "twenty buyers for each unit, 30 % of payments declined; everything is sold, nothing twice"
    }

    fn least(&self, size: Size) -> usize {
        size.of(2_000, 20_000)
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let (units, buyers) = (stage.size.of(100, 1_000), stage.size.of(2_000, 20_000));
        let api = stage.world.api()?;
        let product = api.product("SALE", i32::try_from(units)?).await?;
        let purchase = |token: &str| Purchase::one(&product).through_gateway(token);
        let mut token = || if stage.dice.random_range(0..100) < DECLINED { "decline" } else { "ok" };
        let purchases: Vec<(Api, Purchase)> = (0..buyers).map(|_| (api.clone(), purchase(token()))).collect();
        let bought = stream::iter(purchases).map(buy);
        bought.buffer_unordered(AT_ONCE).for_each(|_| std::future::ready(())).await;
        // What the last ones who were declined left behind is for whoever comes late.
        let mut paid = count_paid(&stage.world.database).await?;
        for _ in 0..units {
            if paid >= units {
                break;
            }
            buyer::buy(&api, &purchase("ok")).await;
            paid = count_paid(&stage.world.database).await?;
        }
        stage.unless(paid == units, || format!("{paid} of {units} units were sold"));
        let (_, end) = buyer::buy(&api, &purchase("ok")).await;
        stage.unless(end == End::NotSold, || "something was sold after everything was sold".to_owned());
        Ok(())
    }
}

async fn buy((api, purchase): (Api, Purchase)) -> End {
    buyer::buy(&api, &purchase).await.1
}

/// Waits until no payment is open, and counts the orders that are paid.
async fn count_paid(database: &str) -> anyhow::Result<usize> {
    rest::settle(database, rest::PATIENCE).await?;
    let shop = Shop::read(database).await?;
    Ok(shop.orders.values().filter(|order| order.payment == "paid").count())
}
