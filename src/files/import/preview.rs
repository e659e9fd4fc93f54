//! What an import would do: the same decisions on what is there now. It has no writer to hand anything to, so it also
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
use domain::world::{Tables, Unique};
use uuid::Uuid;

use super::memory::Memory;
use super::plan::{Planned, SCOPE, Seen};
use super::results::{End, Outcome};
use super::{Import, look_up};

/// Shows what rows would do.
#[derive(Debug)]
pub struct Preview {
    store: Store,
    public_stock: PublicStock,
    clock: Clock,
    random: Random,
    /// Stock as the rows so far would have left it: a product may be added to more than once.
    stocks: BTreeMap<ProductId, Stock>,
    seen: Seen,
}

impl Preview {
    /// On what this store reads.
    pub fn new(store: Store, public_stock: PublicStock) -> Self {
        let (clock, random) = (Clock::system(), Random::unpredictable());
        Self { store, public_stock, clock, random, stocks: BTreeMap::new(), seen: Seen::default() }
    }

    /// What is remembered of an import.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memory(&self, id: &str, run: Uuid) -> Result<Memory, Error> {
        Memory::look(&self.store, id, run, self.clock.now()).await
    }

    /// What would become of some rows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rows(&mut self, import: &Import<'_>, mut rows: Vec<Planned>) -> Result<Vec<Outcome>, Error> {
        let products = look_up(&self.store, &rows).await?;
        self.seen.refuse_repeated(&mut rows, &products);
        let mut tables = self.load(&rows, &products).await?;
        let mut outcomes = Vec::with_capacity(rows.len());
        for Planned { line, sku, todo } in rows {
            let end = match todo {
                Err(end) => end,
                Ok((task, key)) => {
                    let command = import.command(task.product(&products), (task, key));
                    let now = self.clock.now();
                    let operation = OperationId(self.random.ordered_uuid(now));
                    let (actor, public_stock, random) = (&import.actor, self.public_stock, &mut self.random);
                    let mut context = Context { now, actor, public_stock, operation, random };
                    match command.decide(&mut tables.world(), &mut context) {
                        Ok(done) => {
                            tables.keep();
                            End::Done(done.into_answer())
                        }
                        Err(rejections) => {
                            tables.undo();
                            End::Refused(rejections)
                        }
                    }
                }
            };
            outcomes.push(Outcome { line, sku, end });
        }
        self.stocks.extend(tables.stocks.changes().map(|stock| (stock.product, stock.clone())));
        Ok(outcomes)
    }

    /// What the rows need to be decided.
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
