//! The log as clients see it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object};

use crate::app::App;
use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::keys::{any_of, at_most, id, ids};
use crate::graphql::loaders::{load_many, told};
use crate::graphql::order::Order;
use crate::graphql::page::{Connection, PageArguments, connection};
use crate::graphql::product::{Product, present, product_of};
use crate::graphql::scalars::DateTime;
use crate::graphql::{Viewer, viewer};
use crate::read::{LogCursor, LogFilter};
use domain::product::ProductRecord;
use domain::transaction;

use super::log_page::LogPage;
use super::numbers::StockNumbers;

/// Cursors of lists of the log.
const CURSOR: &str = "log";

/// Most values in a filter of the log.
pub const MAX_FILTER: usize = 100;

/// One row of the append-only log.
#[derive(Debug, Clone)]
pub struct StockTransaction {
    row: transaction::StockTransaction,
    /// Its product, when that was read with the row's page.
    product: Option<ProductRecord>,
    /// The page of the live log that it is on.
    page: Option<Arc<LogPage>>,
}

impl From<transaction::StockTransaction> for StockTransaction {
    fn from(row: transaction::StockTransaction) -> Self {
        Self { row, product: None, page: None }
    }
}

impl StockTransaction {
    /// A row on a page of the live log.
    pub const fn on_page(row: transaction::StockTransaction, page: Arc<LogPage>) -> Self {
        Self { row, product: None, page: Some(page) }
    }
}

/// One row of the append-only log. Rows of one product are numbered 1, 2, 3 ... without gaps by `sequence`; a managed
/// product has at least its CREATE.
#[Object(guard = "Charged")]
impl StockTransaction {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// Whose stock moved.
    async fn product(&self, context: &Context<'_>) -> async_graphql::Result<Product> {
        let id = self.row.product;
        match (&self.product, &self.page) {
            (Some(product), _) => Ok(Product(product.clone())),
            (None, Some(page)) => present(id, page.product(context, id).await?),
            (None, None) => product_of(context, id).await,
        }
    }

    /// What moved.
    async fn action(&self) -> StockAction {
        self.row.movement.action.into()
    }

    /// The quantity that was asked for; of SET, what total became.
    async fn quantity(&self) -> i32 {
        self.row.movement.quantity
    }

    /// Change of total.
    async fn total_delta(&self) -> i32 {
        self.row.movement.total_delta
    }

    /// Change of available.
    async fn available_delta(&self) -> i32 {
        self.row.movement.total_delta - self.row.movement.allocated_delta
    }

    /// Change of allocated.
    async fn allocated_delta(&self) -> i32 {
        self.row.movement.allocated_delta
    }

    /// The numbers right after this transaction.
    async fn after(&self) -> StockNumbers {
        self.row.after.into()
    }

    /// Its number in the log of the product: 1, 2, 3 ... without gaps.
    async fn sequence(&self) -> i32 {
        self.row.sequence
    }

    /// Why stock moved.
    async fn reason(&self) -> StockReason {
        self.row.reason.into()
    }

    /// What somebody wrote about it.
    async fn note(&self) -> Option<Text<&str>> {
        self.row.note.as_deref().map(Text)
    }

    /// A document outside this system: a purchase order, a ticket.
    async fn reference(&self) -> Option<Text<&str>> {
        self.row.reference.as_deref().map(Text)
    }

    /// Who did it: the subject of a token, `system` for this server itself, or `guest`. A subject that reads like one of the
    /// latter has `subject:` before it, as in `subject:system`.
    async fn actor(&self) -> Text<&str> {
        Text(&self.row.actor)
    }

    /// The order that caused it, if one did.
    async fn order(&self, context: &Context<'_>) -> Nullable<Order> {
        nullable(async {
            let order = match (self.row.order, &self.page) {
                (Some(order), Some(page)) => viewer::usable_order(context, page.order(context, order).await?),
                (Some(order), None) => viewer::order(context, order).await?,
                (None, _) => None,
            };
            Ok(order.map(Order))
        })
        .await
    }

