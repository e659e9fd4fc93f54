//! Stock: the three numbers, and the log behind them.

mod allocations;
mod availability;
mod log;
mod log_page;
mod mutations;
mod numbers;
mod queries;
mod subscriptions;
mod types;

pub use allocations::StockAllocation;
pub use log::{StockTransaction, log_connection};
pub use mutations::StockMutations;
pub use queries::StockQueries;
pub use subscriptions::{OneStock, StockSubscriptions};
pub use types::{Availability, Stock};
