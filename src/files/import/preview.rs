//! Shows what an import would do: the same decisions on what is there now. It has no writer to hand anything to, so it also
//! runs beside a server.

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::database::error::Error;
use crate::read::Store;
use domain::commands::{Command, Context, RowTask};
use domain::id::{OperationId, ProductId};
use domain::product::Product;
use domain::random::Random;
use domain::stock::{PublicStock, Stock};
use domain::text;
use domain::world::idempotency::Key;
use domain::world::{Tables, Unique};

use super::commands::{Commands, products};
use super::memory::Memory;
use super::outcome::{Outcome, RowOutcome};
use super::plan::{Chunk, Plan, Planned, SCOPE, Seen};
use super::task::Task;
use super::{Batch, Ending, Import};

/// Decides rows on copies of what the store reads.
struct Preview<'a> {
    import: &'a Import<'a>,
    store: &'a Store,
    public_stock: PublicStock,
    clock: &'a Clock,
    random: Random,
    commands: Commands,
    /// Stock as the rows so far would have left it: units may be added to a product more than once.
    stocks: BTreeMap<ProductId, Stock>,
    seen: Seen,
}

impl Import<'_> {
    /// Hands what the rows would do to the sink, batch by batch, and changes nothing.
    ///
    /// # Errors
    /// When the source cannot be read, when the sink fails, or when the database does not answer.
    pub async fn preview(
        &self,
        store: &Store,
        clock: &Clock,
        public_stock: PublicStock,
        mut sink: impl FnMut(&Batch) -> anyhow::Result<()>,
    ) -> anyhow::Result<Ending> {
        let memory = Memory::load(store, &self.source.id, self.run, clock.now()).await?;
        let mut preview = Preview {
            import: self,
            store,
            public_stock,
            clock,
            random: Random::unpredictable(),
            commands: Commands { run: self.run, until: memory.until, reference: self.source.reference.clone() },
            stocks: BTreeMap::new(),
            seen: Seen::default(),
        };
        let mut plan = Plan::begin(self.source, memory.prefix)?;
        let mut done = 0;
        while let Some(Chunk { rows, read }) = plan.next()? {
            let batch = Batch { outcomes: preview.rows(rows).await?, read };
            done += batch.outcomes.len() as u64;
            sink(&batch)?;
            if self.cancel.is_cancelled() {
                break;
            }
        }
        Ok(self.ending(done))
    }
}

impl Preview<'_> {
    /// Returns what a batch of rows would do.
    async fn rows(&mut self, mut rows: Vec<Planned>) -> Result<Vec<Outcome>, Error> {
        let products = products(self.store, &rows).await?;
        self.seen.refuse_repeated(&mut rows, &products);
        let mut tables = self.load(&rows, &products).await?;
        let mut outcomes = Vec::with_capacity(rows.len());
        for Planned { line, sku, todo } in rows {
            let result = match todo {
                Err(result) => result,
                Ok((task, key)) => self.decide(&mut tables, task.product(&products), task, key),
            };
            outcomes.push(Outcome { line, sku, result });
        }
        self.stocks.extend(tables.stocks.changes().map(|stock| (stock.product, stock.clone())));
        Ok(outcomes)
    }

    /// Decides one row; the rows after it find what it would have left.
    fn decide(&mut self, tables: &mut Tables, product: Option<&Product>, task: Task, key: Key) -> RowOutcome {
        let command = self.commands.command(product, task, key);
        let now = self.clock.now();
        let operation = OperationId(self.random.ordered_uuid(now));
        let (actor, public_stock, random) = (&self.import.actor, self.public_stock, &mut self.random);
        let mut context = Context { now, actor, public_stock, operation, random };
        match command.decide(&mut tables.world(), &mut context) {
            Ok(done) => {
                tables.keep();
                let row = done.into_answer();
                if row.run == self.import.run { RowOutcome::Done(row) } else { RowOutcome::DoneEarlier(row) }
            }
            Err(refusal) => {
                tables.undo();
                RowOutcome::Refused(refusal)
            }
        }
    }

    /// Loads what the rows need to be decided.
    async fn load(&self, rows: &[Planned], products: &BTreeMap<String, Product>) -> Result<Tables, Error> {
        let mut tables = Tables::default();
        let ids: Vec<ProductId> = products.values().map(|product| product.id).collect();
        for stock in self.store.stocks(&ids).await? {
            let stock = self.stocks.get(&stock.product).cloned().unwrap_or(stock);
            tables.stocks.load(stock.product, stock);
        }
        for (sku_key, product) in products {
            tables.taken.load((Unique::Sku, sku_key.clone()), product.id);
            tables.products.load(product.id, product.clone());
        }
        let todo = || rows.iter().filter_map(|row| row.todo.as_ref().ok());
        let keys: Vec<String> = todo().map(|(_, key)| key.id.key.clone()).collect();
        for record in self.store.keys(SCOPE, &keys).await? {
            tables.keys.load(record.id.clone(), record);
        }
        let slugs = todo().filter_map(|(task, _)| match &task.task {
            RowTask::Create { given, .. } | RowTask::Set { given, .. } => {
                given.slug.as_deref().and_then(|slug| text::slug(slug).ok())
            }
            RowTask::Add(_) => None,
        });
        for (slug, product) in self.store.taken_slugs(&slugs.collect::<Vec<_>>()).await? {
            tables.taken.load((Unique::Slug, slug), product);
        }
        Ok(tables)
    }
}
