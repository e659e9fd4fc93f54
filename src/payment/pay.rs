//! Pays an order: begin, charge, settle. The gateway is called in no transaction.
//!
//! The work runs in a task of its own that goes on when the caller hangs up, and that a shutdown waits for. The answer is
//! what was committed; only the answer to a repeated request, and one without an outcome, is read from the database.

use std::sync::{Arc, OnceLock};

use anyhow::anyhow;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::database::error::Error;
use crate::faults::{self, Breach, Point};
use crate::observability::metrics;
use crate::writer::Submitter;
use domain::codes;
use domain::commands::{BeginPayment, Begun, Paid, PayAnswer, Settled};
use domain::id::OrderId;
use domain::order::OrderRecord;
use domain::payment::{Method, Outcome, Payment};
use domain::rejection::Rejection;
use domain::world::idempotency::Key;

use super::gateway::ChargeAnswer;
use super::{EnabledGateway, Payments};

/// A request to pay an order.
#[derive(Debug)]
pub struct PayRequest {
    /// The order.
    pub order: OrderId,
    /// The name of the gateway; the default gateway if `None`.
    pub gateway: Option<String>,
    /// How the gateway is to charge.
    pub method: Method,
    /// What the gateway's own client library handed to the front end. Only the gateway knows what it means.
    pub token: Option<String>,
    /// The idempotency key, if one was sent.
    pub key: Option<Key>,
    /// Who pays.
    pub by: Submitter,
}

impl Payments {
    /// Pays an order. Answers when the outcome is known, or when `pay_answer` is over: then the payment is still in
    /// progress and its units stay allocated.
    ///
    /// # Errors
    /// `Refused` if no payment was begun; `TimedOut` if it is not known whether one was; otherwise as for the writer.
    pub async fn pay(&self, request: PayRequest) -> Result<Paid, Error> {
        let due = Instant::now() + self.times.pay_answer;
        let gateway = self.gateway(request.gateway.as_deref());
        let gateway = gateway.ok_or_else(|| Rejection::not_found("gateway").at(["gateway"]))?.clone();
        if !gateway.capabilities.methods.contains(&request.method) {
            return Err(unsupported_method(gateway.name).into());
        }
        if request.method == Method::Authorize {
            self.may_write_new_states()?;
        }
        gateway.gateway.check_token(request.token.as_deref())?;
        let begin = BeginPayment {
            order: request.order,
            gateway: gateway.name.to_owned(),
            method: request.method,
            settles_without_call: gateway.capabilities.settles_without_call,
            lease: self.times.pay_lease,
            hold_time: self.holds.time(),
            key: request.key,
        };
        let begun = Arc::new(OnceLock::new());
        let attempt = Attempt {
            payments: self.clone(),
            gateway,
            token: request.token,
            by: request.by,
            begun: Arc::clone(&begun),
        };
        self.answer_by(due, &begun, attempt.run(begin)).await
    }

    /// Does work in a task of its own, which goes on when the caller hangs up. Answers when it is done, or when it is due: then
    /// with what has begun.
    pub(super) async fn answer_by(
        &self,
        due: Instant,
        begun: &OnceLock<Paid>,
        work: impl Future<Output = Result<Answer, Error>> + Send + 'static,
    ) -> Result<Paid, Error> {
        let (reply, answer) = oneshot::channel();
        self.tasks.spawn(async move {
            // The caller may have hung up. The work is done all the same.
            let _ = reply.send(work.await);
        });
        match timeout_at(due, answer).await {
            Ok(answer) => match answer.map_err(|_| Error::TimedOut)?? {
                Answer::Committed(paid) => Ok(*paid),
                Answer::Kept(kept) => self.read(kept).await,
            },
            Err(_) => begun.get().cloned().ok_or(Error::TimedOut),
        }
    }

    /// Reads the order of an answer that was kept, with its payments.
    async fn read(&self, kept: PayAnswer) -> Result<Paid, Error> {
        let PayAnswer { payment, order, errors } = kept;
        Ok(Paid { record: self.order(order).await?, payment, errors })
    }

    /// Reads how it stands with a payment.
    async fn current(&self, payment: &Payment) -> Result<Paid, Error> {
        Ok(Paid::by(self.order(payment.order).await?, payment.id))
    }

