//! Runs an import: looks up the products of a batch of rows while the writer has the batch before it, and hands in each row
//! as a command. It must never hand in a row without its idempotency key.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::database::error::Error;
use crate::read::Store;
use crate::writer::Writer;
use domain::product::Product;
use domain::world::idempotency::{Keyed, Once};

use super::commands::{Commands, products};
use super::memory::Memory;
use super::outcome::{Outcome, RowOutcome};
use super::plan::{Chunk, Plan, Planned, Seen};
use super::{Batch, Ending, Import};

/// Maximum number of batches under way at the same time: one is looked up while the writer has the other.
const MAX_CHUNKS: usize = 2;

/// How long a row is tried again while the database is away or overloaded.
const RETRY_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What a run works with.
struct Run<'a> {
    import: &'a Import<'a>,
    store: &'a Store,
    writer: &'a Writer,
    commands: Commands,
}

/// A batch of rows with the products that they name.
struct Found {
    chunk: Chunk,
    products: Result<BTreeMap<String, Product>, Error>,
}

/// The results of a batch, and the error that ends the run, if there is one.
struct Done {
    batch: Batch,
    failure: Option<Error>,
}

impl Import<'_> {
    /// Does what the rows say, and hands the results to the sink, batch by batch.
    ///
    /// # Errors
    /// When the source cannot be read, when the sink fails, or when the database does not answer before the first row.
    pub async fn run(
        &self,
        store: &Store,
        writer: &Writer,
        clock: &Clock,
        mut sink: impl FnMut(&Batch) -> anyhow::Result<()>,
    ) -> anyhow::Result<Ending> {
        let begin = || Memory::begin(store, writer, clock.now(), self);
        let memory = with_retries(&self.cancel, begin).await?;
        let commands = Commands { run: self.run, until: memory.until, reference: self.source.reference.clone() };
        let run = Run { import: self, store, writer, commands };
        let run = &run;
        let plan = Plan::begin(self.source, memory.prefix)?;
        // One after the other: which row of a product is the first is decided by their order.
        let chunks = stream::unfold((plan, Seen::default()), |(mut plan, mut seen)| async move {
            let chunk = if self.cancel.is_cancelled() { None } else { plan.next().transpose() };
            let found = match chunk? {
                Ok(chunk) => Ok(run.found(chunk, &mut seen).await),
                Err(error) => Err(error),
            };
            Some((found, (plan, seen)))
        });
        let mut done = Box::pin(chunks.map(|found| run.rows(found)).buffered(MAX_CHUNKS));
        let mut rows = 0;
        while let Some(chunk) = done.next().await {
            let Done { batch, failure } = chunk?;
            rows += batch.outcomes.len() as u64;
            sink(&batch)?;
            if let Some(error) = failure.filter(|_| !self.cancel.is_cancelled()) {
                return Ok(Ending::Failed(error));
            }
        }
        Ok(self.ending(rows))
    }
}

impl Run<'_> {
    /// Looks up the products of a batch, and refuses rows whose product an earlier row has named.
    async fn found(&self, mut chunk: Chunk, seen: &mut Seen) -> Found {
        let products = with_retries(&self.import.cancel, || products(self.store, &chunk.rows)).await;
        if let Ok(products) = &products {
            seen.refuse_repeated(&mut chunk.rows, products);
        }
        Found { chunk, products }
    }

    /// Does a batch of rows, all at the same time: the writer takes them into one transaction.
    async fn rows(&self, found: anyhow::Result<Found>) -> anyhow::Result<Done> {
        let Found { chunk: Chunk { rows, read }, products } = found?;
        let mut batch = Batch { outcomes: Vec::with_capacity(rows.len()), read };
        let products = match products {
            Ok(products) => products,
            Err(error) => return Ok(Done { batch, failure: Some(error) }),
        };
        let mut failure = None;
        for done in join_all(rows.into_iter().map(|row| self.row(&products, row))).await {
            match done {
                Ok(outcome) => batch.outcomes.push(outcome),
                Err(error) => failure = Some(error),
            }
        }
        Ok(Done { batch, failure })
    }

    /// Does one row.
    async fn row(&self, products: &BTreeMap<String, Product>, row: Planned) -> Result<Outcome, Error> {
        let Planned { line, sku, todo } = row;
        let (task, key) = match todo {
            Ok(todo) => todo,
            Err(result) => return Ok(Outcome { line, sku, result }),
        };
        let command = self.commands.command(task.product(products), task, key);
        // Under its key it is done once, also when the answer to it was lost.
        let again = || Keyed { key: command.key.clone(), command: command.command.clone() };
        let submit = || self.writer.submit(&self.import.actor, again());
        let result = match with_retries(&self.import.cancel, submit).await.map(Once::into_answer) {
            Ok(row) if row.run == self.import.run => RowOutcome::Done(row),
            Ok(row) => RowOutcome::DoneEarlier(row),
            Err(Error::Refused(refusal)) => RowOutcome::Refused(refusal),
            Err(Error::Failure(error)) => {
                tracing::error!(line, error = format!("{error:#}"), "a row could not be done");
                RowOutcome::Failed
            }
            Err(failure) => return Err(failure),
        };
        Ok(Outcome { line, sku, result })
    }
}

/// Tries again while something was not done or its outcome is unknown, until [`RETRY_TIMEOUT`] or until it is cancelled.
async fn with_retries<T, F: Future<Output = Result<T, Error>>>(
    cancel: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    let deadline = Instant::now() + RETRY_TIMEOUT;
    loop {
        match attempt().await {
            Err(Error::Overloaded | Error::Unavailable | Error::TimedOut)
                if Instant::now() < deadline && !cancel.is_cancelled() =>
            {
                // Cancelled or not, it is tried again.
                let _ = timeout(RETRY_PAUSE, cancel.cancelled()).await;
            }
            end => return end,
        }
    }
}
