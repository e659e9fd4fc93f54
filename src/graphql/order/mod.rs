//! Orders: from check-out to shipping.

mod item;
mod mutations;
mod payment;
mod queries;
mod shipment;
mod subscriptions;
mod types;

pub use item::OrderItem;
pub use mutations::OrderMutations;
pub use payment::Payment;
pub use queries::OrderQueries;
pub use shipment::Shipment;
pub use subscriptions::OrderSubscriptions;
pub use types::Order;
