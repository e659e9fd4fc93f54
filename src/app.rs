//! What every part of the server works with: the store, the writer, the hub, the gateways and the clock.
//!
//! Cheap to clone and handed on as the first argument. It owns nothing that cannot be shared.

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::PaymentTimes;
use crate::database::{Databases, Notifier};
use crate::live::{FeedAge, Hub};
use crate::payment::Gateways;
use crate::read::Store;
use crate::supervision::Supervisor;
use crate::writer::{Connection, Links, Writer, WriterHealth};
use domain::stock::PublicStock;

/// What an app is started with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long paying may take.
    pub times: PaymentTimes,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// Whether the sandbox may be paid with.
    pub has_sandbox: bool,
    /// Most commands that wait for the writer.
    pub max_queued: usize,
}

/// What every part of the server works with.
#[derive(Clone, Debug)]
pub struct App {
    /// Read queries.
    pub store: Store,
    /// Read queries of the server's own, which never wait for those of clients.
    pub probes: Store,
    /// The only way to change anything.
    pub writer: Writer,
    /// Whether the database takes changes.
    pub writer_health: WriterHealth,
    /// Where changes are announced.
    pub hub: Hub,
    /// What tells other replicas that there is something new, and hears it from them.
    pub notifier: Notifier,
    /// How late the feed between replicas is.
    pub feed_age: FeedAge,
    /// Who takes the money.
    pub gateways: Gateways,
    /// How long paying may take.
    pub times: PaymentTimes,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// Where the time comes from.
    pub clock: Clock,
    /// Ends the process when a task ends that it cannot do without.
    pub supervisor: Supervisor,
    /// Work that goes on when its caller goes away, and that a shutdown waits for.
    pub tasks: TaskTracker,
}

impl App {
    /// Starts the writer on this database, and watches over it. The handle ends when the last clone of the app is gone.
    #[must_use]
    pub fn start(databases: &Databases, settings: Settings, clock: Clock) -> (Self, JoinHandle<()>) {
        let Settings { times, public_stock, has_sandbox, max_queued } = settings;
        let hub = Hub::default();
        let notifier = Notifier::default();
        let (store, probes) = (Store::of(databases), Store::new(databases.probe.clone()));
        let writer_health = WriterHealth::default();
        let links =
            Links { hub: hub.clone(), notifier: notifier.clone(), clock: clock.clone(), health: writer_health.clone() };
        let (writer, task) = Writer::start(Connection::of(databases), links, public_stock, max_queued);
        let gateways = Gateways::new(store.clone(), writer.clone(), clock.clone(), has_sandbox);
        let (supervisor, feed_age, tasks) = (Supervisor::default(), FeedAge::default(), TaskTracker::new());
        let task = supervisor.watch("the writer", task);
        let app = Self {
            store,
            probes,
            writer,
            writer_health,
            hub,
            notifier,
            feed_age,
            gateways,
            times,
            public_stock,
            clock,
            supervisor,
            tasks,
        };
        (app, task)
    }
}
