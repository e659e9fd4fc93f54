//! Recovery: settles payments whose outcome stayed open, because a gateway was silent or because the process was killed.
//!
//! One process at a time claims a payment and looks it up under the payment's id. A charge that the gateway does not know
//! is voided there first. Recovery must never release units before the gateway has confirmed that it cannot charge.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::error::Error;
use crate::faults::{self, Point};
use crate::writer::Submitter;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{ClaimPayment, DeferPayment, GiveUpPayment};
use domain::id::PaymentId;
use domain::payment::{Method, Outcome, Payment, Status};

use super::Payments;
use super::gateway::{ChargeState, Gateway};

/// Maximum number of payments that are looked up in one round.
pub(super) const MAX_ROUND: u64 = 100;

/// Maximum number of payments that are looked up at the same time.
pub(super) const MAX_CONCURRENT: usize = 16;

/// Maximum pause between two rounds; `pay_retry` if that is shorter.
const MAX_ROUND_PAUSE: Duration = Duration::from_secs(1);

/// So many times our own longest lease may be that of a process with other settings.
const OTHER_SETTINGS: u32 = 4;

/// Each of the two calls of recovery, and what follows them, has one part of the lease.
pub(super) const LEASE_PARTS: u32 = 3;

/// Recovers open payments until it is stopped.
pub async fn recover(payments: Payments, stop: CancellationToken) {
    let pause = MAX_ROUND_PAUSE.min(payments.times.pay_retry);
    while !stop.is_cancelled() {
        if let Err(error) = payments.recover_due().await {
            tracing::warn!(%error, "recovery could not read the open payments");
        }
        if let Err(error) = payments.repeat_due_operations().await {
            tracing::warn!(%error, "recovery could not read the open operations");
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

impl Payments {
    async fn recover_due(&self) -> Result<(), Error> {
        let due = self.store.due_payments(self.clock.now(), self.longest_lease(), MAX_ROUND).await?;
        // Concurrently, so that a gateway that is silent about one payment does not delay the others.
        let recovered = stream::iter(due).for_each_concurrent(MAX_CONCURRENT, |id| async move {
            if let Err(error) = self.recover_one(id).await {
                tracing::warn!(payment = %id, %error, "recovery could not poll a payment; it tries again");
            }
        });
        recovered.await;
        Ok(())
    }

    async fn recover_one(&self, id: PaymentId) -> Result<(), Error> {
        let claim = ClaimPayment { payment: id, lease: self.times.pay_lease, longest: self.longest_lease() };
        let Some(payment) = self.writer.submit(&Actor::System, claim).await? else {
            return Ok(());
        };
        let Some(gateway) = self.gateway(Some(&payment.gateway)) else {
            tracing::error!(payment = %id, gateway = payment.gateway, "the gateway of an open payment is gone");
            return self.defer(&payment).await;
        };
        faults::reach(Point::RecoveryClaimed, payment.order.0).await;
        let outcome = self.outcome(gateway.gateway.as_ref(), &payment).await?;
        faults::reach(Point::RecoveryAnswered, payment.order.0).await;
        match outcome {
            Some(outcome) => {
                tracing::info!(payment = %id, ?outcome, "recovery settles a payment");
                self.results.settle(id, outcome, &Submitter::from(&Actor::System)).await;
                Ok(())
            }
            None => self.defer(&payment).await,
        }
    }

    /// The longest that any process claims a payment for, with room for others' settings: a lease that ends later was given
    /// by a clock that was wrong.
    pub(super) fn longest_lease(&self) -> Duration {
        self.times.pay_lease.max(self.times.pay_retry_max).saturating_mul(OTHER_SETTINGS)
    }

    /// Looks a payment up, and voids it if it must not go on. Returns the outcome once it is certain.
    async fn outcome(&self, gateway: &dyn Gateway, payment: &Payment) -> Result<Option<Outcome>, Error> {
        let state = self.bounded(gateway.look_up(payment)).await;
        Ok(match Step::after(state, payment, self.clock.now(), self.times.pay_give_up) {
            Step::Settle(outcome) => Some(outcome),
            Step::Wait => None,
            // A void that comes late would end what is found authorized: it is an operation, which is repeated until it is known.
            Step::Void if payment.method == Method::Authorize => {
                self.writer.submit(&Actor::System, GiveUpPayment { payment: payment.id }).await?;
                None
            }
            Step::Void => match self.bounded(gateway.void(payment)).await {
                // It is not voided yet: poll again later.
                ChargeState::Ended(Outcome::ActionRequired(_))
                | ChargeState::Pending
                | ChargeState::NotFound
                | ChargeState::Unreachable => None,
                ChargeState::Ended(outcome) => Some(outcome),
            },
        })
    }

    async fn bounded(&self, call: impl Future<Output = ChargeState>) -> ChargeState {
        timeout(self.times.pay_lease / LEASE_PARTS, call).await.unwrap_or(ChargeState::Unreachable)
    }

    /// Defers the next poll of a payment by twice the pause before, within `pay_retry` and `pay_retry_max`.
    async fn defer(&self, payment: &Payment) -> Result<(), Error> {
        let until = self.clock.now() + self.pause_after(payment.recovery.polls);
        let defer = DeferPayment { payment: payment.id, lease: payment.recovery.leased_until, until };
        self.writer.submit(&Actor::System, defer).await
    }

    /// The pause after so many polls.
    pub(super) fn pause_after(&self, polls: i32) -> Duration {
        let doubled = 1_u32.checked_shl(polls.unsigned_abs().saturating_sub(1)).unwrap_or(u32::MAX);
        self.times.pay_retry.saturating_mul(doubled).min(self.times.pay_retry_max)
    }
}

/// What recovery does with a payment that it has looked up.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The outcome is certain.
    Settle(Outcome),
    /// Nothing may be charged any more.
    Void,
    /// Poll again later.
    Wait,
}

impl Step {
    /// An open payment waits until the shopper's deadline is over, or until it is given up. A charge that the gateway does
    /// not know is voided at once: the request may still arrive.
    fn after(state: ChargeState, payment: &Payment, now: Time, give_up: Duration) -> Self {
        let is_overdue = match (&payment.action, payment.status) {
            (Some(action), Status::RequiresAction) => now >= action.expires_at,
            _ => now >= payment.created_at + give_up,
        };
        match state {
            // The shopper has not acted yet.
            ChargeState::Ended(Outcome::ActionRequired(_)) if payment.status == Status::RequiresAction => {
                if is_overdue { Self::Void } else { Self::Wait }
            }
            ChargeState::Ended(outcome) => Self::Settle(outcome),
            ChargeState::Pending | ChargeState::Unreachable if !is_overdue => Self::Wait,
            ChargeState::NotFound | ChargeState::Pending | ChargeState::Unreachable => Self::Void,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::OrderId;
    use domain::money::Money;
    use domain::payment::{Action, Recovery};
    use uuid::Uuid;

    use super::*;

    const GIVE_UP: Duration = Duration::from_mins(15);

    fn action(expires_at: Time) -> Action {
        Action { kind: "REDIRECT".to_owned(), url: None, client_secret: None, expires_at }
    }

    fn payment(status: Status, action: Option<Action>) -> Payment {
        let begun = Time::UNIX_EPOCH;
        Payment {
            id: PaymentId(Uuid::nil()),
            order: OrderId(Uuid::nil()),
            gateway: "acme".to_owned(),
            method: Method::Purchase,
            status,
            amount: Money::price(1_000, "EUR").expect("an amount"),
            reference: None,
            decline_reason: None,
            decline_code: None,
            action,
            recovery: Recovery { leased_until: begun, next_poll_at: begun, polls: 1 },
            key: None,
            refunded: 0,
            operations: 0,
            created_at: begun,
            updated_at: begun,
        }
    }

    #[test]
    fn an_open_payment_waits_until_its_time_is_over_and_is_voided_then() {
        let begun = Time::UNIX_EPOCH;
        let deadline = begun + Duration::from_hours(1);
        let in_progress = payment(Status::InProgress, None);
        let acting = payment(Status::RequiresAction, Some(action(deadline)));
        let asks_to_act = ChargeState::Ended(Outcome::ActionRequired(action(deadline)));
        for (payment, state, over) in [
            (&in_progress, ChargeState::Pending, begun + GIVE_UP),
            (&in_progress, ChargeState::Unreachable, begun + GIVE_UP),
            (&acting, ChargeState::Pending, deadline),
            (&acting, ChargeState::Unreachable, deadline),
            (&acting, asks_to_act, deadline),
        ] {
            let before = over - Duration::from_millis(1);
            assert_eq!(Step::after(state.clone(), payment, before, GIVE_UP), Step::Wait, "{state:?}");
            assert_eq!(Step::after(state.clone(), payment, over, GIVE_UP), Step::Void, "{state:?}");
        }
    }

    #[test]
    fn a_charge_that_is_not_known_is_voided_and_a_certain_outcome_settles() {
        let begun = Time::UNIX_EPOCH;
        let in_progress = payment(Status::InProgress, None);
        assert_eq!(Step::after(ChargeState::NotFound, &in_progress, begun, GIVE_UP), Step::Void);
        for outcome in [Outcome::Voided, Outcome::ActionRequired(action(begun)), Outcome::Charged { reference: None }] {
            let state = ChargeState::Ended(outcome.clone());
            assert_eq!(Step::after(state, &in_progress, begun + GIVE_UP, GIVE_UP), Step::Settle(outcome));
        }
    }
}
