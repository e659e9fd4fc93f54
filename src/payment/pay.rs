//! Paying an order: begin, ask the gateway, settle. The work runs in a task of its own that goes on when the caller
//! hangs up, and that a shutdown waits for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::app::App;
use crate::commands::{BeginPayment, Begun, PayAnswer, SettlePayment, Settled};
use crate::domain::id::{OrderId, PaymentId};
use crate::domain::payment::{Method, Outcome, Payment, Status};
use crate::domain::rejection::{Refusal, Rejection};
use crate::error::Error;
use crate::store::OrderRecord;
use crate::telemetry;
use crate::writer::Submitter;
use crate::writer::idempotency::Key;

use super::{Behaviour, Charged, Gateway};

/// How often settling is tried when the writer cannot take it; after that it is recovery's.
const SETTLE_TRIES: u32 = 5;

/// How long to wait before settling is tried again.
const SETTLE_RETRY: Duration = Duration::from_millis(200);

/// What somebody wants to pay, and how.
#[derive(Debug)]
pub struct PayRequest {
    /// Which order.
    pub order: OrderId,
    /// The gateway's name; the shop's default when `None`.
    pub gateway: Option<String>,
    /// What is asked of it.
    pub method: Method,
    /// What the gateway's own client library handed to the front end.
    pub token: Option<String>,
    /// The idempotency key, if one came.
    pub key: Option<Key>,
    /// Who pays.
    pub who: Submitter,
}

/// How paying an order ended, or how far it is: order, payment and errors of one moment.
#[derive(Debug)]
pub struct Paid {
    /// The order with all its payments.
    pub record: OrderRecord,
    /// The attempt; `None` when none was begun.
    pub payment: Option<PaymentId>,
    /// What went wrong.
    pub errors: Refusal,
}

impl Paid {
    /// The attempt itself.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.record.payments.iter().find(|payment| Some(payment.id) == self.payment)
    }
}

/// Pays an order, and answers when the outcome is known or the time for an answer is over. In the latter case the
/// payment is still in progress and its units stay allocated.
///
/// # Errors
/// `Refused` when no attempt was begun; otherwise as for the writer.
pub async fn pay(app: &App, request: PayRequest) -> Result<Paid, Error> {
    let name = request.gateway.as_deref().unwrap_or(app.gateways.default_name());
    let gateway = app.gateways.find(name).ok_or_else(|| Rejection::not_found("gateway").at(["gateway"]))?;
    let behaviour = match gateway {
        Gateway::Manual => Behaviour::Succeed,
        Gateway::Sandbox(_) => Behaviour::from_token(request.token.as_deref())?,
    };
    let begin = BeginPayment {
        order: request.order,
        gateway: name.to_owned(),
        method: request.method,
        is_settled_elsewhere: matches!(gateway, Gateway::Manual),
        lease: app.times.pay_lease,
        key: request.key,
    };
    let due = Instant::now() + app.times.pay_answer;
    loop {
        let work = (begin.clone(), gateway.clone(), behaviour, request.who.clone());
        let answer = answer(app, work, due).await?;
        let is_running = answer.is_running();
        let paid = paid(app, answer).await?;
        if !is_running || paid.payment().is_some_and(|payment| payment.status.is_open()) {
            return Ok(paid);
        }
        // The attempt that was under way has ended since: what it left behind is the answer, or another attempt.
        if Instant::now() >= due {
            return Err(Error::TimedOut);
        }
    }
}

/// Has an attempt made, and answers at the latest when it is due.
async fn answer(
    app: &App,
    (begin, gateway, behaviour, who): (BeginPayment, Gateway, Behaviour, Submitter),
    due: Instant,
) -> Result<PayAnswer, Error> {
    let (reply, answer) = oneshot::channel();
    let begun = Arc::new(OnceLock::new());
    let order = begin.order;
    let work = attempt(app.clone(), begin, gateway, behaviour, who, Arc::clone(&begun));
    app.tasks.spawn(async move {
        // A caller that has gone away does not want to know; the work is done all the same.
        let _ = reply.send(work.await);
    });
    match timeout_at(due, answer).await {
        Ok(answered) => answered.unwrap_or(Err(Error::TimedOut)),
        Err(_) => begun.get().map(|payment| open(order, *payment)).ok_or(Error::TimedOut),
    }
}

