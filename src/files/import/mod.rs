//! `onhand import`: does what a file says, row by row, through the writer like everything else.
//!
//! Each row is a command under an idempotency key of its own, so that a row that is refused fails no other, and a row
//! that was done is not done again by another run. Whether earlier runs are remembered is decided once for the whole file.
//! It must never skip a row without saying so.

mod csv_rows;
mod json_row;
mod memory;
mod plan;
mod preview;
mod reader;
mod results;
mod source;
mod stop;
mod task;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{App, Settings};
use crate::cli::prepared;
use crate::clock::Clock;
use crate::config::{CommandLine, ImportSettings};
use crate::database::error::Error;
use crate::database::{check_output, open_read_only};
use crate::filesystem;
use crate::read::Store;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{ImportRow, RowTask};
use domain::product::Product;
use domain::world::idempotency::{Key, Keyed};

use memory::Memory;
use plan::{Chunk, Plan, Planned, Seen};
use preview::Preview;
use results::{End, Ending, Outcome, Results};
use source::Source;
use stop::Stop;
use task::Task;

pub use source::format_of;
pub use stop::Interrupted;

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
/// people. [`Interrupted`] when somebody stopped it.
pub async fn run(line: &CommandLine, settings: &ImportSettings) -> anyhow::Result<bool> {
    check_results(line, settings)?;
    let stop = Stop::on_signal()?;
    let source = stop.or(read_through(settings.clone())).await?;
    let actor = settings.actor.clone().map_or(Actor::System, Actor::Staff);
    if settings.dry_run {
        let store = Store::patient(stop.or(open_read_only(&line.database_url)).await?);
        let mut this = Import { source: &source, actor, run: Uuid::now_v7(), until: None, stop };
        let results = this.begin(settings)?;
        let preview = Preview::new(store, line.access.public_stock);
        return this.preview(settings, results, preview).await;
    }
    let Some(databases) = prepared(&line.database_url, stop.token()).await? else {
        return Err(stop.interrupted().map_or_else(|| anyhow!("there is no database"), Into::into));
    };
    let mut this = Import { source: &source, actor, run: Uuid::now_v7(), until: None, stop };
    let results = this.begin(settings)?;
    let app_settings = Settings {
        times: line.serve.payment,
        public_stock: line.access.public_stock,
        has_sandbox: false,
        max_queued: line.limits.sizes.queued,
    };
    let (app, writer) = App::start(&databases, app_settings, Clock::system());
    let stop = CancellationToken::new();
    app.follow_replicas(&databases.kind, &stop).await?;
    let done = this.import(settings, results, &app).await;
    stop.cancel();
    drop(app);
    if timeout(MAX_ENDING, writer).await.is_err() {
        tracing::warn!("somebody still held the writer at the end");
    }
    databases.close().await;
    done
}

/// # Errors
/// When the results would be written over what they are of.
fn check_results(line: &CommandLine, settings: &ImportSettings) -> anyhow::Result<()> {
    let standard = |path: &Path, stream: &str| if path == Path::new("-") { stream.into() } else { path.to_owned() };
    let results = settings.results.as_deref().unwrap_or(Path::new("-"));
    let (results, input) = (standard(results, "/dev/stdout"), standard(&settings.file, "/dev/stdin"));
    if filesystem::are_same(&results, &input) {
        bail!("the results cannot be written to {}, which is imported", input.display());
    }
    check_output(&line.database_url, &results)
}

/// Reads through the file in a thread of its own, which the end of the process does not wait for: standard input may have
/// no end.
async fn read_through(settings: ImportSettings) -> anyhow::Result<Source> {
    let (sender, receiver) = oneshot::channel();
    // Nobody takes it any more when the import is to stop.
    thread::spawn(move || sender.send(Source::open(&settings)).ok());
    receiver.await.context("the file could not be read to its end")?
}

/// Some rows with the products that they mean.
struct Found {
    chunk: Chunk,
    products: Result<BTreeMap<String, Product>, Error>,
}

/// One run of an import.
struct Import<'a> {
    source: &'a Source,
    actor: Actor,
    run: Uuid,
    /// Until when none of its rows is forgotten.
    until: Option<Time>,
    stop: Stop,
}

