//! Payments: the gateways, paying around a call of one, and the recovery of payments whose outcome stayed open.
//!
//! A timeout is not a decline: units are released only when the gateway has said that nothing was, and nothing will be,
//! charged. This module calls gateways and submits commands; it must never decide what a result means for an order.
//!
//! | What | Where |
//! |---|---|
//! | what a gateway is | [`gateway`] |
//! | which gateways there are | `REGISTRY`, below; a new one is a file or folder beside this one, with a `mod` line |
//! | `payOrder`: begin, charge, settle | [`pay`](Payments::pay) |
//! | `capturePayment`, `voidPayment`, `refundPayment`: begin, ask, settle | [`operate`](Payments::operate), `operation_recovery` |
//! | payments whose outcome is open: when they are polled, and when they are voided | [`recover`], `Step` in `recovery` |
//! | results, whichever way they come | [`results::Results`] |
//! | the rules: what a result does to the payment, the order and its units | `domain::commands`: [`BeginPayment`], [`SettlePayment`] |
//!
//! [`BeginPayment`]: domain::commands::BeginPayment
//! [`SettlePayment`]: domain::commands::SettlePayment

pub mod gateway;
pub mod sandbox;

mod manual;
mod operate;
mod operation_recovery;
mod pay;
mod recovery;
mod registry;
#[cfg(feature = "faults")]
mod remote;
mod results;

use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::PaymentTimeouts;
use crate::read::Store;
use crate::writer::Writer;
use domain::rejection::Rejection;

use registry::{GatewayContext, Gateways, Registration};
use results::Results;

pub use operate::{Operate, OperateRequest};
pub use pay::{CallResult, PayRequest};
pub use recovery::recover;
pub use registry::EnabledGateway;

/// Every gateway of this release.
const REGISTRY: &[Registration] = &[
    manual::REGISTRATION,
    sandbox::REGISTRATION,
    #[cfg(feature = "faults")]
    remote::REGISTRATION,
];

/// The name of the gateway that charges when a request names none.
const DEFAULT_GATEWAY: &str = manual::REGISTRATION.name;

/// Returns the name of every gateway of this release, enabled or not.
pub fn gateway_names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|registration| registration.name)
}

/// How payments are made on this server.
#[derive(Debug, Clone, Copy)]
pub struct PaymentSettings {
    /// Timeouts of paying, and the pauses of recovery.
    pub times: PaymentTimeouts,
    /// Whether gateways for development are enabled.
    pub has_development_gateways: bool,
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
    times: PaymentTimeouts,
    is_compatible_with_0_1: bool,
}

impl Payments {
    /// Builds the gateways that the settings enable. Payments are made in tasks of this tracker.
    #[must_use]
    pub fn new(store: Store, writer: Writer, clock: Clock, tasks: TaskTracker, settings: PaymentSettings) -> Self {
        let results = Results::new(writer.clone());
        let context = GatewayContext {
            store: store.clone(),
            writer: writer.clone(),
            clock: clock.clone(),
            results: results.clone(),
        };
        let gateways = Gateways::build(&context, settings.has_development_gateways);
        let PaymentSettings { times, is_compatible_with_0_1, .. } = settings;
        Self { store, writer, clock, tasks, results, gateways, times, is_compatible_with_0_1 }
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
        self.gateways.find(name.unwrap_or(DEFAULT_GATEWAY))
    }
}
