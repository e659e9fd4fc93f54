//! One transaction for many commands: load the union of their rows, let each decide in order of arrival, save what
//! changed, commit; only then answer and publish.
//!
//! A batch that the database refuses is halved until the one bad command stands alone: it never fails its neighbours.

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqlErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::clock::Clock;
use crate::commands::Footprint;
use crate::domain::random::Random;
use crate::domain::stock::PublicStock;
use crate::error::is_connection_lost;
use crate::live::Hub;
use crate::telemetry;

use super::job::{End, Job};
use super::world::World;
use super::{load, save};

/// Runs batches, one after the other.
pub struct Batches {
    db: DatabaseConnection,
    hub: Hub,
    clock: Clock,
    random: Random,
    public_stock: PublicStock,
}

/// Why a batch did not go through.
enum Failed {
    /// Nothing of it was executed.
    Before(DbErr),
    /// The commit itself failed: nobody knows.
    AtCommit(DbErr),
}

impl From<DbErr> for Failed {
    fn from(error: DbErr) -> Self {
        Self::Before(error)
    }
}

impl Batches {
    pub fn new(db: DatabaseConnection, hub: Hub, clock: Clock, public_stock: PublicStock) -> Self {
        Self { db, hub, clock, random: Random::unpredictable(), public_stock }
    }

    /// Brings every job to its end.
    pub async fn process(&mut self, jobs: Vec<Box<dyn Job>>) {
        let now = Instant::now();
        let (late, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.is_late(now));
        end(late, End::NotExecuted);
        let mut waiting = vec![jobs];
        let mut tried_alone = false;
        while let Some(mut jobs) = waiting.pop() {
            if jobs.is_empty() {
                continue;
            }
            let began = Instant::now();
            let span = span(&jobs);
            let attempted = self.attempt(&mut jobs).instrument(span).await;
            telemetry::batch(jobs.len(), began.elapsed());
            match attempted {
                Ok(world) => {
                    self.hub.publish(&world);
                    end(jobs, End::Committed);
                }
                Err(Failed::AtCommit(error)) => {
                    tracing::error!(%error, commands = jobs.len(), "the outcome of a commit is unknown");
                    end(jobs, End::Unknown);
                }
                Err(Failed::Before(error)) if is_connection_lost(&error) => {
                    tracing::error!(%error, commands = jobs.len(), "the database cannot be reached");
                    end(jobs, End::NotExecuted);
                }
                Err(Failed::Before(_)) if jobs.len() > 1 => {
                    let second = jobs.split_off(jobs.len() / 2);
                    waiting.extend([second, jobs]);
                }
                Err(Failed::Before(error)) => {
                    let is_unique = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)));
                    if is_unique && !tried_alone {
                        // Random values may collide; with fresh ones they do not collide again.
                        tried_alone = true;
                        waiting.push(jobs);
                        continue;
                    }
                    tracing::error!(%error, "the database refused a command");
                    end(jobs, if is_unique { End::Taken } else { End::Broken });
                }
            }
            tried_alone = false;
        }
    }

    async fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<World, Failed> {
        let footprint = union(jobs);
        let transaction = begin(&self.db).await?;
        let mut world = load::world(&transaction, footprint).await?;
        let now = self.clock.now();
        for job in jobs {
            job.decide(&mut world, now, self.public_stock, &mut self.random);
        }
        save::changes(&transaction, &world).await?;
        transaction.commit().await.map_err(Failed::AtCommit)?;
        Ok(world)
    }
}

/// Begins the only kind of transaction there is: one that may write from its first statement on. A deferred one would
/// fail as busy when it turns from reading to writing.
#[expect(clippy::disallowed_methods, reason = "this is the writer")]
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await
}

/// The span of a batch, linked to those of its callers.
fn span(jobs: &[Box<dyn Job>]) -> Span {
    let span = tracing::info_span!("batch", commands = jobs.len());
    for job in jobs {
        span.follows_from(job.span());
    }
    span
}

fn end(jobs: Vec<Box<dyn Job>>, end: End) {
    for job in jobs {
        job.answer(end);
    }
}

fn union(jobs: &[Box<dyn Job>]) -> Footprint {
    jobs.iter().map(|job| job.footprint()).fold(Footprint::default(), |mut all, one| {
        all.keys.extend(one.keys);
        all.carts.extend(one.carts);
        all.orders.extend(one.orders);
        all.payments.extend(one.payments);
        all.products.extend(one.products);
        all.skus.extend(one.skus);
        all.slugs.extend(one.slugs);
        all.charges.extend(one.charges);
        all
    })
}
