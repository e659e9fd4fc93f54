//! Outgoing webhooks: addresses for events, and the deliveries to them. Staff only.

mod mutations;
mod queries;
mod types;

pub use mutations::WebhookMutations;
pub use queries::WebhookQueries;
pub use types::{Webhook, WebhookDelivery};
