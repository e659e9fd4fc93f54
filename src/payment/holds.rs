//! Ends what unpaid orders hold when its time is over: by a timer of every replica, or by the next request that would be refused
//! for the sake of units whose time is over. It decides nothing: [`EndHold`] compares under the order's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::HoldSettings;
use crate::database::error::Error;
use crate::read::Store;
use crate::writer::Writer;
use domain::Time;
use domain::actor::Actor;
use domain::commands::EndHold;
use domain::rejection::Code;

/// Maximum pause between two looks for holds that are over: another replica may have begun one.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Minimum pause after a look that failed, or that found holds which somebody else is about to end.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// Maximum number of holds that are ended in one round.
const MAX_ROUND: u64 = 256;

/// Maximum number of holds that are ended at the same time. The writer takes them together.
const MAX_CONCURRENT: usize = 64;

/// That no hold is known.
const NONE: i64 = i64::MAX;

/// The holds of unpaid orders. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Holds {
    store: Store,
    writer: Writer,
    clock: Clock,
    settings: HoldSettings,
    /// When the next hold ends, in microseconds, as of the last look.
    next_end: Arc<AtomicI64>,
}

impl Holds {
    /// Returns the holds of this shop.
    #[must_use]
    pub fn new(store: Store, writer: Writer, clock: Clock, settings: HoldSettings) -> Self {
        Self { store, writer, clock, settings, next_end: Arc::new(AtomicI64::new(NONE)) }
    }

    /// Returns how long an order holds its units; `None` if it does not. `requested` is what its check-out says.
    #[must_use]
    pub fn of_order(&self, requested: Option<bool>) -> Option<Duration> {
        self.settings.of_order(requested)
    }

    /// Returns how long a hold lasts.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.settings.hold_time
    }

    /// Returns when the next hold ends, as of the last look of the timer.
    #[must_use]
    pub fn next_end(&self) -> Option<Time> {
        Time::from_timestamp_micros(self.next_end.load(Ordering::Relaxed))
    }

    /// Attempts something, and once more if there was not enough stock but a hold was over: its units are free, although nobody
    /// has said so yet.
    ///
    /// # Errors
    /// Those of the attempt.
    pub async fn retry<T, F: Future<Output = Result<T, Error>>>(&self, attempt: impl Fn() -> F) -> Result<T, Error> {
        let first = attempt().await;
        let lacks_stock = |error: &Error| match error {
            Error::Refused(refusal) => refusal.iter().any(|rejection| rejection.code == Code::InsufficientStock),
            _ => false,
        };
        let is_due = self.next_end.load(Ordering::Relaxed) <= self.clock.now().timestamp_micros();
        if !is_due || !first.as_ref().is_err_and(lacks_stock) {
            return first;
        }
        match Box::pin(self.end_due()).await {
            // Nobody has ended any; the first answer stands.
            Ok(0) | Err(_) => first,
            Ok(_) => attempt().await,
        }
    }

    /// Ends holds whose time is over. Returns how many there were, whoever ended them.
    async fn end_due(&self) -> Result<usize, Error> {
        let due = self.store.due_holds(self.clock.now(), MAX_ROUND).await?;
        let count = due.len();
        let ends = due.into_iter().map(|order| async move { self.writer.submit(&Actor::System, EndHold(order)).await });
        let mut ended = stream::iter(ends).buffer_unordered(MAX_CONCURRENT);
        while let Some(end) = ended.next().await {
            end?;
        }
        Ok(count)
    }

    /// Ends what is over, and returns when the next one ends.
    async fn round(&self) -> Result<Option<Time>, Error> {
        let next = self.store.next_hold_end().await?;
        self.next_end.store(next.map_or(NONE, |next| next.timestamp_micros()), Ordering::Relaxed);
        if next.is_some_and(|next| next <= self.clock.now()) {
            self.end_due().await?;
        }
        Ok(next)
    }
}

/// Ends holds at their times, until it is stopped.
pub async fn end_holds(holds: Holds, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match holds.round().await {
            Ok(next) => {
                let left = next.map(|next| (next - holds.clock.now()).to_std().unwrap_or_default());
                left.unwrap_or(MAX_PAUSE).clamp(MIN_PAUSE, MAX_PAUSE)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot end the holds of unpaid orders; trying again");
                MAX_PAUSE
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}
