//! Payments: the gateways, paying around a call of one, and the recovery of payments whose outcome stayed open.
//!
//! A timeout is not a decline: units are released only when the gateway has said that nothing was, and nothing will be,
//! charged. This module calls gateways and submits commands; it must never decide what a result means for an order.
//!
//! | What | Where |
//! |---|---|
//! | what a gateway is | [`gateway`] |
//! | what gateways over HTTP share: the client, notices and amounts | `client`, `notices`; signatures are in [`signature`](crate::signature) |
//! | which gateways there are | `REGISTRY`, below; a new one is a file or folder beside this one, with a `mod` line |
//! | `payOrder`: begin, charge, settle | [`pay`](Payments::pay) |
//! | `capturePayment`, `voidPayment`, `refundPayment`: begin, ask, settle | [`operate`](Payments::operate), `operation_recovery` |
//! | payments whose outcome is open: when they are polled, and when they are voided | [`recover`], `Step` in `recovery` |
//! | holds of unpaid orders: how long they last, and their end | [`holds::Holds`] |
//! | results, whichever way they come | [`results::Results`] |
//! | the rules: what a result does to the payment, the order and its units | `domain::commands`: [`BeginPayment`], [`SettlePayment`] |
//!
//! [`BeginPayment`]: domain::commands::BeginPayment
//! [`SettlePayment`]: domain::commands::SettlePayment

pub mod gateway;
pub mod holds;
pub mod sandbox;

mod client;
mod http;
mod manual;
mod notices;
mod operate;
mod operation_recovery;
mod pay;
mod recovery;
mod registry;
mod results;
mod stripe;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{GatewaySettings, PaymentTimeouts};
use crate::observability::metrics;
use crate::read::Store;
use crate::writer::Writer;
use domain::rejection::Rejection;

use gateway::{Notice, Receipt};
use holds::Holds;
use registry::{GatewayContext, Gateways, Registration};
use results::Results;

pub use operate::{Operate, OperateRequest};
pub use pay::{CallResult, PayRequest};
pub use recovery::recover;
pub use registry::EnabledGateway;

/// Every gateway of this release.
const REGISTRY: &[Registration] =
    &[manual::REGISTRATION, sandbox::REGISTRATION, http::REGISTRATION, stripe::REGISTRATION];

/// Returns the name of every gateway of this release, enabled or not.
pub fn gateway_names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|registration| registration.name)
}

/// How payments are made on this server.
#[derive(Debug, Clone)]
pub struct PaymentSettings {
    /// Timeouts of paying, and the pauses of recovery.
    pub times: PaymentTimeouts,
    /// Whether gateways for development are enabled.
    pub has_development_gateways: bool,
    /// Which other gateways are enabled, and what they need.
    pub gateways: GatewaySettings,
    /// Whether nothing is written that release 0.1 cannot read.
    pub is_compatible_with_0_1: bool,
}

/// Makes payments: [`pay`](Self::pay) for `payOrder`, [`recover`] in the background. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Payments {
    store: Store,
    writer: Writer,
    clock: Clock,
    tasks: TaskTracker,
    results: Results,
    gateways: Gateways,
    default_gateway: &'static str,
    publishable_key: Option<Arc<str>>,
    times: PaymentTimeouts,
    holds: Holds,
    is_compatible_with_0_1: bool,
}

impl Payments {
    /// Builds the gateways that the settings enable. Payments are made in tasks of this tracker.
    #[must_use]
    pub fn new(
        store: Store,
        writer: Writer,
        clock: Clock,
        tasks: TaskTracker,
        settings: PaymentSettings,
        holds: Holds,
    ) -> Self {
        let PaymentSettings { times, has_development_gateways, gateways, is_compatible_with_0_1 } = settings;
        let default_gateway = gateways.default_name().as_str();
        let publishable_key = gateways.stripe_publishable_key.as_deref().map(Arc::from);
        let results = Results::new(writer.clone());
        let context = GatewayContext {
            store: store.clone(),
            writer: writer.clone(),
            clock: clock.clone(),
            results: results.clone(),
            settings: gateways,
            times,
        };
        let gateways = Gateways::build(&context, has_development_gateways);
        Self {
            store,
            writer,
            clock,
            tasks,
            results,
            gateways,
            default_gateway,
            publishable_key,
            times,
            holds,
            is_compatible_with_0_1,
        }
    }

    /// Refuses what release 0.1 could not read, while replicas of it may still run.
    ///
    /// # Errors
    /// `INVALID_STATE`.
    pub fn may_write_new_states(&self) -> Result<(), Rejection> {
        if self.is_compatible_with_0_1 {
            let message = "Not while the servers are being upgraded (ONHAND_COMPATIBLE_WITH=0.1). Nothing was changed.";
            return Err(Rejection::invalid_state(message));
        }
        Ok(())
    }

    /// Returns the enabled gateway of this name, or the default gateway if none is named.
    #[must_use]
    pub fn gateway(&self, name: Option<&str>) -> Option<&EnabledGateway> {
        self.gateways.find(name.unwrap_or(self.default_gateway))
    }

    /// Returns the key with which pages use Stripe's own script, where orders can be paid through Stripe.
    #[must_use]
    pub fn publishable_key(&self) -> Option<&str> {
        self.publishable_key.as_deref().filter(|_| self.gateways.find(stripe::REGISTRATION.name).is_some())
    }

    /// Hands a notice of a provider to its gateway.
    pub async fn receive(&self, gateway: &str, notice: Notice<'_>) -> Receipt {
        let Some(gateway) = self.gateways.find(gateway) else { return Receipt::NotSupported };
        let receipt = gateway.gateway.receive(notice).await;
        metrics::notice(gateway.name, receipt.as_str());
        receipt
    }
}
