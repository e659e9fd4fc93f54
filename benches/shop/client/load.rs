//! A closed loop: several connections, each with one request under way, until a count or a time is reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{Timing, percentile};
use crate::api;
use crate::http::{Connection, find};
use crate::usage::{Cpu, Watched};

/// Requests to send.
#[derive(Debug, Serialize, Deserialize)]
pub struct Load {
    /// `HOST:PORT` of the server.
    pub host: String,
    /// Number of connections.
    pub connections: usize,
    /// What is sent.
    pub work: Work,
    /// When it ends.
    pub until: Until,
    /// Whose processor time is counted.
    pub watched: Watched,
}

/// What is sent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Work {
    /// Pays each of these orders once, by `manual`.
    Pay(Vec<String>),
    /// Makes a cart with one of these products, checks it out, pays by `sandbox` and ships.
    Flow(Vec<String>),
    /// Reads these products in turn, each with its stock.
    Read(Vec<String>),
    /// Reads the first page of products with their stock.
    Page,
    /// Sends the first request of `Read` to a server that answers with bytes it has ready.
    Bare,
}

/// When a load ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Until {
    /// After so many operations.
    Count(usize),
    /// After so many seconds, which begin after some more that are not counted.
    Seconds {
        /// Seconds that are not counted.
        warm_up: f64,
        /// Seconds that are counted.
        measured: f64,
    },
}

/// What one operation came to.
enum Outcome {
    Succeeded,
    NotEnough,
}

/// What one connection did: latencies in microseconds, and refusals.
#[derive(Default)]
struct Part {
    micros: Vec<u32>,
    refused: u64,
}

impl Load {
    /// Sends it all.
    pub async fn run(self) -> Result<Timing> {
        match self.until {
            Until::Count(count) => self.measure(count, None).await,
            Until::Seconds { warm_up, measured } => {
                self.measure(usize::MAX, Some(Duration::from_secs_f64(warm_up))).await?;
                self.measure(usize::MAX, Some(Duration::from_secs_f64(measured))).await
            }
        }
    }

    async fn measure(&self, count: usize, time: Option<Duration>) -> Result<Timing> {
        let mut connections = Vec::new();
        for _ in 0..self.connections.min(count) {
            connections.push(Connection::open(&self.host).await?);
        }
        let next = AtomicUsize::new(0);
        let (cpu, start) = (Cpu::read(self.watched), Instant::now());
        let end = time.map(|time| start + time);
        let parts = try_join_all(connections.into_iter().map(|connection| self.work(connection, &next, count, end)));
        let parts = parts.await?;
        let seconds = start.elapsed().as_secs_f64();
        let cores = Cpu::read(self.watched).since(cpu, seconds);
        let refused = parts.iter().map(|part| part.refused).sum();
        let mut micros: Vec<u32> = parts.into_iter().flat_map(|part| part.micros).collect();
        let (p50, p99) = (percentile(&mut micros, 50), percentile(&mut micros, 99));
        Ok(Timing { succeeded: u64::try_from(micros.len())?, refused, seconds, p50, p99, cores })
    }

    /// What one connection does.
    async fn work(
        &self,
        mut connection: Connection,
        next: &AtomicUsize,
        count: usize,
        end: Option<Instant>,
    ) -> Result<Part> {
        let mut part = Part::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            if number >= count || end.is_some_and(|end| start >= end) {
                return Ok(part);
            }
            match self.work.once(&mut connection, number).await? {
                Outcome::Succeeded => part.micros.push(u32::try_from(start.elapsed().as_micros())?),
                Outcome::NotEnough => part.refused += 1,
            }
        }
    }
}

impl Work {
    /// The operation with this number.
    async fn once(&self, connection: &mut Connection, number: usize) -> Result<Outcome> {
        match self {
            Self::Pay(orders) => pay(connection, &orders[number % orders.len()], "manual").await,
            Self::Flow(products) => {
                let order = api::order(connection, &products[number % products.len()]).await?;
                let paid = pay(connection, &order, "sandbox").await?;
                expect(connection.post(&api::ship(&order)).await?, r#""shipping":"FULFILLED""#)?;
                Ok(paid)
            }
            Self::Read(products) => {
                let product = &products[number % products.len()];
                expect(connection.post(&api::read(product)).await?, product)
            }
            Self::Page => expect(connection.post(&api::page()).await?, r#""nodes":[{"id":"#),
            Self::Bare => expect(connection.post(&api::read("product")).await?, r#""version":"#),
        }
    }
}

async fn pay(connection: &mut Connection, order: &str, gateway: &str) -> Result<Outcome> {
    let answer = connection.post(&api::pay(order, gateway)).await?;
    if find(answer, b"INSUFFICIENT_STOCK").is_some() {
        return Ok(Outcome::NotEnough);
    }
    expect(answer, r#""payment":"PAID""#)
}

fn expect(answer: &[u8], wanted: &str) -> Result<Outcome> {
    if find(answer, b"\"errors\":").is_some() || find(answer, wanted.as_bytes()).is_none() {
        bail!("not what was asked for: {}", String::from_utf8_lossy(answer));
    }
    Ok(Outcome::Succeeded)
}
