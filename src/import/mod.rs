//! `onhand import`: does what a file says, row by row, through the writer like everything else.
//!
//! Each row is a command under an idempotency key of its own, so that a row that is refused fails no other, and a row
//! that was done is not done again by another run. Whether earlier runs are remembered is decided once for the whole file.
//! It must never skip a row without saying so.

mod memory;
mod plan;
mod preview;
mod reader;
mod results;
mod source;
mod task;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::commands::{ImportRow, RowTask};
use crate::config::{CommandLine, ImportSettings};
use crate::domain::Time;
use crate::domain::party::Party;
use crate::domain::product::Product;
use crate::error::Error;
use crate::run::follow_replicas;
use crate::store::{Store, migrate, open, open_read_only};
use crate::writer::idempotency::{Key, Keyed};

use memory::Memory;
use plan::{Chunk, Plan, Planned};
use preview::Preview;
use results::{End, Outcome, Results};
use source::Source;
use task::Task;

pub use source::format_of;

/// Chunks of rows that are under way at the same time: one is looked up while the writer has the other.
const MAX_CHUNKS: usize = 2;

/// How long it goes on trying while the database is away or has too much to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two such tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the writer may take to end.
const MAX_ENDING: Duration = Duration::from_secs(1);

/// Imports a file, or shows what that would do. `true` when no row was refused.
///
/// # Errors
/// When the file cannot be read, the database cannot be opened, or nothing can be done any more; the message is for
/// people.
pub async fn run(line: &CommandLine, settings: &ImportSettings) -> anyhow::Result<bool> {
    let source = Source::open(settings)?;
    let who = settings.actor.clone().map_or(Party::System, Party::Staff);
    let mut this = Import { source: &source, who, run: Uuid::now_v7(), until: None };
    let results = settings.results.as_deref();
    if settings.dry_run {
        let store = Store::patient(open_read_only(&line.database_url).await?);
        let results = Results::begin(results, source.format(), source.size, this.run)?;
        let preview = Preview::new(store, line.access.public_stock);
        return this.preview(settings, results, preview).await;
    }
    let databases = open(&line.database_url).await?;
    migrate(&databases).await?;
    let results = Results::begin(results, source.format(), source.size, this.run)?;
    let app_settings = Settings {
        times: line.serve.payment,
        public_stock: line.access.public_stock,
        has_sandbox: false,
        max_queued: line.limits.room.queued,
    };
    let all = [&databases.read, &databases.scan, &databases.probe, &databases.write].map(Clone::clone);
    let (app, writer) = App::start(&databases, app_settings, Clock::system());
    let stop = CancellationToken::new();
    follow_replicas(&app, &databases.kind, &stop).await?;
    let done = this.import(settings, results, &app).await;
    stop.cancel();
    drop(app);
    if timeout(MAX_ENDING, writer).await.is_err() {
        tracing::warn!("somebody still held the writer at the end");
    }
    for connections in all {
        connections.close().await?;
    }
    done
}

/// One run of an import.
struct Import<'a> {
    source: &'a Source,
    who: Party,
    run: Uuid,
    /// Until when none of its rows is forgotten.
    until: Option<Time>,
}

