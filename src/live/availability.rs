//! The availability of products, for those who follow only that: it is told when it differs from what they were told last, and
//! never for each sale.

use std::collections::HashMap;
use std::future;

use futures_util::stream::{Stream, StreamExt};

use crate::read::Store;
use domain::id::ProductId;
use domain::stock::{Availability, PublicStock, Stock};

use super::{Hub, stock_changes};

/// A product whose availability a subscriber has not been told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityChange {
    /// What this subscriber was told last; `None` in the first message of a product.
    pub from: Option<Availability>,
    /// The state that it is now told of.
    pub stock: Stock,
}

/// The availability of each product now, then each other one than was told last. Whoever is slow skips what was left again
/// meanwhile, so that `from` is always what they know.
pub fn availability_changes(
    store: Store,
    hub: &Hub,
    products: Vec<ProductId>,
    sees: PublicStock,
) -> impl Stream<Item = AvailabilityChange> + Send + use<> {
    let mut told = HashMap::<ProductId, Availability>::new();
    stock_changes(store, hub, products, sees, None).filter_map(move |stock| {
        let to = stock.availability();
        let from = told.insert(stock.product, to);
        future::ready((from != Some(to)).then_some(AvailabilityChange { from, stock }))
    })
}
