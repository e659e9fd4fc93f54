//! The three numbers at one moment, as clients see them.

use async_graphql::SimpleObject;

use crate::graphql::budget::Charged;
use domain::stock;

/// The three numbers at one moment.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct StockNumbers {
    /// Units in the warehouse.
    total: i32,
    /// Units that can still be bought.
    available: i32,
    /// Units that belong to someone already.
    allocated: i32,
}

impl From<stock::Numbers> for StockNumbers {
    fn from(numbers: stock::Numbers) -> Self {
        Self { total: numbers.total, available: numbers.available(), allocated: numbers.allocated }
    }
}