impl Import<'_> {
    async fn preview(
        &mut self,
        settings: &ImportSettings,
        mut results: Results,
        mut preview: Preview,
    ) -> anyhow::Result<bool> {
        let memory = preview.memory(&self.source.id, self.run).await?;
        self.until = memory.until;
        let mut plan = Plan::begin(self.source, settings.mode, memory.prefix)?;
        while let Some(Chunk { rows, read }) = plan.next()? {
            let outcomes = preview.rows(self, rows).await?;
            block_in_place(|| results.tell(&outcomes, read))?;
        }
        Ok(results.finish(None))
    }

    async fn import(&mut self, settings: &ImportSettings, mut results: Results, app: &App) -> anyhow::Result<bool> {
        let memory = patiently(|| Memory::begin(app, &self.who, &self.source.id, self.run)).await?;
        self.until = memory.until;
        let this = &*self;
        let mut plan = Plan::begin(this.source, settings.mode, memory.prefix)?;
        let chunks = stream::iter(std::iter::from_fn(|| plan.next().transpose()));
        let mut done = chunks.map(|chunk| this.rows(app, chunk)).buffered(MAX_CHUNKS);
        while let Some(chunk) = done.next().await {
            let (outcomes, read, stopped) = chunk?;
            block_in_place(|| results.tell(&outcomes, read))?;
            if let Some(error) = stopped {
                results.finish(Some(&this.source.id));
                return Err(anyhow!(error)).context(
                    "the import was stopped; run the same command again soon, and what was done is not done again",
                );
            }
        }
        drop(done);
        Ok(results.finish(Some(&this.source.id)))
    }

    /// Does some rows. What became of them, and what stops the import if something does.
    async fn rows(
        &self,
        app: &App,
        chunk: anyhow::Result<Chunk>,
    ) -> anyhow::Result<(Vec<Outcome>, u64, Option<Error>)> {
        let Chunk { rows, read } = chunk?;
        let products = match patiently(|| look_up(&app.store, &rows)).await {
            Ok(products) => products,
            Err(error) => return Ok((Vec::new(), read, Some(error))),
        };
        let ends = join_all(rows.into_iter().map(|row| self.row(app, &products, row))).await;
        let (mut outcomes, mut stopped) = (Vec::with_capacity(ends.len()), None);
        for end in ends {
            match end {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => stopped = Some(error),
            }
        }
        Ok((outcomes, read, stopped))
    }

    /// Does one row.
    async fn row(&self, app: &App, products: &BTreeMap<String, Product>, row: Planned) -> Result<Outcome, Error> {
        let Planned { line, sku, todo } = row;
        let (task, key) = match todo {
            Ok(todo) => todo,
            Err(end) => return Ok(Outcome { line, sku, end }),
        };
        let command = self.command(products.get(&task.sku_key), (task, key));
        // Under its key it is done once, also when the answer to it was lost.
        let again = || Keyed { key: command.key.clone(), command: command.command.clone() };
        let end = match patiently(|| app.writer.submit(&self.who, again())).await {
            Ok(done) => End::Done(done),
            Err(Error::Refused(refusal)) => End::Refused(refusal),
            Err(Error::Failure(error)) => {
                tracing::error!(line, error = format!("{error:#}"), "a row could not be done");
                End::Failed
            }
            Err(stopped) => return Err(stopped),
        };
        Ok(Outcome { line, sku, end })
    }

    /// The command that does a row in this run.
    fn command(&self, product: Option<&Product>, (mut task, key): (Task, Key)) -> Keyed<ImportRow> {
        if let (Some(product), RowTask::Create { given, .. } | RowTask::Set { given, .. }) = (product, &mut task.task) {
            // Most rows have the slug that their product has, and then nobody has to look who else might have it.
            given.slug = given.slug.take().filter(|slug| *slug != product.slug);
        }
        let (product, reference) = (product.map(|product| product.id), self.source.reference.clone());
        Keyed {
            key: Some(key),
            command: ImportRow { product, task: task.task, reference, run: self.run, until: self.until },
        }
    }
}

/// The products that rows name, by what SKUs are compared by. A product never changes its SKU.
async fn look_up(store: &Store, rows: &[Planned]) -> Result<BTreeMap<String, Product>, Error> {
    let named = rows.iter().filter_map(|row| row.todo.as_ref().ok()).map(|(task, _)| task.sku_key.clone());
    store.products_by_sku(&named.collect::<Vec<_>>()).await
}

/// Tries again while it was not done, or nobody knows, for as long as there is patience.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(mut attempt: impl FnMut() -> F) -> Result<T, Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(Error::Overloaded | Error::Unavailable | Error::TimedOut) if Instant::now() < give_up => {
                sleep(PAUSE).await;
            }
            end => return end,
        }
    }
}
