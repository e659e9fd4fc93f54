//! Captures, voids and refunds payments: begin, ask the gateway, settle. The gateway is called in no transaction, and the work
//! runs in a task of its own that goes on when the caller hangs up, as for [`pay`](super::pay).
//!
//! An operation whose outcome stays open is repeated under its id by recovery, until it is known.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::database::error::Error;
use crate::faults::{self, Breach, Point};
use crate::observability::metrics;
use crate::writer::Submitter;
use domain::commands::{
    BegunOperation, CapturePayment, OperationOutcome, OperationRequest, Paid, RefundPayment, SettleOperation,
    SettledOperation, VoidPayment,
};
use domain::id::{OrderItemId, PaymentId};
use domain::payment::{Outcome, Payment};
use domain::payment_operation::{Kind, PaymentOperation, Status};
use domain::rejection::{Code, Rejection};
use domain::world::idempotency::Key;

use super::gateway::{ChargeState, Gateway, Operation, OperationAnswer};
use super::pay::Answer;
use super::{CallResult, EnabledGateway, Payments};

/// What to do to a payment.
#[derive(Debug, Clone)]
pub enum Operate {
    /// Take the money that was authorized.
    Capture,
    /// Give up a payment.
    Void {
        /// Whether the units are released without waiting for the gateway.
        force: bool,
    },
    /// Send money back.
    Refund {
        /// How much, in minor units; all that is left if `None`.
        amount: Option<i64>,
        /// Units that come back into stock.
        restock: Vec<(OrderItemId, i32)>,
    },
}

/// A request to do something to a payment.
#[derive(Debug)]
pub struct OperateRequest {
    /// The payment.
    pub payment: PaymentId,
    /// What to do.
    pub what: Operate,
    /// The idempotency key, if one was sent.
    pub key: Option<Key>,
    /// Who does it.
    pub by: Submitter,
}

impl Payments {
    /// Captures, voids or refunds a payment. Answers when the outcome is known, or when `pay_answer` is over: then the
    /// operation is in progress.
    ///
    /// # Errors
    /// `Refused` if nothing was begun; `TimedOut` if it is not known whether it was; otherwise as for the writer.
    pub async fn operate(&self, request: OperateRequest) -> Result<Paid, Error> {
        let due = Instant::now() + self.times.pay_answer;
        self.may_write_new_states()?;
        let found = self.store.orders_of_payments(&[request.payment]).await?.pop();
        let payment = found.as_ref().and_then(|record| record.payment(request.payment));
        let payment = payment.ok_or_else(|| Rejection::not_found("payment").at(["paymentId"]))?;
        let gateway = self.gateway(Some(&payment.gateway)).cloned();
        if gateway.is_none() && !matches!(request.what, Operate::Void { force: true }) {
            return Err(Rejection::new(Code::GatewayError, "The gateway of this payment is not enabled.").into());
        }
        let begun = Arc::new(OnceLock::new());
        let attempt = Attempt { payments: self.clone(), gateway, by: request.by, begun: Arc::clone(&begun) };
        let request = (request.payment, request.what, request.key);
        self.answer_by(due, &begun, attempt.run(request)).await
    }

    /// Asks the gateway for an operation. Returns `None` if the outcome is open.
    pub(super) async fn ask(
        &self,
        gateway: &EnabledGateway,
        payment: &Payment,
        operation: &PaymentOperation,
        longest: Duration,
    ) -> Option<OperationOutcome> {
        let asked = timeout(longest, outcome_of(gateway.gateway.as_ref(), payment, operation)).await;
        let outcome = asked.unwrap_or(None);
        let result = match &outcome {
            None => CallResult::Open,
            Some(OperationOutcome::Done { .. }) => match operation.kind {
                Kind::Capture => CallResult::Charged,
                Kind::Void | Kind::ForcedVoid => CallResult::Voided,
                Kind::Refund => CallResult::Refunded,
            },
            Some(OperationOutcome::Refused { .. }) => CallResult::Refused,
            Some(OperationOutcome::TooLate(_)) => CallResult::Charged,
        };
        metrics::gateway(gateway.name, result.as_str());
        if outcome.is_none() {
            let (payment, kind) = (payment.id, operation.kind.as_str());
            tracing::warn!(%payment, kind, "a gateway left the outcome of an operation open; it is repeated");
        }
        outcome
    }

    /// Settles an operation, and tries again while the writer cannot take it. `None` if it could not be committed: recovery
    /// repeats the operation.
    pub(super) async fn settle_operation(
        &self,
        operation: &PaymentOperation,
        outcome: OperationOutcome,
        by: &Submitter,
    ) -> Option<SettledOperation> {
        let settle = SettleOperation::of(operation, outcome);
        let settled = self.results.submit_again(operation.payment, &settle, by).await?;
        if let SettledOperation::Now(paid) = &settled {
            paid.record.operations.iter().filter(|now| now.id == operation.id).for_each(raise_alarm);
        }
        Some(settled)
    }
}

