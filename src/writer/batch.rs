//! One transaction for many commands: load the union of their rows, let each decide in order of arrival, save what
//! changed, commit; only then answer and publish.
//!
//! A batch that the database refuses is halved until the one bad command stands alone: it never fails its neighbours.
//! What somebody else holds is set aside, so that it stalls nobody else. A commit that may have happened is never
//! repeated before it is known that it has not.

use std::time::Duration;

use sea_orm::{DatabaseTransaction, DbErr};
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, Span};

use crate::clock::Clock;
use crate::commands::Footprint;
use crate::domain::random::Random;
use crate::domain::stock::PublicStock;
use crate::error::{Trouble, trouble};
use crate::live::Hub;
use crate::store::Bell;
use crate::store::postgres::{Committed, introduce, outcome};
use crate::telemetry;

use super::connection::Connection;
use super::job::{End, Job};
use super::load::{Loaded, Locks, load};
use super::{MAX_BATCH, save};

/// Most commands that are set aside because somebody holds their rows; more are refused.
const MAX_SET_ASIDE: usize = 1_024;

/// How often the same commands are tried again after they came into another transaction's way, or after the database
/// went away before they were committed.
const MAX_TRIES: u32 = 4;

/// The pause before such another try, times the number of tries.
const TRY_PAUSE: Duration = Duration::from_millis(10);

/// How long we ask how a commit ended whose answer was lost: less than its callers wait.
const MAX_ASKING: Duration = Duration::from_secs(4);

/// How long one such question waits.
const ASK_WAIT: Duration = Duration::from_secs(2);

/// The pause before we ask again.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// Runs batches, one after the other.
pub struct Batches {
    connection: Connection,
    hub: Hub,
    bell: Bell,
    clock: Clock,
    random: Random,
    public_stock: PublicStock,
    set_aside: Vec<Box<dyn Job>>,
}

/// Some commands that are to be tried together.
struct Attempt {
    jobs: Vec<Box<dyn Job>>,
    locks: Locks,
    tries: u32,
}

/// A batch that is only to be committed.
struct Prepared {
    transaction: DatabaseTransaction,
    loaded: Loaded,
    /// Its number, where others may have to be asked about it.
    id: Option<String>,
}

/// Why a batch did not go through.
enum Failed {
    /// Nothing of it was executed.
    Before(DbErr),
    /// The commit itself failed, of the transaction with this number: nobody knows.
    AtCommit(DbErr, Option<String>),
}

impl From<DbErr> for Failed {
    fn from(error: DbErr) -> Self {
        Self::Before(error)
    }
}

impl Batches {
    pub fn new(connection: Connection, (hub, bell): (Hub, Bell), clock: Clock, public_stock: PublicStock) -> Self {
        Self { connection, hub, bell, clock, random: Random::unpredictable(), public_stock, set_aside: Vec::new() }
    }

    /// Whether commands wait for rows that somebody else holds.
    pub fn has_set_aside(&self) -> bool {
        !self.set_aside.is_empty()
    }

    /// Brings every job to its end, or sets it aside.
    pub async fn process(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut all = std::mem::take(&mut self.set_aside);
        // What had to be set aside is likely to be held still, so nobody waits for it a second time.
        let locks = match (self.connection.is_shared(), all.is_empty()) {
            (false, _) => Locks::Needless,
            (true, true) => Locks::Wait,
            (true, false) => Locks::Skip,
        };
        all.extend(jobs);
        let now = Instant::now();
        let (late, mut all): (Vec<_>, Vec<_>) = all.into_iter().partition(|job| job.is_late(now));
        end(late, End::NotExecuted);
        let mut waiting = Vec::new();
        while !all.is_empty() {
            let rest = all.split_off(all.len().min(MAX_BATCH));
            waiting.push(Attempt { jobs: all, locks, tries: 0 });
            all = rest;
        }
        waiting.reverse();
        while let Some(mut attempt) = waiting.pop() {
            let began = Instant::now();
            let span = span(&attempt.jobs);
            let attempted = self.attempt(&mut attempt).instrument(span).await;
            telemetry::batch(attempt.jobs.len(), began.elapsed());
            match attempted {
                Ok(loaded) => self.finish(attempt, &loaded),
                Err(Failed::Before(error)) => retry(&error, attempt, &mut waiting, &mut self.set_aside).await,
                Err(Failed::AtCommit(error, id)) => self.ask(error, id, attempt, &mut waiting).await,
            }
        }
    }

    /// Tries once.
    async fn attempt(&mut self, attempt: &mut Attempt) -> Result<Loaded, Failed> {
        let patience = self.connection.patience();
        let Ok(prepared) = timeout(patience, self.prepare(attempt)).await else {
            return Err(Failed::Before(self.connection.fell_silent()));
        };
        let Prepared { transaction, loaded, id } = prepared?;
        match timeout(patience, transaction.commit()).await {
            Ok(Ok(())) => Ok(loaded),
            Ok(Err(error)) => Err(Failed::AtCommit(error, id)),
            Err(_) => Err(Failed::AtCommit(self.connection.fell_silent(), id)),
        }
    }

