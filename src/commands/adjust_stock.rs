//! Staff receive, remove, reserve, free or set stock. All changes of one call happen together or not at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::id::{ProductId, StockTransactionId};
use crate::domain::rejection::{Code, Refusal, Rejection};
use crate::domain::stock::{Action, Holder, Numbers, Stock};
use crate::domain::text;
use crate::domain::transaction::Reason;
use crate::writer::world::World;

use super::ledger::{Cause, move_stock};
use super::{Command, Context, Footprint};

/// Most changes in one adjustment.
pub const MAX_CHANGES: usize = 100;

/// One change.
#[derive(Debug, Clone)]
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

/// Adjusts stock by hand.
#[derive(Debug)]
pub struct AdjustStock {
    changes: Vec<StockChange>,
    cause: Cause,
    dry_run: bool,
}

/// What an adjustment did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustStockAnswer {
    /// Whose stock, in the order asked for.
    pub stocks: Vec<ProductId>,
    /// The rows of the log, in the order asked for; a change that changes nothing has none.
    pub transactions: Vec<StockTransactionId>,
    /// Only of a dry run.
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
    ) -> Result<Self, Refusal> {
        let mut refusal = Refusal::new();
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

    fn change(&self, i: usize, world: &mut World, context: &mut Context<'_>) -> Result<Changed, Rejection> {
        let change = &self.changes[i];
        let stock = world.stock(change.product).map_err(|r| r.at(field(i, "productId")))?;
        if !stock.managed {
            let message = "The stock of this product is not managed.";
            return Err(Rejection::invalid_state(message).at(field(i, "productId")));
        }
        must_be_at(stock, change.expected_version).map_err(|r| r.at(field(i, "expectedVersion")))?;
        let before = stock.clone();
        let movement = (change.action, change.quantity, Holder::Staff);
        let row =
            move_stock(world, context, change.product, movement, &self.cause).map_err(|r| explain(r, &before, i))?;
        let after = world.stock(change.product)?.numbers;
        Ok((row, Preview { product: change.product, before: before.numbers, after }))
    }
}

type Changed = (Option<StockTransactionId>, Preview);

impl Command for AdjustStock {
    type Answer = AdjustStockAnswer;

    fn footprint(&self) -> Footprint {
        Footprint { products: self.changes.iter().map(|change| change.product).collect(), ..Footprint::default() }
    }

    /// A stock record and a row of the log for each.
    fn rows(&self) -> usize {
        2 * self.changes.len()
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<AdjustStockAnswer, Refusal> {
        let (mut answer, mut refusal) = (AdjustStockAnswer::default(), Refusal::new());
        for i in 0..self.changes.len() {
            match self.change(i, world, context) {
                Ok((row, preview)) => {
                    answer.stocks.push(preview.product);
                    answer.transactions.extend(row);
                    answer.preview.push(preview);
                }
                Err(rejection) => refusal.push(rejection),
            }
        }
        if !refusal.is_empty() {
            return Err(refusal);
        }
        if self.dry_run {
            world.undo();
            return Ok(AdjustStockAnswer { preview: answer.preview, ..AdjustStockAnswer::default() });
        }
        Ok(AdjustStockAnswer { preview: Vec::new(), ..answer })
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
        let by_hand = stock.by_hand;
        let available = stock.available();
        let message = format!(
            "There is not enough stock: {total} in total, {available} available, {allocated} allocated, \
             {by_hand} of them by hand."
        );
        Rejection { message, ..rejection }
    } else {
        rejection
    };
    rejection.at(field(i, "quantity"))
}
