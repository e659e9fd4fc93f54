//! Pay, capture, void, refund, cancel, ship, ship a part and adjust on one order, at a barrier: every pair and triples, in every state
//! of the order, across replicas, with a payment service that takes its time.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::Barrier as Start;

use super::{Scenario, Size, Stage};
use crate::clients::staff::{self, Seen};
use crate::clients::{ADJUST_STOCK, Api, CAPTURE_PAYMENT, Mutation, PAY_ORDER, buyer, fresh};

/// Longest time that the payment service takes, in milliseconds.
const MAX_DELAY: u32 = 200;

/// What others hold of the product, so that nothing that is released twice goes below zero.
const HELD_BY_OTHERS: i32 = 20;

/// Races that run at the same time, each about its own order.
const AT_ONCE: usize = 4;

/// Triples of the short form, each in one state; the long form has all of them in all states.
const SAMPLE: usize = 48;

#[derive(Debug)]
pub struct Barrier;

#[derive(Debug, Clone, Copy)]
enum Step {
    Pay,
    Adjust,
    Staff(staff::Step),
}

const STEPS: [Step; 8] = [
    Step::Pay,
    Step::Adjust,
    Step::Staff(staff::Step::Cancel),
    Step::Staff(staff::Step::ShipAll),
    Step::Staff(staff::Step::ShipPart),
    Step::Staff(staff::Step::Capture),
    Step::Staff(staff::Step::Void),
    Step::Staff(staff::Step::RefundPart),
];

/// How it stands with the order before.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Its payment was declined.
    Unpaid,
    /// The money is reserved.
    Authorized,
    /// The money was taken.
    Captured,
    /// The money was reserved, and nobody is asked about it.
    AuthorizedByHand,
}

const STATES: [State; 4] = [State::Unpaid, State::Authorized, State::Captured, State::AuthorizedByHand];

/// Every pair, or every triple, a step twice or three times among them, in every state.
fn combinations(is_triple: bool) -> Vec<(State, Vec<Step>)> {
    let mut all = Vec::new();
    for (a, first) in STEPS.iter().enumerate() {
        for (b, second) in STEPS.iter().enumerate().skip(a) {
            if is_triple {
                all.extend(STEPS[b..].iter().map(|third| vec![*first, *second, *third]));
            } else {
                all.push(vec![*first, *second]);
            }
        }
    }
    all.into_iter().flat_map(|steps| STATES.map(|state| (state, steps.clone()))).collect()
}

const fn rounds(size: Size) -> usize {
    size.of(1, 6)
}

/// The races of one round.
fn races(size: Size, dice: &mut StdRng) -> Vec<(State, Vec<Step>)> {
    let (mut races, triples) = (combinations(false), combinations(true));
    match size {
        Size::Short => races.extend(triples.choose_multiple(dice, SAMPLE).cloned()),
        Size::Long => races.extend(triples),
    }
    races
}

#[async_trait]
impl Scenario for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }

    fn what(&self) -> &'static str {
        "every pair, and triples, of pay, capture, void, refund, cancel, ship and adjust on one order, at the same moment"
    }

    fn least(&self, size: Size) -> usize {
        let triples = size.of(SAMPLE, combinations(true).len());
        (combinations(false).len() + triples) * rounds(size) * 4
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let api = stage.world.api()?;
        stage.world.tell_others().await?;
        for round in 0..rounds(stage.size) {
            let product = api.product(&format!("RACE-{round}"), 100_000).await?;
            if let Some(order) = buyer::order(&api, &[(product.clone(), HELD_BY_OTHERS)]).await {
                buyer::pay(&api, &order, "manual", None).await;
            }
            let races = races(stage.size, &mut stage.dice);
            let races = races.into_iter().map(|race| (race, StdRng::seed_from_u64(stage.dice.random())));
            let races: Vec<_> = races.collect();
            let run = |((state, steps), dice)| race(&api, &product, state, steps, dice);
            stream::iter(races).map(run).buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
        }
        Ok(())
    }
}

async fn race(api: &Api, product: &str, state: State, steps: Vec<Step>, mut dice: StdRng) {
    let Some(order) = prepare(api, product, state, &mut dice).await else { return };
    let Some(seen) = Seen::read(api, &order).await else { return };
    let start = Arc::new(Start::new(steps.len()));
    let from = dice.random_range(0..api.servers().len());
    let racers = steps.into_iter().enumerate().map(|(at, step)| {
        let asks = asks(&seen, product, &order, step, &mut dice);
        let (server, start) = (api.servers()[(from + at) % api.servers().len()].clone(), Arc::clone(&start));
        async move {
            start.wait().await;
            if let Some((mutation, input)) = asks {
                api.change_at(&server, mutation, input).await;
            }
        }
    });
    join_all(racers).await;
    api.read_stock(product).await;
}

/// Brings an order of two units into a state.
async fn prepare(api: &Api, product: &str, state: State, dice: &mut StdRng) -> Option<String> {
    let order = buyer::order(api, &[(product.to_owned(), 2)]).await?;
    let mut slow = || dice.random_range(0..=MAX_DELAY);
    match state {
        State::Unpaid => drop(buyer::pay(api, &order, buyer::GATEWAY, Some("decline")).await),
        State::AuthorizedByHand => drop(buyer::authorize(api, &order, "manual", None).await),
        State::Authorized => {
            let token = format!("ok+slow:{}+slow:{}+slow:{}", slow(), slow(), slow());
            buyer::authorize(api, &order, buyer::GATEWAY, Some(&token)).await;
        }
        State::Captured => {
            let token = format!("ok+ok+slow:{}+slow:{}", slow(), slow());
            buyer::authorize(api, &order, buyer::GATEWAY, Some(&token)).await;
            let payment = Seen::read(api, &order).await?.payment?;
            buyer::insist(api, CAPTURE_PAYMENT, json!({ "paymentId": payment }), true).await;
        }
    }
    Some(order)
}

/// What a racer asks for.
fn asks(seen: &Seen, product: &str, order: &str, step: Step, dice: &mut StdRng) -> Option<(Mutation, Value)> {
    let (mutation, mut input) = match step {
        Step::Staff(step) => seen.asks(step, dice)?,
        Step::Pay => {
            let token = format!("slow:{}", dice.random_range(0..=MAX_DELAY));
            let method = if dice.random() { "AUTHORIZE" } else { "PURCHASE" };
            (PAY_ORDER, json!({ "orderId": order, "gateway": buyer::GATEWAY, "token": token, "method": method }))
        }
        Step::Adjust => {
            let change = json!({ "productId": product, "action": "DECREMENT", "quantity": 1 });
            (ADJUST_STOCK, json!({ "changes": [change], "note": fresh("adjust") }))
        }
    };
    if dice.random() {
        input["idempotencyKey"] = fresh("key").into();
    }
    Some((mutation, input))
}
