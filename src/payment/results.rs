//! Results of gateways, and the one way in which they settle payments: the answer to a charge, what recovery looks up,
//! and what a gateway reports by itself.
//!
//! A result may come twice, late, or before the answer to the charge. [`SettlePayment`] compares and sets, so the first
//! result that is certain counts and no later one changes anything.

use std::time::Duration;

use tokio::time::sleep;

use crate::writer::{Submitter, Writer};
use domain::actor::Actor;
use domain::commands::{Command, SettlePayment, Settled};
use domain::id::PaymentId;
use domain::payment::{Outcome, Status};

/// Maximum number of attempts to settle a payment when the writer cannot take it. After that it is left to recovery.
const MAX_SETTLE_ATTEMPTS: u32 = 5;

/// Pause between two attempts to settle a payment.
const SETTLE_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Takes results and settles payments. Gateways get one to report results that come outside of a call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Results {
    writer: Writer,
}

impl Results {
    pub(super) const fn new(writer: Writer) -> Self {
        Self { writer }
    }

    /// Settles a payment with a result that its gateway reports outside of a call.
    ///
    /// Returns `None` if it could not be committed: the gateway must report it again.
    pub async fn report(&self, payment: PaymentId, outcome: Outcome) -> Option<Settled> {
        self.settle(payment, outcome, &Submitter::from(&Actor::System)).await
    }

    /// Settles a payment, and tries again while the writer cannot take it.
    ///
    /// Returns `None` if it could not be committed: the payment stays open, and recovery will look up the same result.
    pub(super) async fn settle(&self, payment: PaymentId, outcome: Outcome, by: &Submitter) -> Option<Settled> {
        let settle = SettlePayment { payment, outcome };
        let settled = self.submit_again(payment, &settle, by).await?;
        if is_charged_after_release(&settle.outcome, &settled) {
            tracing::error!(%payment, "money arrived after its units were released: it is refunded");
        }
        Some(settled)
    }

    /// Submits what settles a payment, or an operation on it, again while the writer cannot take it. Returns `None` if it could
    /// not be committed.
    pub(super) async fn submit_again<C: Command + Clone>(
        &self,
        payment: PaymentId,
        settle: &C,
        by: &Submitter,
    ) -> Option<C::Answer> {
        for _ in 0..MAX_SETTLE_ATTEMPTS {
            match self.writer.submit(by, settle.clone()).await {
                Ok(settled) => return Some(settled),
                Err(error) => tracing::warn!(%payment, %error, "a result of a payment could not be recorded"),
            }
            sleep(SETTLE_RETRY_PAUSE).await;
        }
        None
    }
}

fn is_charged_after_release(outcome: &Outcome, settled: &Settled) -> bool {
    let Settled::Before(paid) = settled else { return false };
    let status = paid.payment().map(|payment| payment.status);
    matches!(outcome, Outcome::Charged { .. }) && matches!(status, Some(Status::Declined | Status::Voided))
}
