//! Many who look on: a tenth of them slow, crowds that come back at once, crowds that vanish without a word; and a shop that
//! sells all the while. Whoever stays has the last value in the end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use rand::Rng;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::traffic::{Traffic, usual};
use super::{Scenario, Size, Stage};
use crate::clients::subscriber::{Pace, Subscriber};

/// Clients that buy meanwhile.
const CLIENTS: usize = 8;

/// Of so many subscribers one is slow.
const SLOW: usize = 10;

/// The pause of a slow one between two messages.
const SLOWNESS: Duration = Duration::from_millis(400);

/// Connections that vanish at once.
const AT_ONCE: usize = 100;

#[derive(Debug)]
pub struct Subscribers;

#[async_trait]
impl Scenario for Subscribers {
    fn name(&self) -> &'static str {
        "subscribers"
    }

    fn what(&self) -> &'static str {
        "crowds of subscribers: slow ones, ones that come back at once, ones that vanish"
    }

    fn least(&self, size: Size) -> usize {
        size.of(80, 1_000)
    }

    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let traffic = Traffic::begin(stage, CLIENTS, usual).await?;
        let (urls, journal) = (stage.world.urls(), Arc::clone(stage.world.journal()));
        for number in 0..stage.size.of(200, 10_000) {
            let product = &traffic.products[stage.dice.random_range(0..traffic.products.len())];
            let pace = if number % SLOW == 0 { Pace::Slow(SLOWNESS) } else { Pace::Fast };
            stage.subscribers.push(Subscriber::start(&urls, std::slice::from_ref(product), &journal, pace));
        }
        traffic.more(5 * CLIENTS, Duration::from_secs(20)).await;
        stage.fault("half of the subscribers leave and come back at once");
        let leaving = stage.subscribers.split_off(stage.subscribers.len() / 2);
        let count = leaving.len();
        for subscriber in leaving {
            subscriber.stop(false).await;
        }
        for _ in 0..count {
            stage.subscribers.push(Subscriber::start(&urls, &traffic.products, &journal, Pace::Fast));
        }
        stage.fault("a crowd vanishes");
        vanish(&urls, stage.size.of(1_000, 100_000)).await;
        traffic.more(5 * CLIENTS, Duration::from_secs(20)).await;
        traffic.end(stage).await?;
        // Slow ones need their time.
        sleep(SLOWNESS).await;
        Ok(())
    }
}

/// Connects so many, who ask for a websocket and are gone.
async fn vanish(urls: &[String], count: usize) {
    let connect = |at: usize| {
        let address = urls[at % urls.len()].trim_start_matches("http://").to_owned();
        async move { hello(&address).await.is_some() }
    };
    let came = stream::iter(0..count).map(connect).buffer_unordered(AT_ONCE);
    came.for_each(|_| std::future::ready(())).await;
}

/// Says hello as a websocket does, and resets the connection.
async fn hello(address: &str) -> Option<()> {
    use tokio::io::AsyncWriteExt;
    let mut stream = TcpStream::connect(address).await.ok()?;
    let handshake = format!(
        "GET /graphql HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.ok()?;
    stream.set_zero_linger().ok()
}
