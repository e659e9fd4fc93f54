//! A busy day: clients that buy, capture, void, refund, cancel, ship, receive and read until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use checker::journal::Journal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Stage;
use crate::clients::Api;
use crate::clients::buyer;
use crate::clients::staff;
use crate::clients::subscriber::{Pace, Subject, Subscriber};
use crate::clients::{CANCEL_ORDER, SHIP_ORDER};

/// Products of a busy day.
const PRODUCTS: usize = 6;

/// Units of each at first.
const UNITS: i32 = 2_000;

/// Of so many clients one only receives, without keys: it is in almost every batch, and shows one that is done twice.
const RECEIVERS: usize = 8;

/// Who looks on at stock.
const SUBSCRIBERS: usize = 8;

/// Who looks on at the log.
const LOG_READERS: usize = 2;

/// Orders that somebody looks on at.
const FOLLOWED: usize = 12;

/// How many captures, voids and refunds of a payment go in a way that was chosen.
const WAYS: usize = 3;

/// Pause between two looks at the count.
const PAUSE: Duration = Duration::from_millis(10);

/// Clients at work.
#[derive(Debug)]
pub struct Traffic {
    /// The products that they buy.
    pub products: Vec<String>,
    stop: CancellationToken,
    /// Whatever becomes of the scenario, its clients end with it.
    _guard: DropGuard,
    done: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
    followers: JoinHandle<Vec<Subscriber>>,
}

impl Traffic {
    /// Makes products, sends so many clients, and has some look on.
    pub async fn begin(stage: &mut Stage, clients: usize, choose: fn(&mut StdRng) -> String) -> anyhow::Result<Self> {
        let api = stage.world.api()?;
        stage.world.tell_others().await?;
        let mut products = Vec::new();
        for number in 0..PRODUCTS {
            products.push(api.product(&format!("P{number}"), UNITS).await?);
        }
        let (urls, journal) = (stage.world.urls(), Arc::clone(stage.world.journal()));
        let look = |_| Subscriber::start(&urls, &products, &journal, Pace::Fast);
        stage.subscribers.extend((0..SUBSCRIBERS).map(look));
        let read = |_| Subscriber::look(&urls, Subject::Log, &journal, Pace::Fast);
        stage.subscribers.extend((0..LOG_READERS).map(read));
        let (stop, done) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let tasks = (0..clients).map(|number| {
            let (api, products, stop) = (api.clone(), products.clone(), stop.clone());
            let done = Arc::clone(&done);
            let mut dice = StdRng::seed_from_u64(stage.dice.random());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    let is_done = if number % RECEIVERS == 0 {
                        buyer::receive(&api, &products[0], 1, false).await
                    } else {
                        buyer::live(&api, &products, &mut dice, choose).await
                    };
                    if is_done {
                        done.fetch_add(1, Ordering::Relaxed);
                    } else {
                        sleep(PAUSE).await;
                    }
                }
            })
        });
        let tasks = tasks.collect();
        let dice = StdRng::seed_from_u64(stage.dice.random());
        let followers = tokio::spawn(follow(api, products.clone(), journal, stop.clone(), dice, choose));
        let guard = stop.clone().drop_guard();
        Ok(Self { products, stop, _guard: guard, done, tasks, followers })
    }

    /// Waits until clients have done so much more, but not longer than that.
    pub async fn more(&self, steps: usize, most: Duration) {
        let aim = self.done.load(Ordering::Relaxed) + steps;
        let busy = async {
            while self.done.load(Ordering::Relaxed) < aim {
                sleep(PAUSE).await;
            }
        };
        // Faults may keep everybody from getting on.
        let _ = tokio::time::timeout(most, busy).await;
    }

    /// Sends everybody home but those who look on.
    pub async fn end(self, stage: &mut Stage) -> anyhow::Result<()> {
        self.stop.cancel();
        stage.subscribers.extend(self.followers.await?);
        for task in self.tasks {
            task.await?;
        }
        Ok(())
    }
}

/// Buys slowly, and has somebody look on at each order.
async fn follow(
    api: Api,
    products: Vec<String>,
    journal: Arc<Journal>,
    stop: CancellationToken,
    mut dice: StdRng,
    choose: fn(&mut StdRng) -> String,
) -> Vec<Subscriber> {
    let mut followers = Vec::new();
    while followers.len() < FOLLOWED && !stop.is_cancelled() {
        let product = products[dice.random_range(0..products.len())].clone();
        let Some(order) = buyer::order(&api, &[(product, 1)]).await else {
            sleep(PAUSE).await;
            continue;
        };
        followers.push(Subscriber::look(api.servers(), Subject::Order(order.clone()), &journal, Pace::Fast));
        match choose(&mut dice).as_str() {
            "" => buyer::pay(&api, &order, "manual", None).await,
            token => buyer::pay(&api, &order, buyer::GATEWAY, Some(token)).await,
        };
        let after = if dice.random() { CANCEL_ORDER } else { SHIP_ORDER };
        buyer::insist(&api, after, json!({ "orderId": order }), true).await;
        staff::care(&api, &order, &mut dice).await;
    }
    followers
}

/// Pays without a gateway half of the time, and through one that answers soon.
pub fn usual(dice: &mut StdRng) -> String {
    let token = match dice.random_range(0..10) {
        0..4 => return String::new(),
        4 => "decline".to_owned(),
        5 => format!("slow:{}:decline", dice.random_range(0..200)),
        6 => format!("slow:{}", dice.random_range(0..200)),
        _ => "ok".to_owned(),
    };
    let way = |dice: &mut StdRng| match dice.random_range(0..12) {
        0..3 => format!("slow:{}", dice.random_range(0..200)),
        3 => "refuse".to_owned(),
        4 => "error".to_owned(),
        5 => "error:done".to_owned(),
        _ => "ok".to_owned(),
    };
    with_ways(dice, token, way)
}

/// Adds the ways in which the first captures, voids and refunds go.
fn with_ways(dice: &mut StdRng, token: String, way: fn(&mut StdRng) -> String) -> String {
    (0..WAYS).fold(token, |token, _| format!("{token}+{}", way(dice)))
}

/// Every bad way of a gateway.
pub fn bad(dice: &mut StdRng) -> String {
    let time = dice.random_range(0..6_000);
    let token = match dice.random_range(0..14) {
        0 => "ok".to_owned(),
        1 => "decline".to_owned(),
        2 => "refuse".to_owned(),
        3 => format!("slow:{time}"),
        4 => format!("slow:{time}:decline"),
        5 | 6 => format!("late:{time}"),
        7 => "lost".to_owned(),
        8 => "unanswered".to_owned(),
        9 => "unanswered:decline".to_owned(),
        10 => "error".to_owned(),
        11 => "error:done".to_owned(),
        12 => format!("pending:{time}"),
        _ => {
            if dice.random() {
                "act".to_owned()
            } else {
                format!("act:{time}")
            }
        }
    };
    let token = match dice.random_range(0..4) {
        0 => format!("{token}!{}", dice.random_range(1..5)),
        _ => token,
    };
    with_ways(dice, token, bad_way)
}

/// Every bad way of a capture, a void or a refund.
fn bad_way(dice: &mut StdRng) -> String {
    let time = dice.random_range(0..4_000);
    match dice.random_range(0..10) {
        0 => format!("slow:{time}"),
        1 => format!("late:{time}"),
        2 => "unanswered".to_owned(),
        3 => "error".to_owned(),
        4 => "error:done".to_owned(),
        5 => format!("pending:{time}"),
        6 => "refuse".to_owned(),
        _ => "ok".to_owned(),
    }
}
