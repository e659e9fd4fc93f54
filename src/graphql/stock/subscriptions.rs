//! Live stock, and the live log.

use std::sync::Arc;

use async_graphql::connection::{Edge, EmptyFields};
use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt, future, stream};
use uuid::Uuid;

use crate::app::App;
use crate::faults::{self, Point};
use crate::graphql::error::failure;
use crate::graphql::keys::ids;
use crate::graphql::{Viewer, cursor};
use crate::live::{availability_changes, log_tail, stock_changes};
use domain::id::ProductId;
use domain::stock;

use super::availability::AvailabilityChange;
use super::log::{StockTransaction, StockTransactionFilter};
use super::log_page::LogPage;
use super::types::Stock;

/// Cursors of the live log: places in the order of writing. Those of lists are something else.
const CURSOR: &str = "live-log";

/// Data of a request that is executed for one state of a stock record, which many follow: the only result of a subscription
/// to stock.
#[derive(Debug, Clone)]
pub struct OneStock(pub stock::Stock);

/// Subscriptions to stock.
#[derive(Debug, Default)]
pub struct StockSubscriptions;

#[Subscription]
impl StockSubscriptions {
    /// The current stock of each product first, then newer states in order of `version`. A slow reader skips to the newest
    /// state and never misses the last one; it is never sent the same or an older version. Unknown ids are skipped. A
    /// product that is not managed sends UNTRACKED, first and when it becomes so, and is followed all the same. A product
    /// that is archived or restored sends a newer version with the same numbers: select `product { status }` to show that
    /// an ARCHIVED one cannot be bought. At most 100 products. Ends only when the client completes it or the server shuts
    /// down.
    async fn stock_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The products, at most 100.")] product_ids: Vec<ID>,
    ) -> async_graphql::Result<impl Stream<Item = Stock> + use<>> {
        faults::reach(Point::SubscriptionResolving, Uuid::nil()).await;
        let app = context.data_unchecked::<App>();
        let products: Vec<ProductId> = ids(&product_ids)?;
        if let Some(OneStock(stock)) = context.data_opt() {
            return Ok(stream::once(future::ready(Stock(stock.clone()))).left_stream());
        }
        let sees = Viewer::of(context).sees();
        Ok(stock_changes(app.store.clone(), &app.hub, products, sees, None).map(Stock).right_stream())
    }

    /// The present availability of each product first, with `from` null, then once for each crossing: when the product is out
    /// of stock, low by its threshold, back in stock, or no longer tracked; never for each sale. A slow reader skips what was
    /// left again meanwhile: `from` is always what this subscription said last. After a reconnect the first message says how it
    /// is now. Unknown ids are skipped. At most 100 products.
    async fn availability_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The products, at most 100.")] product_ids: Vec<ID>,
    ) -> async_graphql::Result<impl Stream<Item = AvailabilityChange> + use<>> {
        faults::reach(Point::SubscriptionResolving, Uuid::nil()).await;
        let app = context.data_unchecked::<App>();
        let products: Vec<ProductId> = ids(&product_ids)?;
        let sees = Viewer::of(context).sees();
        Ok(availability_changes(app.store.clone(), &app.hub, products, sees).map(AvailabilityChange))
    }

    /// Every transaction, none merged, in order of `sequence` per product; after a cursor of this subscription, everything
    /// since. Cursors of lists are BAD_CURSOR here: subscribe, then query. Staff only.
    async fn stock_transaction_added(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only these transactions. All if omitted.")] filter: Option<StockTransactionFilter>,
        #[graphql(desc = "Everything after this cursor. From now on if omitted.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Edge<String, StockTransaction, EmptyFields>> + use<>> {
        faults::reach(Point::SubscriptionResolving, Uuid::nil()).await;
        Viewer::of(context).must_be_staff()?;
        let app = context.data_unchecked::<App>();
        let filter = filter.unwrap_or_default().decode()?;
        let place = match after {
            Some(after) => {
                let place = cursor::decode(CURSOR, &after)?;
                if !app.store.is_our_place(&place).await.map_err(|error| failure(&error))? {
                    return Err(cursor::bad());
                }
                place
            }
            None => app.store.log_end().await.map_err(|error| failure(&error))?,
        };
        let pages = log_tail(app.store.clone(), &app.hub, filter, place);
        Ok(pages.flat_map(|rows| {
            let page = Arc::new(LogPage::of(rows.iter().map(|(_, row)| row)));
            stream::iter(rows).map(move |(place, row)| {
                let row = StockTransaction::on_page(row, Arc::clone(&page));
                Edge::new(cursor::encode(CURSOR, &place), row)
            })
        }))
    }
}
