//! One transaction for many commands: load the union of their rows, let each decide in order of arrival, save what
//! changed, commit; only then answer and publish.
//!
//! A batch that the database refuses is halved until the one bad command stands alone: it never fails its neighbours.
//! Commands whose rows another transaction holds are handed to a worker with a connection of its own, which queues for
//! those rows, so that they stall nobody else. A commit that may have happened is never repeated before it is known that
//! it has not.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use crate::clock::Clock;
use crate::database::Notifier;
use crate::database::commit_token::{self, Outcome, Token};
use crate::database::error::{DatabaseErrorKind, is_answered, is_newer, kind};
use crate::database::load::{Loaded, Locks, load};
use crate::database::lock_conflicts::conflicts_of;
use crate::database::postgres::begin_info;
use crate::database::prune::{Prune, Pruned};
use crate::database::save::save;
use crate::faults::{self, Breach, Point, Transaction};
use crate::live::{Changes, Hub};
use crate::observability::metrics;
use domain::random::Random;
use domain::stock::PublicStock;

use super::MAX_BATCH;
use super::attempt::{Attempt, Group, SHORT_STATEMENT_TIMEOUT};
use super::connection::Connection;
use super::health::WriterHealth;
use super::job::{Job, JobEnd};
use super::lock_waiter::LockWaiter;
use super::outbox::Outbox;

/// How often the same commands are tried again after they came into another transaction's way, or after the database
/// went away before they were committed.
const MAX_TRIES: u32 = 4;

/// The pause before such another try, times the number of tries.
const TRY_PAUSE: Duration = Duration::from_millis(10);

/// How long we ask how a commit ended whose answer was lost: less than its callers wait.
const MAX_RESOLVING: Duration = Duration::from_secs(4);

/// How long one such question may take: longer than its lock timeout.
const RESOLVE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// The pause before we ask again.
const RESOLVE_PAUSE: Duration = Duration::from_millis(100);

/// What committed batches are announced with.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Where subscribers of this replica listen.
    pub hub: Hub,
    /// What tells other replicas that there is something new.
    pub notifier: Notifier,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether the database takes what is committed.
    pub health: WriterHealth,
}

/// What becomes of commands whose rows another transaction holds.
#[derive(Debug)]
pub enum Role {
    /// There is no other transaction: the writer of a file.
    Single,
    /// They are handed to the worker that queues for rows.
    Main(LockWaiter),
    /// They wait for their turn until their time is over: that worker itself.
    LockWaiter,
}

/// Runs batches, one after the other.
pub struct Batches {
    connection: Connection,
    publication: Publication,
    random: Random,
    public_stock: PublicStock,
    role: Role,
    /// The token of the last transaction that was committed.
    earlier: Option<Uuid>,
    /// A transaction whose outcome is not known: nothing else begins before it is.
    unresolved: Option<(Uuid, Box<Loaded>)>,
    /// Commands that wait for rows; only the worker that queues for them has any. Each group takes its turn.
    held: VecDeque<Group>,
    /// Records events for outgoing webhooks.
    outbox: Outbox,
}

/// Why a batch did not go through.
enum Failed {
    /// Nothing of it was executed.
    Before(DbErr),
    /// The commit itself failed, of the transaction with this token.
    AtCommit(DbErr, Uuid, Box<Loaded>),
    /// The database is not the one that was opened any more.
    Replaced(String, JobEnd),
}

impl From<DbErr> for Failed {
    fn from(error: DbErr) -> Self {
        Self::Before(error)
    }
}

impl Batches {
    pub fn new(connection: Connection, publication: Publication, public_stock: PublicStock, role: Role) -> Self {
        Self {
            connection,
            publication,
            random: Random::unpredictable(),
            public_stock,
            role,
            earlier: None,
            unresolved: None,
            held: VecDeque::new(),
            outbox: Outbox::default(),
        }
    }

    /// Removes what killed processes left behind.
    pub async fn prepare_database(&mut self) {
        let now = self.publication.clock.now();
        let pruned = match self.connection.db().await {
            Ok(db) => commit_token::prune(db, now).await,
            Err(error) => Err(error),
        };
        if let Err(error) = pruned {
            tracing::warn!(%error, "old commit tokens could not be removed; the next start tries again");
            // The first connection may not have been made: an idle writer tries whether it can.
            let _ = self.publication.health.failed();
        }
    }

    /// Prunes over the writer's own connection, between two batches.
    pub async fn prune(&mut self, prune: Prune) -> Result<Pruned, DbErr> {
        prune.run(self.connection.db().await?).await
    }

