//! The three numbers at one moment, and the demand beside them, as clients see them.

use async_graphql::SimpleObject;

use crate::graphql::budget::Charged;
use crate::graphql::scalars::Long;
use domain::demand::Demand;
use domain::money::MAX_AMOUNT;
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

/// How many units shoppers want right now.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct StockDemand {
    /// Units in open carts.
    in_carts: Long,
    /// Units in unpaid orders: whose payment has not begun, was declined or was voided, and that are not cancelled.
    in_unpaid_orders: Long,
}

impl From<Demand> for StockDemand {
    fn from(demand: Demand) -> Self {
        // While a release that does not count writes beside this one, the count may be too low.
        let count = |units: i64| Long(units.clamp(0, MAX_AMOUNT));
        Self { in_carts: count(demand.in_carts), in_unpaid_orders: count(demand.in_unpaid_orders) }
    }
}
