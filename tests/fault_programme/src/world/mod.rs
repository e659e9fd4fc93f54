//! What is broken: a shop with its database, its servers, its gateway and the journal of everybody who has to do with it.

#[allow(dead_code, clippy::expect_used, reason = "it is made for tests, which use the rest of it")]
#[path = "../../../support/cluster.rs"]
pub mod cluster;
pub mod disk;
pub mod gateway;
pub mod network;
#[allow(dead_code, clippy::expect_used, reason = "it is made for tests, which use the rest of it")]
#[path = "../../../support/proxy.rs"]
pub mod proxy;
pub mod receiver;
pub mod server;
pub mod signing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use checker::journal::{Journal, Record};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;

use crate::arguments::Kind;
use crate::clients::Api;
use cluster::Cluster;
use disk::Disk;
use gateway::Gateway;
use network::Network;
use receiver::Receiver;
use server::Server;

/// What the PostgreSQL of the programme is given: many connections, nothing that waits for a disk that is not there, and a
/// look for deadlocks before the servers give up waiting.
const SETTINGS: &str = "-c max_connections=400 -c deadlock_timeout=10ms -c wal_level=replica -c max_wal_senders=4";

/// What is under a shop when it is not this machine alone.
#[derive(Debug, Default)]
pub struct Site {
    /// The disk of its database.
    pub disk: Option<Disk>,
    /// A network of its own, from which its database and its gateway can be reached too.
    pub network: Option<Network>,
    /// More settings of its PostgreSQL.
    pub settings: &'static str,
}

/// Where and how a shop is opened.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// On which kind of database.
    pub kind: Kind,
    /// With how many servers.
    pub replicas: usize,
    /// The server.
    pub binary: PathBuf,
    /// The plan of faults of each server.
    pub plan: String,
}

/// A shop.
#[derive(Debug)]
pub struct World {
    /// Its servers.
    pub servers: Vec<Server>,
    /// The address of its database.
    pub database: String,
    /// Its PostgreSQL, which is its own.
    pub cluster: Option<Cluster>,
    /// What is under it. It goes when everything on it has ended.
    pub site: Site,
    journal: Arc<Journal>,
    gateway: Gateway,
    receiver: Receiver,
    folder: TempDir,
    wanted: Wanted,
}

impl World {
    /// Prepares a shop without servers.
    pub async fn prepare(wanted: Wanted) -> anyhow::Result<Self> {
        Self::prepare_at(wanted, Site::default()).await
    }

