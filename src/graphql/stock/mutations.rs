//! Staff adjust stock.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::Viewer;
use crate::graphql::error::{UserError, refusable};
use crate::graphql::keys::{at_most, id, idempotency_key};
use crate::graphql::loaders::load_many;
use crate::graphql::product::{Product, product_of};
use domain::commands::{AdjustStock, AdjustedRows, AdjustedStock, MAX_CHANGES, Preview, StockChange};
use domain::world::idempotency::{Keyed, Once};

use super::log::{StockAction, StockReason, StockTransaction};
use super::numbers::StockNumbers;
use super::types::Stock;

/// Changes of stock that happen together or not at all.
#[derive(Debug, InputObject)]
pub struct AdjustStockInput {
    /// 1 to 100 changes, each of another product.
    changes: Vec<StockChangeInput>,
    /// Why.
    #[graphql(default_with = "StockReason::Other")]
    reason: StockReason,
    /// What there is to say about it, at most 1,000 characters.
    note: Option<String>,
    /// A document outside this system, at most 200 characters.
    reference: Option<String>,
    /// Answer what would happen in `preview` and change nothing.
    #[graphql(default_with = "Some(false)")]
    dry_run: Option<bool>,
    /// The same key with the same input has one effect and one answer, for 24 hours.
    idempotency_key: Option<String>,
}

/// One change of stock.
#[derive(Debug, InputObject)]
pub struct StockChangeInput {
    /// Of which product.
    product_id: ID,
    /// INCREMENT, DECREMENT, ALLOCATE, DEALLOCATE or SET. DEALLOCATE cannot free what orders hold.
    action: StockAction,
    /// 1 to 1,000,000,000; from 0 for SET.
    quantity: i32,
    /// Compare and set: refused as STALE_VERSION when the stock is no longer at this version.
    expected_version: Option<i32>,
}

/// The result of `adjustStock`.
#[derive(Debug, SimpleObject)]
pub struct AdjustStockPayload {
    /// The stock records, in the order of the changes; null when refused or not done.
    stocks: Option<Vec<Stock>>,
    /// The rows of the log, in the order of the changes; a change that changed nothing has none.
    transactions: Option<Vec<StockTransaction>>,
    /// Only of a dry run.
    preview: Option<Vec<StockPreview>>,
    /// Why it was refused; empty otherwise.
    user_errors: Vec<UserError>,
}

/// What a dry run would do to one product.
#[derive(Debug, SimpleObject)]
pub struct StockPreview {
    /// Which product.
    product: Product,
    /// The numbers now.
    before: StockNumbers,
    /// The numbers then.
    after: StockNumbers,
}

/// Mutations of stock. Staff only.
#[derive(Debug, Default)]
pub struct StockMutations;

#[Object]
impl StockMutations {
    /// Receive, remove, reserve, free or set stock. All changes of one call happen together or not at all. Staff only.
    async fn adjust_stock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The changes.")] input: AdjustStockInput,
    ) -> async_graphql::Result<AdjustStockPayload> {
        let viewer = Viewer::of(context);
        viewer.must_be_staff()?;
        let key = idempotency_key(context, "adjustStock", input.idempotency_key.as_ref(), None, &input)?;
        let dry_run = input.dry_run.unwrap_or(false);
        // A dry run has no effect that a key could protect.
        let key = key.filter(|_| !dry_run);
        let result = match decode(&input, dry_run)? {
            Ok(command) => {
                let (app, keyed) = (context.data_unchecked::<App>(), Keyed { key, command });
                app.holds.retry(|| app.writer.submit(viewer, keyed.clone())).await
            }
            Err(refused) => Err(refused),
        };
        match refusable(result)? {
            Ok(Once::Now(adjusted)) if dry_run => preview(context, adjusted.preview).await,
            Ok(Once::Now(AdjustedStock { stocks, transactions, preview: _ })) => Ok(AdjustStockPayload {
                stocks: Some(stocks.into_iter().map(Stock).collect()),
                transactions: Some(transactions.into_iter().map(Into::into).collect()),
                preview: None,
                user_errors: Vec::new(),
            }),
            Ok(Once::Before(kept)) => read_again(context, kept).await,
            Err(user_errors) => Ok(AdjustStockPayload { stocks: None, transactions: None, preview: None, user_errors }),
        }
    }
}

fn decode(input: &AdjustStockInput, dry_run: bool) -> async_graphql::Result<Result<AdjustStock, Error>> {
    at_most("changes", input.changes.len(), MAX_CHANGES)?;
    let mut changes = Vec::with_capacity(input.changes.len());
    for change in &input.changes {
        changes.push(StockChange {
            product: id(&change.product_id)?,
            action: change.action.into(),
            quantity: change.quantity,
            expected_version: change.expected_version,
        });
    }
    let (note, reference) = (input.note.as_deref(), input.reference.as_deref());
    Ok(AdjustStock::check(changes, input.reason.into(), note, reference, dry_run).map_err(Error::Refused))
}

async fn preview(context: &Context<'_>, changes: Vec<Preview>) -> async_graphql::Result<AdjustStockPayload> {
    let mut preview = Vec::with_capacity(changes.len());
    for change in changes {
        preview.push(StockPreview {
            product: product_of(context, change.product).await?,
            before: change.before.into(),
            after: change.after.into(),
        });
    }
    Ok(AdjustStockPayload { stocks: None, transactions: None, preview: Some(preview), user_errors: Vec::new() })
}

/// What an adjustment did that came before under the same idempotency key.
async fn read_again(context: &Context<'_>, answer: AdjustedRows) -> async_graphql::Result<AdjustStockPayload> {
    let ids = answer.stocks.iter().map(|id| domain::id::StockId::from(*id));
    let mut stocks = load_many(context, ids.clone()).await?;
    let mut rows = load_many(context, answer.transactions.iter().copied()).await?;
    Ok(AdjustStockPayload {
        stocks: Some(ids.filter_map(|id| stocks.remove(&id)).map(Stock).collect()),
        transactions: Some(answer.transactions.iter().filter_map(|id| rows.remove(id)).map(Into::into).collect()),
        preview: None,
        user_errors: Vec::new(),
    })
}