    async fn order(&self, id: OrderId) -> Result<OrderRecord, Error> {
        let record = self.store.order(id).await.map_err(|error| match error {
            // `Unavailable` says that nothing was executed, and that is not known here.
            Error::Unavailable => Error::TimedOut,
            error => error,
        })?;
        Ok(record.ok_or_else(|| anyhow!("{id} is missing"))?)
    }
}

fn unsupported_method(gateway: &str) -> Rejection {
    Rejection::invalid_input(format!("The gateway \"{gateway}\" does not support this payment method.")).at(["method"])
}

/// The answer to a request to pay, or to an operation on a payment.
pub(super) enum Answer {
    /// What was committed.
    Committed(Box<Paid>),
    /// What was kept of the answer to an earlier request with the same idempotency key.
    Kept(PayAnswer),
}

/// One attempt to pay an order.
struct Attempt {
    payments: Payments,
    gateway: EnabledGateway,
    token: Option<String>,
    by: Submitter,
    /// The state in progress, once it is committed.
    begun: Arc<OnceLock<Paid>>,
}

impl Attempt {
    /// Begins, charges and settles. Recovery takes over a payment whose outcome stays open.
    async fn run(self, begin: BeginPayment) -> Result<Answer, Error> {
        faults::reach(Point::PayAsked, begin.order.0).await;
        let (in_progress, payment) = match self.begin(begin).await? {
            Begun::Charge { paid, payment } => (paid, payment),
            Begun::Answered(paid) => return Ok(Answer::Committed(Box::new(paid))),
            Begun::Kept(kept) => return Ok(Answer::Kept(kept)),
        };
        let in_progress = self.begun.get_or_init(|| in_progress);
        faults::reach(Point::PayBegun, payment.order.0).await;
        let outcome = self.charge(&payment).await;
        faults::reach(Point::PayCharged, payment.order.0).await;
        let paid = match outcome {
            Some(outcome) => match self.payments.results.settle(payment.id, outcome, &self.by).await {
                Some(Settled::Now(paid) | Settled::Before(paid)) => paid,
                // It may be committed although its replies were lost.
                None => self.payments.current(&payment).await?,
            },
            // The gateway may have reported the result by another way.
            None => self.payments.current(&payment).await.unwrap_or_else(|_| in_progress.clone()),
        };
        faults::reach(Point::PaySettled, payment.order.0).await;
        Ok(Answer::Committed(Box::new(paid)))
    }

    async fn begin(&self, begin: BeginPayment) -> Result<Begun, Error> {
        self.payments.holds.retry(|| self.payments.writer.submit(&self.by, begin.clone())).await
    }

    /// Asks the gateway to charge. Returns `None` if the outcome is open.
    async fn charge(&self, payment: &Payment) -> Option<Outcome> {
        let call = self.gateway.gateway.charge(payment, self.token.as_deref());
        let answer = timeout(self.payments.times.pay_gateway, call).await.ok();
        metrics::gateway(self.gateway.name, CallResult::of(answer.as_ref()).as_str());
        if let Some(ChargeAnswer::Certain(outcome)) = answer {
            return Some(outcome);
        }
        if faults::breaks(Breach::ReleaseOnTimeout) {
            return Some(Outcome::Declined { reason: "The gateway did not answer.".to_owned() });
        }
        tracing::warn!(payment = %payment.id, "a gateway left the outcome of a payment open");
        None
    }
}

codes! {
    /// How a call of a gateway ended, as metrics label it.
    CallResult {
        /// There was no answer in time.
        Silent = "silent",
        /// An error left the outcome open.
        Open = "open",
        /// The money was taken.
        Charged = "charged",
        /// The money was reserved.
        Authorized = "authorized",
        /// The gateway declined.
        Declined = "declined",
        /// The gateway refused the request itself.
        Refused = "refused",
        /// The charge was voided.
        Voided = "voided",
        /// The shopper has to act.
        Action = "action",
        /// Money was refunded.
        Refunded = "refunded",
    }
}

impl CallResult {
    fn of(answer: Option<&ChargeAnswer>) -> Self {
        match answer {
            None => Self::Silent,
            Some(ChargeAnswer::Open) => Self::Open,
            Some(ChargeAnswer::Certain(outcome)) => match outcome {
                Outcome::Authorized { .. } => Self::Authorized,
                Outcome::Charged { .. } => Self::Charged,
                Outcome::Declined { .. } => Self::Declined,
                Outcome::Refused { .. } => Self::Refused,
                Outcome::Voided => Self::Voided,
                Outcome::ActionRequired(_) => Self::Action,
            },
        }
    }
}