    /// Prepares a shop without servers on this.
    pub async fn prepare_at(wanted: Wanted, site: Site) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (database, cluster) = match wanted.kind {
            Kind::Sqlite => {
                let disk = site.disk.as_ref().map_or(folder.path(), Disk::path);
                (format!("sqlite://{}/shop.db", disk.display()), None)
            }
            Kind::Postgres => {
                let cluster = new_cluster(&site);
                (new_database(&cluster).await?, Some(cluster))
            }
        };
        let journal = Arc::new(Journal::create(&folder.path().join("journal"))?);
        let gateway = Gateway::start(Arc::clone(&journal), site.network.as_ref().map(Network::host)).await?;
        // Servers that are elsewhere reach it, too.
        let host = site.network.as_ref().map_or("127.0.0.1", Network::host);
        let receiver = Receiver::start(Arc::clone(&journal), host).await?;
        Ok(Self { servers: Vec::new(), database, cluster, site, journal, gateway, receiver, folder, wanted })
    }

    /// Opens a shop whose servers run.
    pub async fn open(wanted: Wanted) -> anyhow::Result<Self> {
        Self::open_at(wanted, Site::default()).await
    }

    /// Opens a shop on this whose servers run.
    pub async fn open_at(wanted: Wanted, site: Site) -> anyhow::Result<Self> {
        let mut world = Self::prepare_at(wanted, site).await?;
        let database = world.database.clone();
        world.start_all(&database).await?;
        Ok(world)
    }

    /// Starts every server, on the database at this address.
    pub async fn start_all(&mut self, database: &str) -> anyhow::Result<()> {
        for _ in 0..self.wanted.replicas {
            self.start_one(database).await?;
        }
        self.note_gauges().await
    }

    /// Starts one more server, on the database at this address.
    pub async fn start_one(&mut self, database: &str) -> anyhow::Result<()> {
        let mut server = self.server(database)?;
        server.start().await?;
        self.servers.push(server);
        Ok(())
    }

    /// A server that does not run yet.
    pub fn server(&self, database: &str) -> anyhow::Result<Server> {
        let server = Server::new(&self.wanted.binary, (database, &self.gateway.url), &self.plan(""), self.log())?;
        self.gateway.tell(&server.url);
        Ok(server)
    }

    /// Where the log of the next server is.
    fn log(&self) -> PathBuf {
        self.folder.path().join(format!("server-{}.log", self.servers.len()))
    }

    /// A server in the network of this shop that does not run yet: it reaches database and gateway over that network only.
    pub fn server_in_network(&mut self) -> anyhow::Result<Server> {
        let log = self.log();
        let network = self.site.network.as_mut().context("a network")?;
        let over = |url: &str| url.replace("127.0.0.1", network.host());
        let reaches = (over(&self.database), over(&self.gateway.url));
        let server = Server::new(&self.wanted.binary, (&reaches.0, &reaches.1), &self.wanted.plan, log)?;
        network.open(server.port())?;
        self.gateway.tell(&server.url);
        Ok(server.wrapped(&network.wrapper()))
    }

    /// The plan of faults of the servers, with more behind it.
    pub fn plan(&self, more: &str) -> String {
        format!("{};{more}", self.wanted.plan)
    }

    /// Writes down how the gauges stand before anybody comes.
    pub async fn note_gauges(&self) -> anyhow::Result<()> {
        let server = self.servers.first().context("a server")?;
        for (name, value) in checker::rest::gauges(&server.url).await? {
            self.journal.write(&Record::Gauge { name, value });
        }
        Ok(())
    }

    /// The addresses of its servers.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.url.clone()).collect()
    }

    /// A way to it that keeps a journal.
    pub fn api(&self) -> anyhow::Result<Api> {
        Api::new(self.urls(), Arc::clone(&self.journal))
    }

    /// Has somebody be told of what happens to orders from now on.
    pub async fn tell_others(&self) -> anyhow::Result<()> {
        self.receiver.register(&self.api()?).await
    }

    /// The journal.
    pub const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Writes down a fault.
    pub fn fault(&self, name: impl Into<String>) {
        self.journal.write(&Record::Fault { name: name.into() });
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many servers it is to have.
    pub const fn replicas(&self) -> usize {
        self.wanted.replicas
    }

    /// What PostgreSQL complained about that must never happen, and what the servers did wrong when they were to stop.
    pub fn complaints(&self) -> Vec<String> {
        let of_servers = self.servers.iter().flat_map(Server::complaints).cloned();
        of_servers.chain(self.cluster.iter().flat_map(complaints_of)).collect()
    }

    /// Stops every server in order.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        for server in &mut self.servers {
            server.stop().await?;
        }
        Ok(())
    }

    /// Closes it, and keeps the files for somebody who wants to know what happened.
    pub fn close(self, keeps_files: bool) -> anyhow::Result<Option<PathBuf>> {
        // Whatever still runs ends here.
        drop(self.servers);
        if let (true, Some(cluster)) = (keeps_files, &self.cluster) {
            std::fs::copy(cluster.folder().join("log"), self.folder.path().join("postgres.log"))?;
        }
        Ok(keeps_files.then(|| self.folder.keep()))
    }
}

/// What a PostgreSQL complained about that must never happen.
pub fn complaints_of(cluster: &Cluster) -> Vec<String> {
    cluster.log().lines().filter(|line| line.contains("deadlock detected")).map(str::to_owned).collect()
}

fn new_cluster(site: &Site) -> Cluster {
    let settings = format!("{SETTINGS} {}", site.settings);
    match (&site.disk, &site.network) {
        (Some(disk), _) => Cluster::on_disk(&settings, disk.path()),
        (None, Some(network)) => {
            let cluster = Cluster::new(&format!("{settings} -c listen_addresses=127.0.0.1,{}", network.host()));
            cluster.trust(network.range());
            cluster
        }
        (None, None) => Cluster::new(&settings),
    }
}

async fn new_database(cluster: &Cluster) -> anyhow::Result<String> {
    let mut options = ConnectOptions::new(cluster.url("postgres"));
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    db.execute_unprepared("CREATE DATABASE shop").await?;
    db.close().await?;
    Ok(cluster.url("shop"))
}