/// Raises an alarm for an operation that somebody has to look after.
pub(super) fn raise_alarm(operation: &PaymentOperation) {
    let (payment, reason) = (operation.payment, operation.failure_reason.as_deref().unwrap_or_default());
    match (operation.kind, operation.status) {
        (Kind::Refund, Status::Failed) => {
            metrics::refund_failed();
            tracing::error!(%payment, reason, "a refund failed for good: the money is still due");
        }
        (_, Status::Failed) => tracing::warn!(%payment, kind = operation.kind.as_str(), reason, "an operation failed"),
        _ => {}
    }
}

async fn outcome_of(
    gateway: &dyn Gateway,
    payment: &Payment,
    operation: &PaymentOperation,
) -> Option<OperationOutcome> {
    let asked = asked(operation);
    let answer = match operation.kind {
        Kind::Capture => gateway.capture(payment, &asked).await,
        Kind::Refund => gateway.refund(payment, &asked).await,
        Kind::Void | Kind::ForcedVoid => return voided(gateway.void(payment).await),
    };
    match answer {
        OperationAnswer::Done { reference } => Some(OperationOutcome::Done { reference }),
        OperationAnswer::Refused { reason } => Some(OperationOutcome::Refused { reason }),
        OperationAnswer::NotSupported => {
            Some(OperationOutcome::Refused { reason: "The gateway cannot do this.".to_owned() })
        }
        OperationAnswer::Open => None,
    }
}

/// What the gateway is asked: always under the same id, and for what was recorded.
fn asked(operation: &PaymentOperation) -> Operation {
    let (mut id, mut amount) = (operation.id.0, operation.amount);
    if operation.recovery.polls > 0 && faults::breaks(Breach::NewKey) {
        id = Uuid::new_v4();
    }
    if operation.kind == Kind::Refund && faults::breaks(Breach::RefundTooMuch) {
        amount.amount *= 2;
    }
    Operation { id, amount }
}

/// A charge that is still open, or still authorized, is not voided yet.
fn voided(state: ChargeState) -> Option<OperationOutcome> {
    match state {
        ChargeState::Unreachable if faults::breaks(Breach::UnconfirmedVoid) => {
            Some(OperationOutcome::Done { reference: None })
        }
        ChargeState::Ended(Outcome::Voided) => Some(OperationOutcome::Done { reference: None }),
        ChargeState::Ended(Outcome::ActionRequired(_) | Outcome::Authorized { .. })
        | ChargeState::Pending
        | ChargeState::NotFound
        | ChargeState::Unreachable => None,
        ChargeState::Ended(ended) => Some(OperationOutcome::TooLate(ended)),
    }
}

/// One attempt at an operation.
struct Attempt {
    payments: Payments,
    gateway: Option<EnabledGateway>,
    by: Submitter,
    /// The state in progress, once it is committed.
    begun: Arc<OnceLock<Paid>>,
}

impl Attempt {
    async fn run(self, (payment, what, key): (PaymentId, Operate, Option<Key>)) -> Result<Answer, Error> {
        let settles_without_call =
            self.gateway.as_ref().is_some_and(|gateway| gateway.capabilities.settles_without_call);
        let is_forced = matches!(what, Operate::Void { force: true });
        let lease = if is_forced { Duration::ZERO } else { self.payments.times.pay_lease };
        let request = OperationRequest { payment, settles_without_call, lease, key };
        let (writer, by) = (&self.payments.writer, &self.by);
        let begun = match what {
            Operate::Capture => writer.submit(by, CapturePayment(request)).await?,
            Operate::Void { force } => writer.submit(by, VoidPayment { request, force }).await?,
            Operate::Refund { amount, restock } => {
                writer.submit(by, RefundPayment { request, amount, restock }).await?
            }
        };
        let (paid, payment, operation) = match begun {
            BegunOperation::Call { paid, payment, operation } => (paid, payment, operation),
            BegunOperation::Answered(paid) => return Ok(Answer::Committed(Box::new(paid))),
            BegunOperation::Kept(kept) => return Ok(Answer::Kept(kept)),
        };
        if is_forced {
            let actor = &operation.actor;
            tracing::warn!(payment = %payment.id, actor, "a payment was voided by force: its units are released");
        }
        let in_progress = self.begun.get_or_init(|| paid);
        faults::reach(Point::OperationBegun, payment.order.0).await;
        let committed = |paid: Paid| Ok(Answer::Committed(Box::new(paid)));
        // Nobody waits for a gateway that was given up: recovery asks it.
        let Some(gateway) = self.gateway.as_ref().filter(|_| !is_forced) else {
            return committed(in_progress.clone());
        };
        let outcome = self.payments.ask(gateway, &payment, &operation, self.payments.times.pay_gateway).await;
        faults::reach(Point::OperationAnswered, payment.order.0).await;
        let Some(outcome) = outcome else {
            return committed(in_progress.clone());
        };
        match self.payments.settle_operation(&operation, outcome, &self.by).await {
            Some(settled) => {
                faults::reach(Point::OperationSettled, payment.order.0).await;
                committed(settled.into_paid())
            }
            // Recovery asks the gateway again, and records it.
            None => committed(in_progress.clone()),
        }
    }
}
