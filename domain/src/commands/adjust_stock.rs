//! Staff receive, remove, reserve, free or set stock. All changes of one call happen together or not at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{ProductId, StockTransactionId};
use crate::rejection::{Code, Rejection, Rejections};
use crate::stock::{Action, Holder, Numbers, Stock};
use crate::text;
use crate::transaction::{Reason, StockTransaction};
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::ledger::{Cause, Move, move_stock};
use super::{Command, Context, Footprint};

/// Most changes in one adjustment.
pub const MAX_CHANGES: usize = 100;

/// One change.
#[derive(Debug, Clone, Copy)]
pub struct StockChange {
    /// Of which product.
    pub product: ProductId,
    /// INCREMENT, DECREMENT, ALLOCATE, DEALLOCATE or SET.
    pub action: Action,
    /// 1 to 1,000,000,000; from 0 for SET.
    pub quantity: i32,
    /// Refused when the stock is no longer at this version.
    pub expected_version: Option<i32>,
}

/// Adjusts stock.
#[derive(Debug, Clone)]
pub struct AdjustStock {
    changes: Vec<StockChange>,
    cause: Cause,
    dry_run: bool,
}

/// What an adjustment did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdjustedStock {
    /// The stock records, in the order of the changes.
    pub stocks: Vec<Stock>,
    /// The rows of the log, in the order of the changes; a change that changes nothing has none.
    pub transactions: Vec<StockTransaction>,
    /// Only of a dry run.
    pub preview: Vec<Preview>,
}

/// What is kept of an adjustment with its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustedRows {
    /// The products of the changes, in their order.
    pub stocks: Vec<ProductId>,
    /// The rows of the log, in the order of the changes.
    pub transactions: Vec<StockTransactionId>,
    /// Always empty: a dry run has no key. Releases that run beside this one read it.
    pub preview: Vec<Preview>,
}

/// What a dry run would do to one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Which.
    pub product: ProductId,
    /// Now.
    pub before: Numbers,
    /// Then.
    pub after: Numbers,
}

impl AdjustStock {
    /// Checks everything that can be checked without looking at the stock. At most [`MAX_CHANGES`] changes: the API
    /// refuses more before it comes here.
    ///
    /// # Errors
    /// Every field that is not acceptable, at once.
    pub fn check(
        changes: Vec<StockChange>,
        reason: Reason,
        note: Option<&str>,
        reference: Option<&str>,
        dry_run: bool,
    ) -> Result<Self, Rejections> {
        let mut refusal = Rejections::new();
        let mut bad = |rejection| refusal.push(rejection);
        if changes.is_empty() {
            bad(Rejection::invalid_input("An adjustment has at least one change.").at(["changes"]));
        }
        let mut seen = BTreeSet::new();
        for (i, change) in changes.iter().enumerate() {
            if !seen.insert(change.product) {
                let twice = Rejection::invalid_input("A product appears only once in an adjustment.");
                bad(twice.at(field(i, "productId")));
            }
            if matches!(change.action, Action::Create | Action::Ship) {
                let own = Rejection::invalid_input("This action is the system's own.");
                bad(own.at(field(i, "action")));
            }
        }
        if !reason.is_for_people() {
            bad(Rejection::invalid_input("This reason is given by the system only.").at(["reason"]));
        }
        let note = text::optional_lines("note", note, text::MAX_NOTE_LENGTH).map_err(&mut bad).ok();
        let reference = text::optional_line("reference", reference, text::MAX_REFERENCE_LENGTH).map_err(&mut bad).ok();
        match (note, reference) {
            (Some(note), Some(reference)) if refusal.is_empty() => {
                Ok(Self { changes, cause: Cause { reason, order: None, note, reference }, dry_run })
            }
            _ => Err(refusal),
        }
    }

    /// Makes one of the changes. A dry run makes it to a copy of the record.
    fn change(&self, i: usize, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Changed, Rejection> {
        let StockChange { product, action, quantity, expected_version } = self.changes[i];
        let before = world.stock(product).map_err(|r| r.at(field(i, "productId")))?.clone();
        if !before.managed {
            let message = "The stock of this product is not managed.";
            return Err(Rejection::invalid_state(message).at(field(i, "productId")));
        }
        must_be_at(&before, expected_version).map_err(|r| r.at(field(i, "expectedVersion")))?;
        let movement = Move { product, action, quantity, holder: Holder::Staff };
        if self.dry_run {
            let mut after = before.clone();
            movement.apply(&mut after, context).map_err(|r| explain(r, &before, i))?;
            return Ok(Changed { before, after, row: None });
        }
        let row = move_stock(world, context, movement, &self.cause).map_err(|r| explain(r, &before, i))?;
        Ok(Changed { before, after: world.stock(product)?.clone(), row })
    }
}

/// What one change did, or would do.
struct Changed {
    before: Stock,
    after: Stock,
    row: Option<StockTransaction>,
}

impl Command for AdjustStock {
    type Answer = AdjustedStock;

    fn footprint(&self) -> Footprint {
        Footprint { products: self.changes.iter().map(|change| change.product).collect(), ..Footprint::default() }
    }

    /// A stock record and a row of the log for each.
    fn rows(&self) -> usize {
        2 * self.changes.len()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<AdjustedStock, Rejections> {
        let (mut answer, mut rejections) = (AdjustedStock::default(), Rejections::new());
        for i in 0..self.changes.len() {
            match self.change(i, world, context) {
                Ok(Changed { before, after, .. }) if self.dry_run => answer.preview.push(Preview {
                    product: after.product,
                    before: before.numbers,
                    after: after.numbers,
                }),
                Ok(Changed { after, row, .. }) => {
                    answer.stocks.push(after);
                    answer.transactions.extend(row);
                }
                Err(rejection) => rejections.push(rejection),
            }
        }
        if rejections.is_empty() { Ok(answer) } else { Err(rejections) }
    }
}

impl Repeatable for AdjustStock {
    type Kept = AdjustedRows;
}

impl From<&AdjustedStock> for AdjustedRows {
    fn from(answer: &AdjustedStock) -> Self {
        Self {
            stocks: answer.stocks.iter().map(|stock| stock.product).collect(),
            transactions: answer.transactions.iter().map(|row| row.id).collect(),
            preview: Vec::new(),
        }
    }
}

fn field(i: usize, name: &str) -> [String; 3] {
    ["changes".to_owned(), i.to_string(), name.to_owned()]
}

fn must_be_at(stock: &Stock, expected: Option<i32>) -> Result<(), Rejection> {
    match expected {
        Some(version) if version != stock.version => {
            let message = format!("The stock is at version {} now.", stock.version);
            Err(Rejection::new(Code::StaleVersion, message))
        }
        _ => Ok(()),
    }
}

/// Staff are told which line is short, and of what.
fn explain(rejection: Rejection, stock: &Stock, i: usize) -> Rejection {
    let rejection = if rejection.code == Code::InsufficientStock {
        let Numbers { total, allocated } = stock.numbers;
        let manually_allocated = stock.manually_allocated;
        let available = stock.available();
        let message = format!(
            "There is not enough stock: {total} in total, {available} available, {allocated} allocated, \
             {manually_allocated} of them by hand."
        );
        Rejection { message, ..rejection }
    } else {
        rejection
    };
    rejection.at(field(i, "quantity"))
}
