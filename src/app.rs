//! The shared state of a server: the store, the writer, the hub, payments and the clock, behind one reference count.
//!
//! It holds what every request needs and decides nothing. It must never own what belongs to one request or connection.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{GatewaySettings, HoldSettings, PaymentTimeouts, WebhookSettings};
use crate::database::error::Error;
use crate::database::{Databases, Kind, Notifier};
use crate::live::{Feed, FeedAge, Hub};
use crate::payment::holds::Holds;
use crate::payment::{PaymentSettings, Payments};
use crate::read::Store;
use crate::supervision::{Supervisor, joined};
use crate::webhooks::Webhooks;
use crate::writer::{Connection, MAX_QUEUED, MAX_WAIT, Publication, Writer, WriterHealth};
use domain::stock::PublicStock;

/// The settings of an [`App`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long paying may take.
    pub times: PaymentTimeouts,
    /// Which orders hold their units before they are paid.
    pub holds: HoldSettings,
    /// How outgoing webhooks are sent.
    pub webhooks: WebhookSettings,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// Whether the sandbox may be paid with.
    pub has_sandbox: bool,
    /// Which gateways there are besides.
    pub gateways: GatewaySettings,
    /// Whether nothing is written that release 0.1 cannot read.
    pub is_compatible_with_0_1: bool,
    /// Maximum number of commands that wait for the writer.
    pub max_queued: usize,
    /// How long a command may wait for its turn; after that it is not executed.
    pub max_wait: Duration,
}

impl Settings {
    /// Returns the settings of an app with these times, and everything else as it is unless it is set otherwise.
    #[must_use]
    pub fn of(times: PaymentTimeouts) -> Self {
        Self {
            times,
            holds: HoldSettings::default(),
            public_stock: PublicStock::Exact,
            has_sandbox: false,
            gateways: GatewaySettings::default(),
            is_compatible_with_0_1: false,
            webhooks: WebhookSettings::DEFAULT,
            max_queued: MAX_QUEUED,
            max_wait: MAX_WAIT,
        }
    }
}

/// A handle to the shared state. Cloning it copies one pointer.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

/// The shared state, which an [`App`] dereferences to.
#[derive(Debug)]
pub struct Shared {
    /// Read queries.
    pub store: Store,
    /// Read queries of the server itself, which never wait for those of clients.
    pub probes: Store,
    /// The only way to change anything.
    pub writer: Writer,
    /// Whether the database takes changes.
    pub writer_health: WriterHealth,
    /// Publishes committed changes to the subscribers of this replica.
    pub hub: Hub,
    /// Notifies the other replicas of commits, and is notified by them.
    pub notifier: Notifier,
    /// The age of the feed between replicas.
    pub feed_age: FeedAge,
    /// Makes payments.
    pub payments: Payments,
    /// Holds of orders that are not paid yet.
    pub holds: Holds,
    /// Sends to outgoing webhooks.
    pub webhooks: Webhooks,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// Whether nothing is written that release 0.1 cannot read.
    pub is_compatible_with_0_1: bool,
    /// The source of the time.
    pub clock: Clock,
    /// Ends the process when a task ends that the server cannot do without.
    pub supervisor: Supervisor,
    /// Work that continues when its caller goes away, and that a shutdown waits for.
    pub tasks: TaskTracker,
}

impl App {
    /// Starts the writer on this database under supervision. The returned task ends when the last clone of the app is
    /// dropped and everything that was queued is done.
    #[must_use]
    pub fn start(databases: &Databases, settings: Settings, clock: Clock) -> (Self, JoinHandle<()>) {
        let Settings {
            times,
            holds,
            webhooks,
            public_stock,
            has_sandbox,
            gateways,
            is_compatible_with_0_1,
            max_queued,
            max_wait,
        } = settings;
        let (hub, announcer) = Hub::new();
        let notifier = Notifier::default();
        let (store, probes) = (Store::of(databases), Store::new(databases.probe.clone()));
        let writer_health = WriterHealth::default();
        let publication = Publication {
            hub: hub.clone(),
            notifier: notifier.clone(),
            clock: clock.clone(),
            health: writer_health.clone(),
        };
        let (writer, task) =
            Writer::start(Connection::of(databases), publication, public_stock, (max_queued, max_wait));
        let (supervisor, feed_age, tasks) = (Supervisor::default(), FeedAge::default(), TaskTracker::new());
        let has_development_gateways = has_sandbox;
        let payment_settings = PaymentSettings { times, has_development_gateways, gateways, is_compatible_with_0_1 };
        // An earlier release would allocate a second time what an order holds.
        let holds = if is_compatible_with_0_1 { HoldSettings::never() } else { holds };
        let holds = Holds::new(probes.clone(), writer.clone(), clock.clone(), holds);
        let (payment_store, payment_writer) = (store.clone(), writer.clone());
        let payments =
            Payments::new(payment_store, payment_writer, clock.clone(), tasks.clone(), payment_settings, holds.clone());
        let webhooks = Webhooks::new(store.clone(), writer.clone(), clock.clone(), webhooks);
        let task = supervisor.watch("the writer", task);
        supervisor.watch("the announcer", joined(announcer));
        let shared = Shared {
            store,
            probes,
            writer,
            writer_health,
            hub,
            notifier,
            feed_age,
            payments,
            holds,
            webhooks,
            public_stock,
            is_compatible_with_0_1,
            clock,
            supervisor,
            tasks,
        };
        (Self(Arc::new(shared)), task)
    }

    /// Follows the changes of other replicas until `stop`, and notifies them of those of this one. Does nothing where this
    /// process has the database to itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow_replicas(&self, kind: &Kind, stop: &CancellationToken) -> Result<(), Error> {
        if let Kind::Postgres(postgres) = kind {
            let (hub, clock, age) = (self.hub.clone(), self.clock.clone(), self.feed_age.clone());
            let feed = Feed::begin(postgres.clone(), hub, clock, age).await?;
            self.supervisor.spawn("the feed between replicas", stop, feed.follow(self.notifier.clone(), stop.clone()));
            let carried = self.notifier.clone().carry(postgres.clone(), stop.clone());
            self.supervisor.spawn("the notifier between replicas", stop, carried);
        }
        Ok(())
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
