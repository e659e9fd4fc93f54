//! Many who look on: some slow, some who read nothing, crowds that come back at once, crowds that vanish without a word; and a
//! shop that sells all the while. Whoever stays and reads has the last value in the end; of the others nothing is left.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use rand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::clients::socket::Socket;
use crate::clients::subscriber::{Pace, STOCK_CHANGED, Subscriber};

/// Clients that buy meanwhile.
const CLIENTS: usize = 8;

/// Of so many subscribers one is slow and one reads nothing.
const PACES: usize = 20;

/// The pause of a slow one between two messages.
const SLOWNESS: Duration = Duration::from_millis(400);

/// Connections that vanish at once.
const AT_ONCE: usize = 100;

/// How often somebody who is to vanish tries to come.
const MAX_TRIES: usize = 3;

/// Longest time until nothing is left of those who vanished or read nothing. A server waits for 40 s before it ends a
/// connection that is silent.
const MAX_LEFT: Duration = Duration::from_mins(2);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Subscribers;

#[async_trait]
impl Scenario for Subscribers {
    fn name(&self) -> &'static str {
        "subscribers"
    }

    fn what(&self) -> &'static str {
        "crowds of subscribers: slow ones, silent ones, ones that come back at once, ones that vanish"
    }

    fn least(&self, size: Size) -> usize {
        size.of(80, 1_000)
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        let (urls, journal) = (stage.world.urls(), Arc::clone(stage.world.journal()));
        for number in 0..stage.size.of(200, 10_000) {
            let product = &traffic.products[stage.dice.random_range(0..traffic.products.len())];
            let subscriber = Subscriber::start(&urls, std::slice::from_ref(product), &journal, pace(number));
            stage.subscribers.push(subscriber);
        }
        stage.fault("one of twenty reads slowly, and one nothing");
        traffic.more(5 * CLIENTS, Duration::from_secs(20)).await;
        stage.fault("half of the subscribers leave and come back at once");
        let leaving = stage.subscribers.split_off(stage.subscribers.len() / 2);
        let count = leaving.len();
        for subscriber in leaving {
            subscriber.stop(false).await;
        }
        for number in 0..count {
            stage.subscribers.push(Subscriber::start(&urls, &traffic.products, &journal, pace(number)));
        }
        stage.fault("a crowd vanishes");
        vanish(&urls, &traffic.products, stage.size.of(1_000, 100_000)).await?;
        traffic.more(5 * CLIENTS, Duration::from_secs(20)).await;
        traffic.end(stage).await?;
        nothing_is_left(stage, &urls).await
    }
}

/// How the so manieth reads.
const fn pace(number: usize) -> Pace {
    match number % PACES {
        0 => Pace::Slow(SLOWNESS),
        1 => Pace::Silent,
        _ => Pace::Fast,
    }
}

/// So many subscribe and are gone; every one of them was heard.
async fn vanish(urls: &[String], products: &[String], count: usize) -> anyhow::Result<()> {
    let come = |at: usize| async move {
        let mut tries = 0;
        loop {
            tries += 1;
            match come_and_go(&urls[(at + tries) % urls.len()], products, at).await {
                Err(_) if tries < MAX_TRIES => sleep(PAUSE).await,
                came => break came,
            }
        }
    };
    let mut all = stream::iter(0..count).map(come).buffer_unordered(AT_ONCE);
    let (mut came, mut last) = (0, None);
    while let Some(one) = all.next().await {
        match one {
            Ok(()) => came += 1,
            Err(error) => last = Some(error),
        }
    }
    let why = last.map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(came == count, "{came} of {count} subscribed before they vanished: {why}");
    Ok(())
}

/// Subscribes and resets the connection: at once, when it was let in, or after the first message.
async fn come_and_go(server: &str, products: &[String], at: usize) -> anyhow::Result<()> {
    let mut socket = Socket::subscribe(server, STOCK_CHANGED, json!({ "ids": products }), false).await?;
    match at % 3 {
        0 => Ok(()),
        1 => socket.wait_for("connection_ack").await,
        _ => socket.wait_for("next").await,
    }
}

/// Waits until the servers have no more sockets and operations than there are subscribers who read.
async fn nothing_is_left(stage: &mut Stage, urls: &[String]) -> anyhow::Result<()> {
    let reading = stage.subscribers.iter().filter(|subscriber| subscriber.reads()).count();
    let reading = f64::from(u32::try_from(reading)?);
    let deadline = Instant::now() + MAX_LEFT;
    for gauge in ["onhand_sockets_open", "onhand_operations_open"] {
        loop {
            let mut open = 0.0;
            for url in urls {
                open += checker::rest::gauges(url).await?.get(gauge).copied().unwrap_or(f64::NAN);
            }
            if open <= reading {
                break;
            }
            if Instant::now() >= deadline {
                stage.unless(false, || format!("{gauge}: {open} are left, although {reading} look on"));
                break;
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}
