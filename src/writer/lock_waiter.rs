//! The worker for commands whose rows another transaction holds. It has a connection of its own, on which it waits for
//! those rows in the database's own queue; so a row that many want is had in turn, and nobody else waits for it.
//!
//! It never takes a command that the main worker has not tried first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::MAX_BATCH;
use super::batch::Batches;
use super::job::Job;

/// Maximum number of commands that wait for rows which other transactions hold; more are refused.
const MAX_SET_ASIDE: usize = 1_024;

/// The way to the worker. It ends, with everything that was handed to it done, when the last clone is gone.
#[derive(Debug, Clone)]
pub struct LockWaiter {
    queue: mpsc::Sender<Box<dyn Job>>,
    /// Commands that were handed over and are not done.
    count: Arc<AtomicUsize>,
}

/// The commands that were handed over.
#[derive(Debug)]
pub struct SetAside {
    waiting: mpsc::Receiver<Box<dyn Job>>,
    count: Arc<AtomicUsize>,
}

impl LockWaiter {
    /// Returns the two ends of the queue.
    pub fn queue() -> (Self, SetAside) {
        let (queue, waiting) = mpsc::channel(MAX_SET_ASIDE);
        let count = Arc::<AtomicUsize>::default();
        (Self { queue, count: Arc::clone(&count) }, SetAside { waiting, count })
    }

    /// Whether commands wait for rows just now.
    pub fn is_busy(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Takes commands over and returns those that there is no place for.
    pub fn take(&self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let mut too_many = Vec::new();
        for job in jobs {
            self.count.fetch_add(1, Ordering::Relaxed);
            if let Err(TrySendError::Full(job) | TrySendError::Closed(job)) = self.queue.try_send(job) {
                self.count.fetch_sub(1, Ordering::Relaxed);
                too_many.push(job);
            }
        }
        too_many
    }
}

/// Does what is handed over until nothing will be any more.
///
/// # Errors
/// The reason why this process must not go on.
pub async fn work(mut set_aside: SetAside, mut batches: Batches) -> Result<(), String> {
    let mut jobs = Vec::with_capacity(MAX_BATCH);
    loop {
        let held = batches.held();
        if held == 0 {
            if set_aside.waiting.recv_many(&mut jobs, MAX_BATCH).await == 0 {
                break;
            }
        } else {
            // Others may want rows that are free by now; they do not wait behind those that are not.
            while jobs.len() < MAX_BATCH
                && let Ok(job) = set_aside.waiting.try_recv()
            {
                jobs.push(job);
            }
        }
        let count = held + jobs.len();
        let mut done = Ok(());
        if !jobs.is_empty() {
            done = batches.process(std::mem::take(&mut jobs)).await;
        }
        if done.is_ok() {
            done = batches.take_turn(!set_aside.waiting.is_empty()).await;
        }
        set_aside.count.fetch_sub(count - batches.held(), Ordering::Relaxed);
        done?;
    }
    batches.close().await;
    Ok(())
}