    /// Whether the database took the last batch.
    pub fn is_healthy(&self) -> bool {
        self.publication.health.failing_for().is_none()
    }

    /// How many commands wait for rows.
    pub fn held(&self) -> usize {
        self.held.iter().map(|group| group.jobs.len()).sum()
    }

    /// Gives the next group of commands that wait for rows its turn. It waits for them, for a shorter time while others
    /// wait, and takes its place at the end when it did not get them.
    ///
    /// # Errors
    /// As for [`process`](Self::process).
    pub async fn take_turn(&mut self, has_others: bool) -> Result<(), String> {
        let Some(group) = self.held.pop_front() else { return Ok(()) };
        let has_others = has_others || !self.held.is_empty();
        self.run(vec![Attempt::of_group(group, has_others)], false).await
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.connection.close().await;
    }

    /// Brings every job to its end, or hands it on. Without jobs, tries whether the database takes a commit.
    ///
    /// # Errors
    /// The reason why this process must not go on: the database is not the one that was opened.
    pub async fn process(&mut self, jobs: Vec<Box<dyn Job>>) -> Result<(), String> {
        let is_probe = jobs.is_empty();
        let mut all = jobs;
        let mut waiting: Vec<Attempt> = Vec::new();
        while is_probe && waiting.is_empty() || !all.is_empty() {
            let rest = all.split_off(all.len().min(MAX_BATCH));
            waiting.push(Attempt::first(&self.role, all));
            all = rest;
        }
        waiting.reverse();
        self.run(waiting, is_probe).await
    }

    /// Brings these attempts to their end, the last one first.
    async fn run(&mut self, mut waiting: Vec<Attempt>, is_probe: bool) -> Result<(), String> {
        while let Some(mut attempt) = waiting.pop() {
            let now = Instant::now();
            let (late, in_time): (Vec<_>, Vec<_>) = attempt.jobs.into_iter().partition(|job| job.is_late(now));
            if !late.is_empty() && attempt.tries > 0 && self.publication.health.failed() {
                tracing::error!("the database takes no changes; commands are answered UNAVAILABLE");
            }
            end(late, JobEnd::NotExecuted);
            attempt.jobs = in_time;
            if attempt.jobs.is_empty() && !is_probe {
                continue;
            }
            let began = Instant::now();
            let span = attempt.span();
            let attempted = self.attempt(&mut attempt).instrument(span).await;
            metrics::batch(attempt.jobs.len(), began.elapsed());
            match attempted {
                Ok(loaded) => {
                    self.finish(attempt, &loaded);
                    faults::reach(Point::WriterAnnounced, Uuid::nil()).await;
                }
                Err(Failed::Before(error)) => self.retry(&error, attempt, &mut waiting).await,
                Err(Failed::AtCommit(error, token, loaded)) => {
                    self.resolve_commit(&error, token, loaded, attempt, &mut waiting).await;
                }
                Err(Failed::Replaced(reason, ended)) => {
                    end(attempt.jobs, ended);
                    end(waiting.into_iter().flat_map(|attempt| attempt.jobs).collect(), JobEnd::NotExecuted);
                    return Err(reason);
                }
            }
        }
        Ok(())
    }