/// Reads the order and its payments of one moment. A payment that was open when it was answered may have ended by then,
/// and its errors are told.
async fn paid(app: &App, answer: PayAnswer) -> Result<Paid, Error> {
    let PayAnswer { payment, order, errors } = answer;
    let record = app.store.order(order).await.map_err(|error| match error {
        // Something may have happened: that nothing was executed would not be true.
        Error::Unavailable => Error::TimedOut,
        error => error,
    })?;
    let record = record.ok_or_else(|| anyhow!("{order} is missing"))?;
    let mut paid = Paid { record, payment, errors };
    if paid.errors.is_empty() {
        paid.errors = paid.payment().and_then(Payment::refusal).into_iter().collect();
    }
    Ok(paid)
}

/// The answer while the outcome is open.
const fn open(order: OrderId, payment: PaymentId) -> PayAnswer {
    PayAnswer { payment: Some(payment), order, errors: Vec::new() }
}

/// Begins, asks and settles. An outcome that stays open is recovery's from then on.
async fn attempt(
    app: App,
    begin: BeginPayment,
    gateway: Gateway,
    behaviour: Behaviour,
    who: Submitter,
    begun: Arc<OnceLock<PaymentId>>,
) -> Result<PayAnswer, Error> {
    let order = begin.order;
    let (payment, amount) = match app.writer.submit(&who, begin).await? {
        Begun::Ask { payment, amount } => (payment, amount),
        Begun::Answered(answer) => return Ok(answer),
    };
    begun.get_or_init(|| payment);
    let asked = timeout(app.times.pay_gateway, gateway.charge(payment, amount, behaviour)).await;
    telemetry::gateway(gateway.name(), result(asked.as_ref().ok()));
    let Ok(Charged::Certain(outcome)) = asked else {
        tracing::warn!(%payment, "a gateway left the outcome of a payment open");
        return Ok(open(order, payment));
    };
    let settled = settle(&app, payment, outcome.clone(), &who).await;
    if behaviour == Behaviour::Twice {
        // The second answer finds the payment settled and changes nothing.
        settle(&app, payment, outcome, &who).await;
    }
    Ok(match settled {
        Some(Settled::Now(answer)) => answer,
        Some(Settled::Before(_)) | None => open(order, payment),
    })
}

/// Every word for how a call of a gateway ended.
pub const RESULTS: [&str; 7] = ["silent", "open", "charged", "declined", "refused", "voided", "action"];

/// How a call of a gateway ended, in a word.
fn result(asked: Option<&Charged>) -> &'static str {
    match asked {
        None => "silent",
        Some(Charged::Open) => "open",
        Some(Charged::Certain(Outcome::Charged { .. })) => "charged",
        Some(Charged::Certain(Outcome::Declined { .. })) => "declined",
        Some(Charged::Certain(Outcome::Refused { .. })) => "refused",
        Some(Charged::Certain(Outcome::Voided)) => "voided",
        Some(Charged::Certain(Outcome::ActionRequired(_))) => "action",
    }
}

/// Settles, and tries again while the writer cannot take it. `None` when it could not in the end: the payment stays in
/// progress, and recovery will hear the same from the gateway.
pub async fn settle(app: &App, payment: PaymentId, outcome: Outcome, who: &Submitter) -> Option<Settled> {
    let is_charged = matches!(outcome, Outcome::Charged { .. });
    for _ in 0..SETTLE_TRIES {
        match app.writer.submit(who, SettlePayment { payment, outcome: outcome.clone() }).await {
            Ok(Settled::Before(status @ (Status::Declined | Status::Voided))) if is_charged => {
                tracing::error!(%payment, ?status, "money arrived after its units were released: refund it");
                return Some(Settled::Before(status));
            }
            Ok(settled) => return Some(settled),
            Err(error) => tracing::warn!(%payment, %error, "a payment could not be settled"),
        }
        sleep(SETTLE_RETRY).await;
    }
    None
}
