//! Orders: from check-out to shipping.

mod item;
mod mutations;
mod payment;
mod payment_mutations;
mod queries;
mod refund;
mod shipment;
mod subscriptions;
mod types;

pub use item::OrderItem;
pub use mutations::OrderMutations;
pub use payment::Payment;
pub use payment_mutations::PaymentMutations;
pub use queries::OrderQueries;
pub use refund::Refund;
pub use shipment::Shipment;
pub use subscriptions::OrderSubscriptions;
pub use types::Order;
