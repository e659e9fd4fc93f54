//! The writer: the only code that begins a transaction that writes. It publishes what it has committed; the feed publishes
//! what other replicas have.
//!
//! Commands queue up while the last commit is under way and are then decided together, in order of arrival, in one
//! transaction. There is no timer: an idle server commits at once. Nothing is answered or published before the commit.

mod attempt;
mod batch;
mod connection;
mod expiry;
mod health;
mod job;
mod lock_waiter;
mod maintenance;
mod outbox;
mod queue;
mod thread;

pub mod retention;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::SizeLimits;
use crate::database::error::Error;
use crate::observability::metrics;
use domain::actor::Actor;
use domain::client::ClientKey;
use domain::commands::Command;
use domain::stock::PublicStock;

use crate::database::prune::MAX_BETWEEN_BATCHES;
pub use crate::database::prune::{Prune, Pruned};
pub use batch::Publication;
use batch::{Batches, Role};
pub use connection::Connection;
pub use health::WriterHealth;
use job::{Job, JobEnd};
use lock_waiter::LockWaiter;
use maintenance::{Maintenance, Request};
use queue::{QueueError, Receiver, Sender, queue};

/// Maximum number of commands that wait for the writer unless it is set otherwise; one more is refused as `OVERLOADED`.
pub const MAX_QUEUED: usize = SizeLimits::DEFAULT.queued;

/// Most commands in one transaction.
pub const MAX_BATCH: usize = 256;

// Rows that are over go faster than new ones come.
const _: () = assert!(MAX_BETWEEN_BATCHES == 2 * MAX_BATCH as u64);

/// Maximum number of rows that the commands of one transaction write, as far as their input tells, unless a single one
/// writes more.
pub const MAX_BATCH_ROWS: usize = 2_048;

/// How long a command may wait for its turn unless it is set otherwise; after that it is dropped, not executed. Less than a
/// request may take, so that its caller hears just that.
pub const MAX_WAIT: Duration = Duration::from_secs(3);

/// How much longer its caller waits for the answer once it may have been executed.
pub const MAX_EXECUTION: Duration = Duration::from_secs(5);

/// How often an idle writer tries whether the database takes changes again, after it took none.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Who hands in a command, and as which client they are counted.
#[derive(Debug, Clone)]
pub struct Submitter {
    /// Who they are.
    pub actor: Actor,
    /// Whose turn in the queue it takes.
    pub client: ClientKey,
}

/// Somebody whose address is not known.
impl From<&Actor> for Submitter {
    fn from(actor: &Actor) -> Self {
        Self { actor: actor.clone(), client: actor.into() }
    }
}

impl From<&Self> for Submitter {
    fn from(submitter: &Self) -> Self {
        submitter.clone()
    }
}

/// A way to the writer's queue. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Sender<Box<dyn Job>>>,
    /// How long a command may wait for its turn.
    max_wait: Duration,
    /// What is to be pruned between two batches.
    prunes: mpsc::Sender<Request>,
    /// Where other connections can be made, what is pruned instead of that.
    maintenance: Option<Arc<Maintenance>>,
}

impl Writer {
    /// Starts the writer on this connection and a thread of its own, with a queue for so many commands that wait for their
    /// turn so long. It ends, with everything that was queued done, when the last clone of the handle is gone; and with the
    /// reason when this process must not go on. After each commit it announces what changed to this replica and notifies
    /// the others.
    #[must_use]
    pub fn start(
        connection: Connection,
        publication: Publication,
        public_stock: PublicStock,
        (max_queued, max_wait): (usize, Duration),
    ) -> (Self, JoinHandle<Result<(), String>>) {
        let (queue, waiting) = queue(max_queued);
        let (prunes, to_prune) = mpsc::channel(1);
        let maintenance = connection.postgres().cloned().map(|postgres| Arc::new(Maintenance::new(postgres)));
        let (role, second) = match connection.another() {
            None => (Role::Single, None),
            Some(another) => {
                let (lock_waiter, set_aside) = LockWaiter::queue();
                let batches = Batches::new(another, publication.clone(), public_stock, Role::LockWaiter);
                (Role::Main(lock_waiter), Some(lock_waiter::work(set_aside, batches)))
            }
        };
        let first = work(waiting, to_prune, Batches::new(connection, publication, public_stock, role));
        let task = thread::run("writer", async move {
            let second = async {
                match second {
                    Some(second) => second.await,
                    None => Ok(()),
                }
            };
            tokio::try_join!(first, second).map(|((), ())| ())
        });
        (Self { queue: Arc::new(queue), max_wait, prunes, maintenance }, task)
    }

    /// Has a command decided and its effect committed.
    ///
    /// Once it is in the queue it goes on when the caller goes away. Commands of one client are decided in the order in
    /// which they came, unless another transaction holds the rows of an earlier one; and clients take turns.
    ///
    /// # Errors
    /// `Refused` by the business; `Overloaded` when the queue, or the client's part of it, is full, `Unavailable` when it was not executed,
    /// `TimedOut` when nobody knows; `Failure` when something is wrong with us.
    pub async fn submit<C: Command>(&self, by: impl Into<Submitter>, command: C) -> Result<C::Answer, Error> {
        let Submitter { actor, client } = by.into();
        let deadline = Instant::now() + self.max_wait;
        let rows = command.rows();
        let (job, answer) = job::queue_up(command, actor, deadline);
        self.queue.send(client, rows, job).map_err(|turned| match turned {
            QueueError::Full => Error::Overloaded,
            QueueError::Closed => Error::Unavailable,
        })?;
        match timeout_at(deadline + MAX_EXECUTION, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Error::TimedOut),
        }
    }

    /// Deletes some of what is over, a bounded number of rows. No command waits for longer than that takes.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer; `Failure` when it refuses.
    pub async fn prune(&self, prune: Prune) -> Result<Pruned, Error> {
        if let Some(maintenance) = &self.maintenance {
            return Ok(maintenance.run(prune).await?);
        }
        let (reply, pruned) = oneshot::channel();
        self.prunes.send((prune, reply)).await.map_err(|_| Error::Unavailable)?;
        Ok(pruned.await.map_err(|_| Error::Unavailable)??)
    }
}

/// Takes whatever waits, again and again. Between two batches something is pruned, one statement at a time. While the
/// database takes no changes, tries now and then whether it does.
async fn work(
    mut waiting: Receiver<Box<dyn Job>>,
    mut to_prune: mpsc::Receiver<Request>,
    mut batches: Batches,
) -> Result<(), String> {
    batches.prepare_database().await;
    loop {
        if let Ok((prune, reply)) = to_prune.try_recv() {
            // Who asked may have gone away.
            let _ = reply.send(batches.prune(prune).await);
        }
        let jobs = tokio::select! {
            biased;
            jobs = waiting.take(MAX_BATCH, MAX_BATCH_ROWS) => Some(jobs),
            Some((prune, reply)) = to_prune.recv() => {
                let _ = reply.send(batches.prune(prune).await);
                continue;
            }
            () = sleep(PROBE_EVERY) => None,
        };
        if jobs.is_none() && batches.is_healthy() {
            continue;
        }
        if jobs.as_ref().is_some_and(Vec::is_empty) {
            batches.close().await;
            return Ok(());
        }
        metrics::queued(waiting.len());
        if let Err(reason) = batches.process(jobs.unwrap_or_default()).await {
            batch::end(waiting.close(), JobEnd::NotExecuted);
            return Err(reason);
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("free", &self.queue.free()).finish_non_exhaustive()
    }
}
