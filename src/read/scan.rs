//! Reads that may look at every product: by a part of a name, or by an availability. They have connections of their own,
//! so that nothing else that is read waits for them, few run at the same time, and few more wait for their turn.
//!
//! What one costs its client depends on how many products there are. Nothing is counted for a client here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::product;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::database::error::Error;
use crate::supervision::detached;

use crate::database::bounded::{Bounded, PoolUse};
use crate::database::postgres::has_search_index;

pub use crate::database::MAX_SCANS;

/// Maximum number of scans that wait for their turn.
pub const MAX_WAITING_SCANS: usize = 32;

/// Timeout for waiting for a turn.
const TURN_WAIT: Duration = Duration::from_secs(1);

/// How long the number of products is taken to be what it was.
const COUNT_EVERY: Duration = Duration::from_mins(1);

/// A scan of so many products costs as much as a field: 20,000 of them are a point of the rate limit.
const PRODUCTS_FOR_ONE: u64 = 20;

/// What a scan costs at most, so that in the largest catalogue somebody can search now and then.
pub const MAX_SCAN_COST: u64 = 50_000;

/// What is found by an index costs one part in so many.
const INDEXED_SHARE: u64 = 10;

/// The connections that scan, and who has a turn. Clones share them.
#[derive(Debug, Clone)]
pub struct Scanner {
    db: Bounded,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    catalogue: Arc<Catalogue>,
}

/// What was last known of the catalogue.
#[derive(Debug, Default)]
struct Catalogue {
    products: AtomicU64,
    is_indexed: AtomicBool,
    counted_at: Mutex<Option<Instant>>,
}

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    db: Bounded,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Turn {
    /// The connections to scan over.
    pub const fn db(&self) -> &Bounded {
        &self.db
    }
}

impl Scanner {
    /// How the connections are used.
    pub fn used(&self) -> PoolUse {
        self.db.used()
    }

    /// Scans over these connections.
    pub fn new(db: Bounded) -> Self {
        let turns = MAX_SCANS as usize;
        Self {
            db,
            places: Arc::new(Semaphore::new(turns + MAX_WAITING_SCANS)),
            turns: Arc::new(Semaphore::new(turns)),
            catalogue: Arc::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Overloaded` when too many wait already, or it does not come in time.
    pub async fn turn(&self) -> Result<Turn, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        let turn = timeout(TURN_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Error::Overloaded)?.map_err(|_| Error::Unavailable)?;
        if self.catalogue.is_due() {
            // In a task of its own: whoever searches may go away meanwhile, and need not hear that it failed.
            let scanner = self.clone();
            let counted = detached(async move {
                if let Err(error) = scanner.count().await {
                    tracing::warn!(%error, "the products could not be counted");
                    scanner.catalogue.forget();
                }
            });
            let _ = counted.await;
        }
        Ok(Turn { db: self.db.clone(), _permits: [place, turn] })
    }

    /// Counts the products, and looks whether there is an index.
    async fn count(&self) -> Result<(), DbErr> {
        let products = product::Entity::find().count(&self.db).await?;
        let is_shared = self.db.get_database_backend() == DbBackend::Postgres;
        let is_indexed = is_shared && has_search_index(&self.db).await?;
        self.catalogue.products.store(products, Ordering::Relaxed);
        self.catalogue.is_indexed.store(is_indexed, Ordering::Relaxed);
        Ok(())
    }

    /// What so many scans cost that no index helps with, and so many that one may.
    pub fn cost(&self, whole: u64, indexable: u64) -> u64 {
        let products = self.catalogue.products.load(Ordering::Relaxed);
        let one = (products / PRODUCTS_FOR_ONE).min(MAX_SCAN_COST);
        let is_indexed = self.catalogue.is_indexed.load(Ordering::Relaxed);
        let indexed = if is_indexed { one / INDEXED_SHARE } else { one };
        whole.saturating_mul(one).saturating_add(indexable.saturating_mul(indexed))
    }
}

impl Catalogue {
    /// Lets the next search have the products counted.
    fn forget(&self) {
        *self.counted_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is time to count again; whoever is told so does it.
    fn is_due(&self) -> bool {
        let mut counted_at = self.counted_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = counted_at.is_none_or(|at| at.elapsed() >= COUNT_EVERY);
        if is_due {
            *counted_at = Some(Instant::now());
        }
        is_due
    }
}
