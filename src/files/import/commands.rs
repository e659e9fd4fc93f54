//! Turns rows into commands. It decides nothing.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::database::error::Error;
use crate::read::Store;
use domain::Time;
use domain::commands::{ImportRow, RowTask};
use domain::product::Product;
use domain::world::idempotency::{Key, Keyed};

use super::plan::Planned;
use super::task::Task;

/// What the commands of one run have in common.
#[derive(Debug)]
pub struct Commands {
    /// The run.
    pub run: Uuid,
    /// When the first of its rows is forgotten; `None` if each is forgotten by itself.
    pub until: Option<Time>,
    /// The document that the log names.
    pub reference: Option<String>,
}

impl Commands {
    /// Returns the command that does a row.
    pub fn command(&self, product: Option<&Product>, mut task: Task, key: Key) -> Keyed<ImportRow> {
        if let (Some(product), RowTask::Create { given, .. } | RowTask::Set { given, .. }) = (product, &mut task.task) {
            // Most rows have the slug that their product has. Without it the command need not look up who else has it.
            given.slug = given.slug.take().filter(|slug| *slug != product.slug);
        }
        let (product, reference) = (product.map(|product| product.id), self.reference.clone());
        let command = ImportRow { product, task: task.task, reference, run: self.run, until: self.until };
        Keyed { key: Some(key), command }
    }
}

/// Loads the products that rows name, or whose SKUs look like those, by the keys that SKUs are compared by. A product never
/// changes its SKU.
///
/// # Errors
/// When the database does not answer.
pub async fn products(store: &Store, rows: &[Planned]) -> Result<BTreeMap<String, Product>, Error> {
    let named = rows.iter().filter_map(|row| row.todo.as_ref().ok()).flat_map(|(task, _)| task.sku_keys.clone());
    store.products_by_sku(&named.collect::<Vec<_>>()).await
}
