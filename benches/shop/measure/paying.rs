//! Paying: one product that everybody wants, many products, the whole flow, and a sale that thousands follow.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::limits::{SQL_HOT, SQL_SPREAD, SQLITE_HOT, SQLITE_SPREAD};
use super::{PLENTY, Shop};
use crate::api;
use crate::arguments::DatabaseKind;
use crate::client::followers::Follow;
use crate::client::load::{Load, Until, Work};
use crate::client::{Client, Job, Timing, as_float};
use crate::figures::{Figure, LIMIT};
use crate::progress::say;

/// Names of what is measured.
const HOT: &str = "pay one product, 64 buyers";
const FOLLOWED: &str = "pay one product that subscribers follow, 64 buyers";

const P99: &str = "p99 of payOrder";
const P99_FOLLOWED: &str = "p99 of payOrder while subscribers follow";

/// How long memory is left alone before it is read.
const SETTLE: Duration = Duration::from_millis(500);

impl Shop<'_> {
    /// Takes some orders through their whole life, which is not measured.
    pub async fn warm_up(&mut self) -> Result<()> {
        self.orders_shipped(self.plan.buyers * 2).await?;
        Ok(())
    }

    /// Measures what a subscriber costs in memory while nothing changes.
    pub async fn idle_subscribers(&mut self) -> Result<()> {
        let product = self.plenty("IDLE").await?;
        sleep(SETTLE).await;
        let before = self.server.memory()?;
        let followers = self.open_followers(&product).await?;
        sleep(SETTLE).await;
        let each = (self.server.memory()? - before) / as_float(self.plan.subscribers as u64);
        self.figures.add(Figure::number(self.name, "memory of an idle subscriber", each, "kB"));
        followers.finish(0).await?;
        Ok(())
    }

    /// Sells a product to the last unit while thousands follow it. Every one of them must see it sold out.
    pub async fn followed(&mut self) -> Result<()> {
        let (hot, orders) = self.hot("FOLLOWED", self.plan.followed).await?;
        let followers = self.open_followers(&hot).await?;
        let timing = self.sell(&hot, &orders).await?;
        followers.finish(api::stock(&self.server.host, &hot).await?.version).await?;
        self.add_rate(FOLLOWED, &timing, "orders/s", (self.name, HOT));
        let p99 = Figure::number(self.name, P99_FOLLOWED, timing.p99.unwrap_or_default(), "ms");
        self.figures.add(p99.beside(self.name, P99));
        Ok(())
    }

    /// Opens websockets that follow a product, and waits until each has its first value.
    async fn open_followers(&self, product: &str) -> Result<Client> {
        let subscribers = self.plan.subscribers;
        say(&format!("{}: opening {subscribers} websockets", self.name));
        let follow = Follow {
            host: self.server.host.clone(),
            subscribers,
            product: product.to_owned(),
            stock: api::stock(&self.server.host, product).await?.id,
            others: Vec::new(),
            changes: None,
            watched: self.watched,
        };
        let mut followers = Client::start(&Job::Follow(follow)).await?;
        followers.ready().await?;
        Ok(followers)
    }

    /// Sells a product to the last unit.
    pub async fn pay_hot(&mut self) -> Result<()> {
        let (hot, orders) = self.hot("HOT", self.plan.orders).await?;
        let timing = self.sell(&hot, &orders).await?;
        let limit = if self.kind == DatabaseKind::Sqlite { SQLITE_HOT } else { SQL_HOT };
        self.add_rate(HOT, &timing, "orders/s", (LIMIT, limit));
        self.figures.add(Figure::number(self.name, P99, timing.p99.unwrap_or_default(), "ms"));
        Ok(())
    }

    /// Pays orders of many products.
    pub async fn pay_spread(&mut self) -> Result<()> {
        let count = self.plan.orders;
        say(&format!("{}: making {count} orders", self.name));
        let orders = api::orders(&self.server.host, &self.products, count).await?;
        let timing = self.pay(orders).await?;
        ensure!(timing.refused == 0, "{} of {count} payments were refused", timing.refused);
        let limit = if self.kind == DatabaseKind::Sqlite { SQLITE_SPREAD } else { SQL_SPREAD };
        self.add_rate("pay 1,000 products, 64 buyers", &timing, "orders/s", (LIMIT, limit));
        Ok(())
    }

    /// Takes orders through their whole life.
    pub async fn flow(&mut self) -> Result<()> {
        let timing = self.orders_shipped(self.plan.flows).await?;
        self.figures.add(Figure::rate(self.name, "cart, check out, pay by sandbox, ship", &timing, "orders/s"));
        Ok(())
    }

    async fn orders_shipped(&mut self, count: usize) -> Result<Timing> {
        let work = Work::Flow(self.products.clone());
        let timing = self.load(self.plan.buyers, work, Until::Count(count)).await?;
        ensure!(timing.refused == 0, "{} payments were refused", timing.refused);
        self.paid += timing.succeeded;
        self.shipped += timing.succeeded;
        Ok(timing)
    }

    /// Makes a product with so many units and an order for each of them, and some more.
    async fn hot(&mut self, prefix: &str, units: usize) -> Result<(String, Vec<String>)> {
        let count = units + self.plan.buyers;
        say(&format!("{}: making {count} orders", self.name));
        let hot = api::products(&self.server.host, prefix, 1, units).await?;
        let orders = api::orders(&self.server.host, &hot, count).await?;
        self.special.extend_from_slice(&hot);
        Ok((hot.concat(), orders))
    }

    /// Pays an order for each unit, which is measured, and then the rest, which must be refused.
    async fn sell(&mut self, hot: &str, orders: &[String]) -> Result<Timing> {
        let units = orders.len() - self.plan.buyers;
        let (first, late) = orders.split_at(units);
        let timing = self.pay(first.to_vec()).await?;
        ensure!(timing.refused == 0, "{} of {units} payments were refused although there was stock", timing.refused);
        let refused = self.pay(late.to_vec()).await?;
        ensure!(refused.succeeded == 0, "oversold: {} payments more than units", refused.succeeded);
        let stock = api::stock(&self.server.host, hot).await?;
        ensure!((stock.available, stock.allocated) == (0, units as u64), "{units} units were sold: {stock:?}");
        Ok(timing)
    }

    async fn pay(&mut self, orders: Vec<String>) -> Result<Timing> {
        let until = Until::Count(orders.len());
        let timing = self.load(self.plan.buyers, Work::Pay(orders), until).await?;
        self.paid += timing.succeeded;
        Ok(timing)
    }

    /// Has a client send requests.
    pub async fn load(&self, connections: usize, work: Work, until: Until) -> Result<Timing> {
        let load = Load { host: self.server.host.clone(), connections, work, until, watched: self.watched };
        Client::run(&Job::Load(load)).await
    }

    /// Makes a product that never runs out.
    pub async fn plenty(&mut self, prefix: &str) -> Result<String> {
        let product = api::products(&self.server.host, prefix, 1, PLENTY).await?;
        self.special.extend_from_slice(&product);
        Ok(product.concat())
    }
}
