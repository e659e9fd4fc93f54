//! Recovery of operations: repeats captures, voids and refunds whose outcome stayed open under their ids, until it is known, and
//! carries out those that nobody asked for: refunds of money that arrived for a released order.
//!
//! One process at a time claims an operation. It is never given up: only the gateway can say how it ended.

use futures_util::{StreamExt, stream};

use crate::database::error::Error;
use crate::faults::{self, Point};
use crate::writer::Submitter;
use domain::actor::Actor;
use domain::commands::{ClaimOperation, DeferOperation};
use domain::id::{PaymentId, PaymentOperationId};
use domain::payment_operation::PaymentOperation;

use super::Payments;
use super::recovery::{LEASE_PARTS, MAX_CONCURRENT, MAX_ROUND};

impl Payments {
    /// Repeats the operations that are due.
    pub(super) async fn repeat_due_operations(&self) -> Result<(), Error> {
        let due = self.store.due_operations(self.clock.now(), self.longest_lease(), MAX_ROUND).await?;
        let repeated = stream::iter(due).for_each_concurrent(MAX_CONCURRENT, |(id, payment)| async move {
            if let Err(error) = self.repeat_one(id, payment).await {
                tracing::warn!(%payment, %error, "recovery could not repeat an operation; it tries again");
            }
        });
        repeated.await;
        Ok(())
    }

    async fn repeat_one(&self, operation: PaymentOperationId, payment: PaymentId) -> Result<(), Error> {
        let (lease, longest) = (self.times.pay_lease, self.longest_lease());
        let claim = ClaimOperation { operation, payment, lease, longest };
        let Some((payment, operation)) = self.writer.submit(&Actor::System, claim).await? else {
            return Ok(());
        };
        let Some(gateway) = self.gateway(Some(&payment.gateway)) else {
            tracing::error!(payment = %payment.id, gateway = payment.gateway, "the gateway of an open operation is gone");
            return self.defer_operation(&operation).await;
        };
        faults::reach(Point::OperationClaimed, payment.order.0).await;
        match self.ask(gateway, &payment, &operation, self.times.pay_lease / LEASE_PARTS).await {
            Some(outcome) => {
                let kind = operation.kind.as_str();
                tracing::info!(payment = %payment.id, kind, ?outcome, "recovery settles an operation");
                self.settle_operation(&operation, outcome, &Submitter::from(&Actor::System)).await;
                Ok(())
            }
            None => self.defer_operation(&operation).await,
        }
    }

    async fn defer_operation(&self, operation: &PaymentOperation) -> Result<(), Error> {
        let until = self.clock.now() + self.pause_after(operation.recovery.polls);
        let lease = operation.recovery.leased_until;
        let defer = DeferOperation { operation: operation.id, payment: operation.payment, lease, until };
        self.writer.submit(&Actor::System, defer).await
    }
}
