//! Reads, and deliveries to subscribers.

use anyhow::Result;

use super::Shop;
use super::limits::{BARE, FANOUT};
use crate::api;
use crate::client::followers::{Changes, Follow};
use crate::client::load::{Until, Work};
use crate::client::{Client, Job};
use crate::figures::LIMIT;
use crate::progress::say;

const READ: &str = "read a product with its stock, 32 connections";

impl Shop<'_> {
    /// Reads products one by one and by the page.
    pub async fn read(&mut self) -> Result<()> {
        let until = Until::Seconds { warm_up: self.plan.warm_up, measured: self.plan.read };
        let timing = self.load(self.plan.readers, Work::Read(self.products.clone()), until).await?;
        self.add_rate(READ, &timing, "requests/s", (LIMIT, BARE));
        let timing = self.load(self.plan.readers, Work::Page, until).await?;
        self.add_rate("read a page of 20 with stock, 32 connections", &timing, "requests/s", (self.name, READ));
        Ok(())
    }

    /// Changes one product that thousands follow: all with the same list of products, then each with another.
    pub async fn deliver(&mut self) -> Result<()> {
        let product = self.plenty("WATCHED").await?;
        self.follow(&product, Vec::new(), "deliveries, subscribers with one list").await?;
        self.follow(&product, self.products.clone(), "deliveries, each subscriber with another list").await
    }

    async fn follow(&mut self, product: &str, others: Vec<String>, work: &'static str) -> Result<()> {
        let (plan, host) = (self.plan, &self.server.host);
        say(&format!("{}: opening {} websockets", self.name, plan.subscribers));
        let changes = Changes { host: host.clone(), rate: plan.rate, warm_up: plan.warm_up, measured: plan.follow };
        let follow = Follow {
            host: host.clone(),
            subscribers: plan.subscribers,
            product: product.to_owned(),
            stock: api::stock(host, product).await?.id,
            others,
            changes: Some(changes),
            watched: self.watched,
        };
        let timing = Client::run(&Job::Follow(follow)).await?;
        self.add_rate(work, &timing, "events/s", (LIMIT, FANOUT));
        Ok(())
    }
}
