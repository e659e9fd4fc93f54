//! What is measured, in order. Everything is checked that can be: a run that is not correct fails.

mod limits;
mod paying;
mod serving;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

use crate::api;
use crate::arguments::{DatabaseKind, Plan};
use crate::client::{Timing, as_float};
use crate::cluster::Cluster;
use crate::figures::{Figure, Figures};
use crate::limits::sql;
use crate::progress::say;
use crate::server::{Program, Server};
use crate::usage::Watched;

/// Units of a product that never runs out.
const PLENTY: usize = 1_000_000;

/// What a run is given, and what it has measured.
pub struct Run<'a> {
    /// How much.
    pub plan: &'a Plan,
    /// The server's program.
    pub program: &'a Program,
    /// Where the databases are made.
    pub folder: &'a Path,
    /// The PostgreSQL, when it is measured.
    pub cluster: Option<&'a Cluster>,
    /// What has been measured.
    pub figures: Figures,
}

/// One server on a database of its own.
struct Shop<'a> {
    plan: &'a Plan,
    program: &'a Program,
    figures: &'a mut Figures,
    server: Server,
    /// The address of its database.
    database: String,
    name: &'static str,
    kind: DatabaseKind,
    watched: Watched,
    /// The catalogue.
    products: Vec<String>,
    /// Products that were made for one measurement.
    special: Vec<String>,
    /// Orders that the clients saw paid, and those of them that were shipped.
    paid: u64,
    shipped: u64,
    /// The file or folder of its database, which goes with it.
    _files: TempDir,
}

impl Run<'_> {
    /// Measures everything once.
    pub async fn once(&mut self, kinds: &[DatabaseKind], repeat: usize) -> Result<()> {
        for kind in kinds {
            self.commit_limits(*kind).await?;
            self.database(*kind, repeat).await.with_context(|| format!("on {}", kind.name()))?;
        }
        self.bare().await?;
        self.fanout().await
    }

    /// Measures one server from its start to its end.
    async fn database(&mut self, kind: DatabaseKind, repeat: usize) -> Result<()> {
        let mut shop = self.open(kind, repeat).await?;
        shop.idle_subscribers().await?;
        shop.warm_up().await?;
        shop.pay_hot().await?;
        shop.followed().await?;
        shop.pay_spread().await?;
        shop.flow().await?;
        shop.read().await?;
        shop.deliver().await?;
        shop.close().await
    }

    /// Starts a server on an empty database and makes the catalogue.
    async fn open(&mut self, kind: DatabaseKind, repeat: usize) -> Result<Shop<'_>> {
        let files = tempfile::tempdir_in(self.folder)?;
        let (database, postmaster) = match (kind, self.cluster) {
            (DatabaseKind::Postgres, Some(cluster)) => {
                let name = format!("shop_{repeat}");
                create(cluster, &name).await?;
                (cluster.url(&name), cluster.postmaster())
            }
            _ => (format!("sqlite://{}/shop.db", files.path().display()), None),
        };
        // The first start makes the tables; how long the second takes is what a restart costs.
        Server::start(self.program, &database).await?.stop().await?;
        let server = Server::start(self.program, &database).await?;
        let name = kind.name();
        let start = server.started_in.as_secs_f64() * 1_000.0;
        self.figures.add(Figure::number(name, "cold start", start, "ms"));
        self.figures.add(Figure::number(name, "memory when idle", server.memory()? / 1_024.0, "MB"));
        say(&format!("{name}: making {} products", self.plan.products));
        let products = api::products(&server.host, "SPREAD", self.plan.products, PLENTY).await?;
        let watched = Watched { server: Some(server.id), database: postmaster };
        Ok(Shop {
            plan: self.plan,
            program: self.program,
            figures: &mut self.figures,
            server,
            database,
            name,
            kind,
            watched,
            products,
            special: Vec::new(),
            paid: 0,
            shipped: 0,
            _files: files,
        })
    }
}

impl Shop<'_> {
    /// Checks everything at the end, measures `onhand verify`, and stops the server.
    async fn close(self) -> Result<()> {
        let host = &self.server.host;
        let paid = api::count_paid(host).await?;
        ensure!(paid == self.paid, "{paid} orders are paid, and the clients saw {}", self.paid);
        let products = [self.products.as_slice(), &self.special].concat();
        let allocated = api::allocated(host, &products).await?;
        let held = self.paid - self.shipped;
        ensure!(allocated == held, "{allocated} units are allocated, and orders hold {held}");
        say(&format!("{}: filling the log", self.name));
        api::fill_log(host, &self.products, self.plan.log_rows).await?;
        let start = std::time::Instant::now();
        let rows = self.program.verify(&self.database).await?;
        let rate = as_float(rows) / start.elapsed().as_secs_f64();
        ensure!(rows >= self.paid, "{rows} rows in the log, and {} orders were paid", self.paid);
        self.figures.add(Figure::number(self.name, "onhand verify", rate, "rows/s"));
        self.figures.add(Figure::number(self.name, "memory at the end", self.server.memory()? / 1_024.0, "MB"));
        self.server.stop().await
    }

    fn add_rate(
        &mut self,
        work: &'static str,
        timing: &Timing,
        unit: &'static str,
        beside: (&'static str, &'static str),
    ) {
        self.figures.add(Figure::rate(self.name, work, timing, unit).beside(beside.0, beside.1));
    }
}

/// Makes an empty database.
pub async fn create(cluster: &Cluster, name: &str) -> Result<()> {
    let database = Database::connect(cluster.url("postgres")).await?;
    database.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    Ok(database.close().await?)
}

/// Starts a PostgreSQL in this folder, with a database for the limits.
pub async fn cluster(folder: &Path) -> Result<Cluster> {
    say("starting PostgreSQL");
    let cluster = Cluster::in_folder(folder);
    create(&cluster, sql::DATABASE).await?;
    Ok(cluster)
}

/// Returns the version of a PostgreSQL.
pub async fn version(cluster: &Cluster) -> Result<String> {
    let database = Database::connect(cluster.url("postgres")).await?;
    let row =
        database.query_one_raw(sea_orm::Statement::from_string(database.get_database_backend(), "SHOW server_version"));
    let version: String = row.await?.context("no version")?.try_get_by_index(0)?;
    database.close().await?;
    Ok(format!("PostgreSQL {version}"))
}