    /// Everything but the commit. Commands whose rows somebody else holds are set aside.
    async fn prepare(&mut self, attempt: &mut Attempt) -> Result<Prepared, DbErr> {
        let footprint = union(&attempt.jobs);
        let transaction = self.connection.begin().await?;
        let mut id = None;
        if self.connection.is_shared() {
            let identity = introduce(&transaction).await?;
            self.clock.follow(identity.now);
            id = Some(identity.id);
        }
        let mut loaded = load(&transaction, footprint, attempt.locks).await?;
        if !loaded.held.is_nothing() {
            let all = std::mem::take(&mut attempt.jobs).into_iter();
            let (held, free) = all.partition(|job| loaded.held.concerns(&job.footprint(), &loaded.world));
            set_aside(&mut self.set_aside, held);
            attempt.jobs = free;
        }
        let now = self.clock.now();
        for job in &mut attempt.jobs {
            job.decide(&mut loaded.world, now, self.public_stock, &mut self.random);
        }
        save::changes(&transaction, &loaded).await?;
        Ok(Prepared { transaction, loaded, id })
    }

    fn finish(&self, attempt: Attempt, loaded: &Loaded) {
        let world = &loaded.world;
        self.hub.publish(world);
        // A batch of carts and refusals is no news to other replicas.
        if world.stocks.changes().next().is_some() || world.orders.changes().next().is_some() {
            self.bell.ring();
        }
        end(attempt.jobs, End::Committed);
    }

    /// Finds out how a commit ended, and goes on from there.
    async fn ask(&mut self, error: DbErr, id: Option<String>, attempt: Attempt, waiting: &mut Vec<Attempt>) {
        if id.is_some() && trouble(&error) != Trouble::Away {
            // It was answered, and the answer is no.
            return retry(&error, attempt, waiting, &mut self.set_aside).await;
        }
        tracing::warn!(%error, commands = attempt.jobs.len(), "the end of a commit was not heard");
        let deadline = Instant::now() + MAX_ASKING;
        while let Some(id) = id.as_deref().filter(|_| Instant::now() < deadline) {
            let ended = match self.connection.db().await {
                Ok(db) => timeout(ASK_WAIT, outcome(db, id)).await,
                Err(error) => Ok(Err(error)),
            };
            match ended.unwrap_or_else(|_| Err(self.connection.fell_silent())) {
                Ok(Committed::Yes) => {
                    // What was written is there; subscribers hear of it by the feed.
                    self.bell.ring();
                    return end(attempt.jobs, End::Committed);
                }
                Ok(Committed::No) => return retry(&error, attempt, waiting, &mut self.set_aside).await,
                Ok(Committed::Forgotten) => break,
                Ok(Committed::NotYet) | Err(_) => sleep(ASK_PAUSE).await,
            }
        }
        tracing::error!(commands = attempt.jobs.len(), "the outcome of a commit is unknown");
        end(attempt.jobs, End::Unknown);
    }
}

/// What becomes of commands that were not executed: they are tried again, together, in halves or later, or told so.
async fn retry(error: &DbErr, mut attempt: Attempt, waiting: &mut Vec<Attempt>, aside: &mut Vec<Box<dyn Job>>) {
    let is_first = attempt.tries == 0;
    attempt.tries += 1;
    match trouble(error) {
        Trouble::Locked if attempt.locks == Locks::Wait => {
            waiting.push(Attempt { locks: Locks::Skip, tries: 0, ..attempt });
        }
        Trouble::Away | Trouble::Conflict if attempt.tries < MAX_TRIES && !is_late(&attempt) => {
            tracing::debug!(%error, "a batch is tried again");
            sleep(TRY_PAUSE * attempt.tries).await;
            waiting.push(attempt);
        }
        Trouble::Away => {
            tracing::error!(%error, commands = attempt.jobs.len(), "the database cannot be reached");
            end(attempt.jobs, End::NotExecuted);
        }
        _ if attempt.jobs.len() > 1 => {
            let second = attempt.jobs.split_off(attempt.jobs.len() / 2);
            waiting.push(Attempt { jobs: second, tries: 0, ..attempt });
            waiting.push(Attempt { tries: 0, ..attempt });
        }
        Trouble::Locked | Trouble::Conflict => set_aside(aside, attempt.jobs),
        // Random values may collide; with fresh ones they do not collide again.
        Trouble::Taken if is_first => waiting.push(attempt),
        Trouble::Taken => end(attempt.jobs, End::Taken),
        Trouble::Refused => {
            tracing::error!(%error, "the database refused a command");
            end(attempt.jobs, End::Broken);
        }
    }
}

fn is_late(attempt: &Attempt) -> bool {
    let now = Instant::now();
    attempt.jobs.iter().all(|job| job.is_late(now))
}

/// Keeps commands for the next batch. The queue is bounded, and so is what waits beside it.
fn set_aside(aside: &mut Vec<Box<dyn Job>>, mut jobs: Vec<Box<dyn Job>>) {
    let room = MAX_SET_ASIDE.saturating_sub(aside.len()).min(jobs.len());
    let too_many = jobs.split_off(room);
    aside.extend(jobs);
    end(too_many, End::NotExecuted);
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
        all.catalogue.extend(one.catalogue);
        all.seen.extend(one.seen);
        all.skus.extend(one.skus);
        all.slugs.extend(one.slugs);
        all.charges.extend(one.charges);
        all
    })
}
