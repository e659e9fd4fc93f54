//! Registers gateways: what a gateway's file says of it, what gateways are built from, and which of them are enabled.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{GatewaySettings, PaymentTimeouts};
use crate::read::Store;
use crate::writer::Writer;

use super::REGISTRY;
use super::gateway::{Capabilities, Gateway};
use super::results::Results;

/// A gateway of this release.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// Its name in the API, in the database and in metrics: a promise to clients and operators.
    pub name: &'static str,
    /// What it can do, and who may use it.
    pub capabilities: Capabilities,
    /// Builds it. `None` if the settings that it needs are not given.
    pub build: fn(&GatewayContext) -> Option<Arc<dyn Gateway>>,
}

/// What gateways are built from.
#[derive(Debug)]
pub struct GatewayContext {
    /// Read queries.
    pub store: Store,
    /// Submits commands. A gateway may only submit commands of its own.
    pub writer: Writer,
    /// The source of the time.
    pub clock: Clock,
    /// Takes results that come outside of a call.
    pub results: Results,
    /// What the gateways need.
    pub settings: GatewaySettings,
    /// Timeouts of paying.
    pub times: PaymentTimeouts,
}

/// A gateway that is enabled on this server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EnabledGateway {
    /// Its name.
    pub name: &'static str,
    /// What it can do, and who may use it.
    pub capabilities: Capabilities,
    /// The gateway.
    pub(super) gateway: Arc<dyn Gateway>,
}

/// The enabled gateways. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateways(Arc<[EnabledGateway]>);

impl Gateways {
    /// Builds every gateway of the registry that the settings enable.
    pub fn build(context: &GatewayContext, has_development_gateways: bool) -> Self {
        let is_allowed = |registration: &&Registration| {
            if registration.capabilities.is_for_development {
                has_development_gateways
            } else {
                context.settings.names(registration.name)
            }
        };
        let enabled = REGISTRY.iter().filter(is_allowed).filter_map(|Registration { name, capabilities, build }| {
            Some(EnabledGateway { name, capabilities: *capabilities, gateway: build(context)? })
        });
        Self(enabled.collect())
    }

    /// Returns the gateway of this name.
    pub fn find(&self, name: &str) -> Option<&EnabledGateway> {
        self.0.iter().find(|gateway| gateway.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = REGISTRY.iter().map(|registration| registration.name).collect();
        assert_eq!(names.len(), REGISTRY.len());
    }
}
