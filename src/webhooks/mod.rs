//! Outgoing webhooks: sends what happened in the shop to addresses that staff registered. (What gateways send to this server
//! is no business of this module.)
//!
//! Events of orders are recorded by the writer, with the orders; events of stock are derived from the log here. One process
//! sends to a webhook at a time. This module connects to addresses that others chose: only where it may, by the address that
//! was checked, without redirects and without a proxy. It must never log a secret, nor keep what a receiver answers.
//!
//! | What | Where |
//! |---|---|
//! | which addresses may be connected to | [`address`] |
//! | a request: body, signature, timeout | [`request`] |
//! | when what is sent, and by whom | [`send`] |
//! | what the log means for a webhook | [`stock`] |
//! | when an attempt is repeated, and when a webhook is switched off | [`Webhook::record`](domain::webhook::Webhook::record) |
//! | which events orders have | `writer::outbox` |

pub mod address;
pub mod request;

mod sending;
mod stock;

use std::time::Duration;

use crate::clock::Clock;
use crate::config::WebhookSettings;
use crate::read::Store;
use crate::writer::Writer;
use domain::rejection::Rejection;
use domain::webhook::RetryPolicy;

use request::Client;

pub use sending::send;

/// A lease is so many timeouts of a request: it is renewed before each request that could outlast it.
const LEASE_TIMEOUTS: u32 = 3;

/// So many times our own lease may be that of a process with other settings.
const OTHER_SETTINGS: u32 = 20;

/// Sends to webhooks: [`send`] in the background. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Webhooks {
    store: Store,
    writer: Writer,
    clock: Clock,
    client: Client,
    settings: WebhookSettings,
}

impl Webhooks {
    /// Sends what this store and writer have.
    #[must_use]
    pub fn new(store: Store, writer: Writer, clock: Clock, settings: WebhookSettings) -> Self {
        let client = Client::new(settings.webhook_private_networks, settings.webhook_timeout);
        Self { store, writer, clock, client, settings }
    }

    /// Returns the address of a webhook in its usual form.
    ///
    /// # Errors
    /// `INVALID_INPUT` for one that is never sent to.
    pub fn check_url(&self, url: &str) -> Result<String, Rejection> {
        let checked = address::check(url, self.settings.webhook_private_networks);
        checked.map(String::from).map_err(|why| Rejection::invalid_input(why).at(["url"]))
    }

    const fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            shortest: self.settings.webhook_retry,
            longest: self.settings.webhook_retry_max,
            give_up: self.settings.webhook_give_up,
        }
    }

    const fn lease(&self) -> Duration {
        self.settings.webhook_timeout.saturating_mul(LEASE_TIMEOUTS)
    }

    fn longest_lease(&self) -> Duration {
        self.lease().saturating_mul(OTHER_SETTINGS)
    }
}