    /// Shared by all transactions of one operation.
    async fn operation_id(&self) -> ID {
        self.row.operation.into()
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// What a transaction does to (total, available, allocated).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::stock::Action")]
pub enum StockAction {
    /// The first row of a product: +q +q 0.
    Create,
    /// Received: +q +q 0.
    Increment,
    /// Removed: -q -q 0, needs available >= q.
    Decrement,
    /// Reserved: 0 -q +q, needs available >= q.
    Allocate,
    /// Freed: 0 +q -q.
    Deallocate,
    /// Counted: total becomes q, needs q >= allocated.
    Set,
    /// Left the warehouse: -q 0 -q, one movement, so that a badge never flickers.
    Ship,
}

/// Why stock moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::transaction::Reason")]
pub enum StockReason {
    /// Goods came in.
    Received,
    /// A mistake is put right.
    Correction,
    /// Somebody counted.
    Count,
    /// Units broke.
    Damaged,
    /// Units are gone.
    Lost,
    /// A customer sent units back.
    Return,
    /// Units go to, or come from, a reseller.
    Reseller,
    /// A file was imported.
    Import,
    /// Anything else.
    Other,
    /// The first stock of a product. Given by the system only, refused as input of adjustStock.
    Initial,
    /// An order is being paid. Given by the system only, refused as input of adjustStock.
    OrderPayment,
    /// A payment failed. Given by the system only, refused as input of adjustStock.
    PaymentFailed,
    /// A payment was cancelled at its gateway. Given by the system only, refused as input of adjustStock.
    PaymentVoided,
    /// An order was cancelled. Given by the system only, refused as input of adjustStock.
    OrderCancelled,
    /// An order was shipped. Given by the system only, refused as input of adjustStock.
    OrderShipped,
    /// Units of a refunded item that were not shipped are released.
    Refunded,
    /// Units are held for an order that is not paid yet. System only.
    Hold,
    /// What was held was not paid in time. System only.
    HoldExpired,
}

/// Which rows of the log are wanted; what is not given, or is an empty list, is not filtered by.
#[derive(Debug, Default, InputObject)]
pub struct StockTransactionFilter {
    /// Of any of these products; of all when empty or not given. At most 100.
    product_ids: Option<Vec<ID>>,
    /// Caused by this order.
    order_id: Option<ID>,
    /// Only transactions with one of these. All if omitted or empty.
    actions: Option<Vec<StockAction>>,
    /// Only transactions with one of these. All if omitted or empty.
    reasons: Option<Vec<StockReason>>,
    /// At this moment or later.
    since: Option<DateTime>,
    /// At this moment or earlier.
    until: Option<DateTime>,
}

impl StockTransactionFilter {
    /// The filter as the store takes it.
    ///
    /// # Errors
    /// `BAD_ID`, `LIMIT_EXCEEDED`.
    pub fn decode(self) -> async_graphql::Result<LogFilter> {
        let longest = self.actions.as_ref().map_or(0, Vec::len).max(self.reasons.as_ref().map_or(0, Vec::len));
        at_most("values", longest, MAX_FILTER)?;
        Ok(LogFilter {
            products: any_of(self.product_ids).as_deref().map(ids).transpose()?,
            order: self.order_id.as_ref().map(id).transpose()?,
            actions: any_of(self.actions).map(|actions| actions.into_iter().map(Into::into).collect()),
            reasons: any_of(self.reasons).map(|reasons| reasons.into_iter().map(Into::into).collect()),
            since: self.since.map(|time| time.0),
            until: self.until.map(|time| time.0),
        })
    }
}

/// A page of the log.
///
/// # Errors
/// As for every page.
pub async fn log_connection(
    context: &Context<'_>,
    filter: &LogFilter,
    arguments: PageArguments,
) -> async_graphql::Result<Option<Connection<StockTransaction>>> {
    Viewer::of(context).must_be_staff()?;
    let request = arguments.request(CURSOR)?;
    let store = &context.data_unchecked::<App>().store;
    let mut page = store.transaction_page(filter, &request).await.map_err(|error| told(context, &error))?;
    let mut products = HashMap::new();
    if asks_for_products(context) {
        products = load_many(context, page.rows.iter().map(|row| row.product)).await?;
        // Only somebody who got around the foreign keys can leave such a row. It takes no other row with it.
        page.rows.retain(|row| {
            let is_there = products.contains_key(&row.product);
            if !is_there {
                tracing::error!(transaction = %row.id, product = %row.product, "a row of the log names a product that is missing");
            }
            is_there
        });
    }
    let node = |row: transaction::StockTransaction| {
        let product = products.get(&row.product).cloned();
        StockTransaction { row, product, page: None }
    };
    Ok(Some(connection(CURSOR, page, LogCursor::of, node)))
}

/// Whether a page of the log is asked for the products of its rows.
fn asks_for_products(context: &Context<'_>) -> bool {
    let asked = context.look_ahead();
    asked.field("nodes").field("product").exists() || asked.field("edges").field("node").field("product").exists()
}
