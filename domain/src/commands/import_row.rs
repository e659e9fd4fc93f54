//! Does what one row of a file says: makes a product, adds units, or sets what is given. It never does half a row, and
//! it never changes what a row does not name.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Time;
use crate::id::ProductId;
use crate::product::{Product, Status};
use crate::rejection::{Code, Rejection, Rejections};
use crate::stock::{Action, Holder, Numbers, Stock};
use crate::text;
use crate::transaction::Reason;
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::ledger::{Cause, Move, move_stock};
use super::{Command, Context, Footprint, NewProduct, ProductChanges, UpdateProduct};

/// What a row wants.
#[derive(Debug, Clone)]
pub enum RowTask {
    /// A product that is not there yet; one that is there must be as the row says.
    Create {
        /// The product, or why it cannot be made.
        new: Result<Box<NewProduct>, Rejections>,
        /// What the row gives, to compare with a product that is there.
        given: Box<ProductChanges>,
        /// Units, when given.
        stock: Option<i32>,
    },
    /// So many units more: 1 to 1,000,000,000.
    Add(i32),
    /// What is given becomes so.
    Set {
        /// What the catalogue says.
        given: Box<ProductChanges>,
        /// Units in the warehouse: 0 to 1,000,000,000, at least what is allocated.
        stock: Option<i32>,
    },
}

/// Does what one row of a file says.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The product with the row's SKU, when there is one.
    pub product: Option<ProductId>,
    /// What the row wants.
    pub task: RowTask,
    /// What the log names as the document.
    pub reference: Option<String>,
    /// The run of the import: an answer that was kept by another run tells so.
    pub run: Uuid,
    /// Until when none of the import's rows is forgotten; later, nobody knows whether this one was done. Always, when `None`.
    pub until: Option<Time>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowResult {
    /// A product was made.
    Created,
    /// Units were added.
    Added,
    /// Something was set.
    Set,
    /// Everything was so already.
    Unchanged,
}

/// What became of a row, and the numbers around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedRow {
    /// The run that did it.
    pub run: Uuid,
    /// What it did.
    pub result: RowResult,
    /// The numbers before; none of a product that was not there.
    pub before: Option<Numbers>,
    /// The numbers after.
    pub after: Numbers,
    /// Whether the product is archived, so that nobody can buy it. Earlier releases did not note it.
    #[serde(default)]
    pub is_archived: bool,
}

impl Command for ImportRow {
    type Answer = ImportedRow;

    fn footprint(&self) -> Footprint {
        match (&self.task, self.product) {
            (RowTask::Create { new, .. }, None) => new.as_ref().map(|new| new.footprint()).unwrap_or_default(),
            (RowTask::Add(_), _) => Footprint { products: self.product.into_iter().collect(), ..Footprint::default() },
            (RowTask::Create { given, .. } | RowTask::Set { given, .. }, _) => Footprint {
                catalogue: self.product.into_iter().collect(),
                // One that cannot be taken is nobody's.
                slugs: given.slug.iter().filter_map(|slug| text::slug(slug).ok()).collect(),
                ..Footprint::default()
            },
        }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ImportedRow, Rejections> {
        if self.until.is_some_and(|until| context.now >= until) {
            let message = "The import began too long ago: whether this row was done is not remembered any more.";
            return Err(Rejection::invalid_state(message).into());
        }
        let before = self.product.and_then(|product| world.stock(product).ok()).map(|stock| stock.numbers);
        let (product, result) = match (&self.task, self.product) {
            (RowTask::Create { new, .. }, None) => {
                let product = ProductId(context.random.ordered_uuid(context.now));
                new.as_ref().map_err(Clone::clone)?.create(product, self.reference.clone(), world, context)?;
                (product, RowResult::Created)
            }
            (_, None) => return Err(Rejection::not_found("product").at(["sku"]).into()),
            (RowTask::Create { given, stock, .. }, Some(product)) => {
                let differences = self.set(product, given, *stock, world, context)?;
                if !differences.is_empty() {
                    return Err(differs(&differences).into());
                }
                (product, RowResult::Unchanged)
            }
            (RowTask::Add(units), Some(product)) => {
                self.move_to(product, Action::Increment, *units, world, context)?;
                (product, RowResult::Added)
            }
            (RowTask::Set { given, stock }, Some(product)) => {
                let differences = self.set(product, given, *stock, world, context)?;
                (product, if differences.is_empty() { RowResult::Unchanged } else { RowResult::Set })
            }
        };
        let is_archived = world.product(product)?.status == Status::Archived;
        Ok(ImportedRow { run: self.run, result, before, after: world.stock(product)?.numbers, is_archived })
    }
}

impl From<&Self> for ImportedRow {
    fn from(row: &Self) -> Self {
        row.clone()
    }
}

impl Repeatable for ImportRow {
    type Kept = ImportedRow;
}

impl ImportRow {
    /// Makes everything as it is given, and tells what was not so before.
    fn set(
        &self,
        product: ProductId,
        given: &ProductChanges,
        stock: Option<i32>,
        world: &mut World<'_>,
        context: &mut Context<'_>,
    ) -> Result<Vec<&'static str>, Rejections> {
        let before = (world.product(product)?.clone(), world.stock(product)?.clone());
        UpdateProduct { product, changes: given.clone() }.decide(world, context)?;
        if let Some(units) = stock {
            self.move_to(product, Action::Set, units, world, context)?;
        }
        Ok(differences(&before, (world.product(product)?, world.stock(product)?)))
    }

    fn move_to(
        &self,
        product: ProductId,
        action: Action,
        quantity: i32,
        world: &mut World<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Rejection> {
        let stock = world.stock(product)?;
        if !stock.managed {
            return Err(Rejection::invalid_state("The stock of this product is not managed.").at(["stock"]));
        }
        let Numbers { total, allocated } = stock.numbers;
        let cause = Cause { reason: Reason::Import, order: None, note: None, reference: self.reference.clone() };
        let movement = Move { product, action, quantity, holder: Holder::Staff };
        let moved = move_stock(world, context, movement, &cause);
        moved.map(|_| ()).map_err(|rejection| match rejection.code {
            Code::InsufficientStock => {
                let message = format!("Of {total} units {allocated} are allocated; there cannot be fewer than those.");
                Rejection { message, ..rejection }.at(["stock"])
            }
            _ => rejection.at(["stock"]),
        })
    }
}

/// The columns in which a product differs from what it was.
fn differences(before: &(Product, Stock), after: (&Product, &Stock)) -> Vec<&'static str> {
    let ((old, old_stock), (new, new_stock)) = (before, after);
    let all = [
        ("name", old.name != new.name),
        ("price_amount", old.price.amount != new.price.amount),
        ("price_currency", old.price.currency != new.price.currency),
        ("stock", old_stock.numbers != new_stock.numbers),
        ("slug", old.slug != new.slug),
        ("description", old.description != new.description),
        ("low_stock_threshold", old_stock.low_stock_threshold != new_stock.low_stock_threshold),
        ("manage_stock", old_stock.managed != new_stock.managed),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(column, _)| column).collect()
}

fn differs(columns: &[&str]) -> Rejection {
    let message =
        format!("There is a product with this SKU already, and it differs from this row: {}.", columns.join(", "));
    Rejection::new(Code::AlreadyExists, message).at(["sku"])
}
