//! The writer: the only code that begins a transaction, and the only code that publishes.
//!
//! Commands queue up while the last commit is under way and are then decided together, in order of arrival, in one
//! transaction. There is no timer: an idle server commits at once. Nothing is answered or published before the commit.

mod batch;
mod connection;
mod held;
mod job;
mod load;
mod save;

pub mod idempotency;
pub mod table;
pub mod world;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::commands::Command;
use crate::domain::party::Party;
use crate::domain::stock::PublicStock;
use crate::error::Error;
use crate::live::Hub;
use crate::store::postgres::Bell;
use crate::telemetry;

use batch::Batches;
pub use connection::Connection;
use job::Job;

/// Most commands that wait for the writer unless set otherwise; one more is refused as `OVERLOADED`.
pub const MAX_QUEUED: usize = 4_096;

/// Most commands in one transaction.
pub const MAX_BATCH: usize = 256;

/// How long a command may wait for its turn; after that it is dropped, not executed. Less than a request may take, so that
/// its caller hears just that.
pub const MAX_WAIT: Duration = Duration::from_secs(3);

/// How much longer its caller waits for the answer once it may have been executed.
pub const MAX_EXECUTION: Duration = Duration::from_secs(5);

/// The pause before commands are tried again whose rows somebody else held.
const RETRY_PAUSE: Duration = Duration::from_millis(25);

/// A way to the writer's queue. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the writer on this connection, with a queue for so many commands. It ends, with everything that was queued
    /// done, when the last clone of the handle is gone. After each commit it announces what changed to this replica and
    /// rings for the others.
    #[must_use]
    pub fn start(
        connection: Connection,
        links: (Hub, Bell),
        clock: Clock,
        public_stock: PublicStock,
        max_queued: usize,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel::<Box<dyn Job>>(max_queued.max(1));
        let task = tokio::spawn(work(waiting, Batches::new(connection, links, clock, public_stock)));
        (Self { queue }, task)
    }

    /// Has a command decided and its effect committed.
    ///
    /// Once it is in the queue it goes on when the caller goes away.
    ///
    /// # Errors
    /// `Refused` by the business; `Overloaded` when the queue is full, `Unavailable` when it was not executed,
    /// `TimedOut` when nobody knows; `Failure` when something is wrong with us.
    pub async fn submit<C: Command>(&self, who: &Party, command: C) -> Result<C::Answer, Error> {
        let deadline = Instant::now() + MAX_WAIT;
        let (job, answer) = job::queue_up(command, who.clone(), deadline);
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Closed(_) => Error::Unavailable,
        })?;
        match timeout_at(deadline + MAX_EXECUTION, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Error::TimedOut),
        }
    }
}

/// Takes whatever waits, again and again. What was set aside is tried again soon, also when nothing new comes.
async fn work(mut waiting: mpsc::Receiver<Box<dyn Job>>, mut batches: Batches) {
    let mut jobs = Vec::with_capacity(MAX_BATCH);
    loop {
        let is_open = if batches.has_set_aside() {
            let soon = Instant::now() + RETRY_PAUSE;
            let came = timeout_at(soon, waiting.recv_many(&mut jobs, MAX_BATCH)).await;
            if came == Ok(0) {
                // Nothing will come any more, but what was set aside is still to be brought to its end.
                sleep_until(soon).await;
            }
            true
        } else {
            waiting.recv_many(&mut jobs, MAX_BATCH).await > 0
        };
        if !is_open {
            return;
        }
        telemetry::queued(waiting.len());
        batches.process(std::mem::take(&mut jobs)).await;
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("free", &self.queue.capacity()).finish()
    }
}