impl Import<'_> {
    fn begin(&self, settings: &ImportSettings) -> anyhow::Result<Results> {
        // A named pipe is opened when somebody reads it.
        self.stop.held("no row was looked at", || Results::begin(settings, self.source, self.run))
    }

    /// Writes what became of some rows.
    fn tell(&self, results: &mut Results, outcomes: &[Outcome], read: u64) -> anyhow::Result<()> {
        results.count(outcomes);
        self.stop.held(&results.told(), || results.tell(outcomes, read))
    }

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
            self.tell(&mut results, &outcomes, read)?;
            if self.stop.is_wanted() {
                break;
            }
        }
        self.end(&results, Ending::DryRun)
    }

    async fn import(&mut self, settings: &ImportSettings, mut results: Results, app: &App) -> anyhow::Result<bool> {
        let stop = self.stop.clone();
        let memory = patiently(&stop, || Memory::begin(app, &self.actor, &self.source.id, self.run)).await?;
        self.until = memory.until;
        let this = &*self;
        let plan = Plan::begin(this.source, settings.mode, memory.prefix)?;
        // One after the other: which row of a product is the first is told by their order.
        let chunks = stream::unfold((plan, Seen::default()), |(mut plan, mut seen)| async move {
            let chunk = if this.stop.is_wanted() { None } else { plan.next().transpose() };
            let found = match chunk? {
                Ok(chunk) => Ok(this.found(app, chunk, &mut seen).await),
                Err(error) => Err(error),
            };
            Some((found, (plan, seen)))
        });
        let mut done = Box::pin(chunks.map(|found| this.rows(app, found)).buffered(MAX_CHUNKS));
        let ending = Ending::Import(&this.source.id);
        while let Some(chunk) = done.next().await {
            let (outcomes, read, stopped) = chunk?;
            self.tell(&mut results, &outcomes, read)?;
            if let Some(error) = stopped.filter(|_| !stop.is_wanted()) {
                results.finish(ending);
                return Err(anyhow!(error)).context("the import was stopped before its end");
            }
        }
        drop(done);
        this.end(&results, ending)
    }

    /// Tells how it ended. `true` when no row was refused.
    fn end(&self, results: &Results, ending: Ending<'_>) -> anyhow::Result<bool> {
        let is_clean = results.finish(ending);
        match self.stop.interrupted().filter(|_| !results.is_whole()) {
            Some(interrupted) => Err(interrupted.into()),
            None if results.is_whole() => Ok(is_clean),
            None => bail!("the file changed while it was read"),
        }
    }

    /// Looks up the products of some rows, and refuses those whose product stood before.
    async fn found(&self, app: &App, mut chunk: Chunk, seen: &mut Seen) -> Found {
        let products = patiently(&self.stop, || look_up(&app.store, &chunk.rows)).await;
        if let Ok(products) = &products {
            seen.refuse_repeated(&mut chunk.rows, products);
        }
        Found { chunk, products }
    }

    /// Does some rows. What became of them, and what stops the import if something does.
    async fn rows(
        &self,
        app: &App,
        found: anyhow::Result<Found>,
    ) -> anyhow::Result<(Vec<Outcome>, u64, Option<Error>)> {
        let Found { chunk: Chunk { rows, read }, products } = found?;
        let products = match products {
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
        let command = self.command(task.product(products), (task, key));
        // Under its key it is done once, also when the answer to it was lost.
        let again = || Keyed { key: command.key.clone(), command: command.command.clone() };
        let end = match patiently(&self.stop, || app.writer.submit(&self.actor, again())).await {
            Ok(done) => End::Done(done.into_answer()),
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
            // Most rows have the slug that their product has, and then nobody has to look actor else might have it.
            given.slug = given.slug.take().filter(|slug| *slug != product.slug);
        }
        let (product, reference) = (product.map(|product| product.id), self.source.reference.clone());
        Keyed {
            key: Some(key),
            command: ImportRow { product, task: task.task, reference, run: self.run, until: self.until },
        }
    }
}

/// The products that rows name or whose SKUs look like that, by what SKUs are compared by. A product never changes its SKU.
async fn look_up(store: &Store, rows: &[Planned]) -> Result<BTreeMap<String, Product>, Error> {
    let named = rows.iter().filter_map(|row| row.todo.as_ref().ok()).flat_map(|(task, _)| task.sku_keys.clone());
    store.products_by_sku(&named.collect::<Vec<_>>()).await
}

/// Tries again while it was not done, or nobody knows, for as long as there is patience.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(
    stop: &Stop,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(Error::Overloaded | Error::Unavailable | Error::TimedOut)
                if Instant::now() < give_up && !stop.is_wanted() =>
            {
                stop.pause(PAUSE).await;
            }
            end => return end,
        }
    }
}