    /// Tries once.
    async fn attempt(&mut self, attempt: &mut Attempt) -> Result<Loaded, Failed> {
        if let Some(reason) = self.connection.replaced() {
            return Err(Failed::Replaced(reason, JobEnd::NotExecuted));
        }
        self.resolve().await?;
        let batch_timeout = self.connection.batch_timeout();
        let Ok(transaction) = timeout(batch_timeout, self.connection.begin()).await else {
            return Err(Failed::Before(self.connection.give_up_connection()));
        };
        let transaction = transaction?;
        faults::reach(Point::WriterBegun, Uuid::nil()).await;
        let Ok(prepared) = timeout(batch_timeout, self.prepare(&transaction, attempt)).await else {
            return Err(Failed::Before(self.connection.give_up_connection()));
        };
        let (loaded, token) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                if kind(&error) != DatabaseErrorKind::Unavailable {
                    self.connection.roll_back(transaction).await;
                }
                return Err(Failed::Before(error));
            }
        };
        faults::reach(Point::WriterSaved, Uuid::nil()).await;
        let Some(token) = token else {
            // Nothing was written, so nothing can be lost.
            self.connection.commit(transaction).await?;
            return Ok(loaded);
        };
        if let Err(error) = self.connection.commit(transaction).await {
            return Err(Failed::AtCommit(error, token, Box::new(loaded)));
        }
        if let Some(reason) = self.connection.replaced() {
            return Err(Failed::Replaced(reason, JobEnd::Unknown));
        }
        faults::reach(Point::WriterCommitted, Uuid::nil()).await;
        self.earlier = Some(token);
        Ok(loaded)
    }

    /// Everything between begin and commit: the rows, and the token when something was written. Commands whose rows
    /// another transaction holds are handed on.
    async fn prepare(
        &mut self,
        transaction: &Transaction,
        attempt: &mut Attempt,
    ) -> Result<(Loaded, Option<Uuid>), DbErr> {
        let footprint = attempt.footprint();
        if self.connection.is_shared() {
            let (now, targets) = begin_info(transaction, attempt.timeouts).await?;
            self.publication.clock.follow(now);
            self.outbox.set(targets);
        }
        let is_probe = attempt.jobs.is_empty();
        let mut loaded = load(transaction, footprint, attempt.locks).await?;
        if !loaded.conflicts.is_empty() {
            for job in std::mem::take(&mut attempt.jobs) {
                let rows = conflicts_of(&job.footprint(), &loaded);
                if rows.is_empty() {
                    attempt.jobs.push(job);
                } else {
                    self.set_aside(rows, vec![job]);
                }
            }
        }
        let now = self.publication.clock.now();
        for job in &mut attempt.jobs {
            job.decide(&mut loaded.tables, now, self.public_stock, &mut self.random);
        }
        self.outbox.record(transaction, &mut loaded.tables, now, &mut self.random).await?;
        faults::change(&mut loaded.tables);
        faults::reach(Point::WriterDecided, Uuid::nil()).await;
        let token = Token { new: self.random.secret_uuid(), earlier: self.earlier, now };
        // Whoever is told that all is as they want it is told so when a standby that must have it has it, too: what they
        // asked for may have been done by an earlier request.
        let is_accepted = self.connection.is_shared() && attempt.jobs.iter().any(|job| job.is_accepted());
        let is_written = is_probe || is_accepted || loaded.tables.has_changes();
        if is_written {
            save(transaction, &loaded, token).await?;
        }
        Ok((loaded, is_written.then_some(token.new)))
    }

    /// Finds out how the transaction ended whose outcome is not known, so that there is never more than one of them.
    async fn resolve(&mut self) -> Result<(), DbErr> {
        let Some((token, loaded)) = self.unresolved.take() else { return Ok(()) };
        match self.outcome(token).await {
            Ok(Outcome::Committed) => {
                self.earlier = Some(token);
                self.announce(&loaded);
                Ok(())
            }
            Ok(Outcome::NotCommitted) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "the outcome of an earlier commit is still unknown");
                self.unresolved = Some((token, loaded));
                faults::reach(Point::WriterUnresolved, Uuid::nil()).await;
                Err(DbErr::Conn(RuntimeErr::Internal("the outcome of an earlier commit is still unknown".to_owned())))
            }
        }
    }

    fn finish(&self, attempt: Attempt, loaded: &Loaded) {
        self.publication.health.succeeded();
        self.announce(loaded);
        end(attempt.jobs, JobEnd::Committed);
    }

    /// Tells subscribers, and other replicas, what was committed.
    fn announce(&self, loaded: &Loaded) {
        let Publication { hub, notifier, .. } = &self.publication;
        let tables = &loaded.tables;
        let changes = Changes {
            stocks: tables.stocks.changes().collect(),
            orders: tables.orders.changes().map(|order| (order.id, order.version)).collect(),
            has_log_rows: !tables.log.rows().is_empty(),
        };
        hub.publish(&changes);
        if !changes.is_empty() {
            notifier.notify();
        }
    }

    /// Finds out how a commit ended, and goes on from there.
    async fn resolve_commit(
        &mut self,
        error: &DbErr,
        token: Uuid,
        loaded: Box<Loaded>,
        attempt: Attempt,
        waiting: &mut Vec<Attempt>,
    ) {
        if is_answered(error) || faults::breaks(Breach::BlindRetry) {
            // The answer is no.
            return self.retry(error, attempt, waiting).await;
        }
        tracing::warn!(%error, commands = attempt.jobs.len(), "the answer to a commit was lost; its outcome is looked up");
        let deadline = Instant::now() + MAX_RESOLVING;
        while Instant::now() < deadline {
            match self.outcome(token).await {
                Ok(Outcome::Committed) => {
                    self.earlier = Some(token);
                    return self.finish(attempt, &loaded);
                }
                Ok(Outcome::NotCommitted) => return self.retry(error, attempt, waiting).await,
                Err(error) => {
                    tracing::debug!(%error, "the outcome of a commit could not be looked up yet");
                    sleep(RESOLVE_PAUSE).await;
                }
            }
        }
        tracing::error!(
            commands = attempt.jobs.len(),
            "the outcome of a commit is unknown; the commands are answered TIMEOUT"
        );
        let _ = self.publication.health.failed();
        self.unresolved = Some((token, loaded));
        end(attempt.jobs, JobEnd::Unknown);
    }

    async fn outcome(&mut self, token: Uuid) -> Result<Outcome, DbErr> {
        let now = self.publication.clock.now();
        let asked = async { commit_token::outcome(self.connection.db().await?, token, now).await };
        match timeout(RESOLVE_TIMEOUT, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(self.connection.give_up_connection()),
        }
    }

    /// What becomes of commands that were not executed: they are tried again, together, in halves or elsewhere, or told so.
    async fn retry(&mut self, error: &DbErr, mut attempt: Attempt, waiting: &mut Vec<Attempt>) {
        use DatabaseErrorKind::{Blocked, Conflict, Locked, Refused, TimedOut, Unavailable, UniqueViolation};
        let is_first = attempt.tries == 0;
        attempt.tries += 1;
        match kind(error) {
            Locked if attempt.locks == Locks::Wait && matches!(self.role, Role::Main(_)) => {
                waiting.push(Attempt { locks: Locks::Skip, tries: 0, ..attempt });
            }
            Locked if attempt.locks == Locks::Wait => self.set_aside(attempt.rows, attempt.jobs),
            Unavailable | Conflict if attempt.tries < MAX_TRIES => {
                tracing::debug!(%error, "a batch is tried again");
                sleep(TRY_PAUSE * attempt.tries).await;
                waiting.push(attempt);
            }
            Unavailable | Blocked => {
                // Until it takes changes again, more lines would tell nothing new.
                if self.publication.health.failed() {
                    tracing::error!(%error, "the database takes no changes; commands are answered UNAVAILABLE");
                }
                end(attempt.jobs, JobEnd::NotExecuted);
            }
            other if attempt.jobs.len() > 1 => {
                let mut timeouts = attempt.timeouts;
                if other == TimedOut && !matches!(self.role, Role::LockWaiter) {
                    timeouts.statement = SHORT_STATEMENT_TIMEOUT;
                }
                let second = attempt.jobs.split_off(attempt.jobs.len() / 2);
                waiting.push(Attempt { jobs: second, timeouts, tries: 0, rows: BTreeSet::new(), ..attempt });
                waiting.push(Attempt { timeouts, tries: 0, ..attempt });
            }
            Locked | Conflict | TimedOut => match &self.role {
                Role::Main(_) | Role::LockWaiter => self.set_aside(attempt.rows, attempt.jobs),
                Role::Single => waiting.push(attempt),
            },
            // Random values may collide; with fresh ones they do not collide again.
            UniqueViolation if is_first => waiting.push(attempt),
            UniqueViolation => end(attempt.jobs, JobEnd::Taken),
            Refused if is_newer(error) => {
                tracing::error!(%error, "a newer release wrote what a command needs; run that one on all servers");
                end(attempt.jobs, JobEnd::NotExecuted);
            }
            Refused => {
                tracing::error!(%error, "the database refused a command");
                end(attempt.jobs, JobEnd::Broken);
            }
        }
    }

    /// Hands commands to the worker that queues for rows, whose queue is bounded: more of them are not executed. That
    /// worker itself keeps them until it is their turn.
    fn set_aside(&mut self, rows: BTreeSet<u128>, mut jobs: Vec<Box<dyn Job>>) {
        match &self.role {
            Role::Main(lock_waiter) => end(lock_waiter.take(jobs), JobEnd::NotExecuted),
            Role::Single => end(jobs, JobEnd::NotExecuted),
            Role::LockWaiter => match self.held.iter_mut().find(|group| group.rows == rows) {
                Some(group) => group.jobs.append(&mut jobs),
                None => self.held.push_back(Group { rows, jobs }),
            },
        }
    }
}

/// Answers commands.
pub fn end(jobs: Vec<Box<dyn Job>>, end: JobEnd) {
    for job in jobs {
        job.answer(end);
    }
}
