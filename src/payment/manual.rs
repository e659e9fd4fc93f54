//! The `manual` gateway: it records money that was taken elsewhere, for example in cash. It calls nobody.

use std::sync::Arc;

use async_trait::async_trait;

use domain::payment::{Method, Outcome, Payment};

use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway};
use super::registry::Registration;

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: "manual",
    capabilities: Capabilities {
        methods: &[Method::Purchase, Method::Authorize],
        settles_without_call: true,
        is_staff_only: true,
        is_for_development: false,
    },
    build: |_| Some(Arc::new(Manual)),
};

#[derive(Debug)]
struct Manual;

#[async_trait]
impl Gateway for Manual {
    async fn charge(&self, _: &Payment, _: Option<&str>) -> ChargeAnswer {
        ChargeAnswer::Certain(Outcome::Charged { reference: None })
    }

    async fn look_up(&self, _: &Payment) -> ChargeState {
        ChargeState::NotFound
    }

    async fn void(&self, _: &Payment) -> ChargeState {
        ChargeState::Ended(Outcome::Voided)
    }
}
