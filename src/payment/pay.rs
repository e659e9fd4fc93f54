//! Paying an order: begin, ask the gateway, settle. The work runs in a task of its own that goes on when the caller
//! hangs up, and that a shutdown waits for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::app::App;
use crate::database::error::Error;
use crate::observability::metrics;
use crate::writer::Submitter;
use domain::commands::{BeginPayment, Begun, Paid, PayAnswer, SettlePayment, Settled};
use domain::id::{OrderId, PaymentId};
use domain::payment::{Method, Outcome, Status};
use domain::rejection::Rejection;
use domain::world::idempotency::Key;

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
    match answer(app, begin, gateway, behaviour, request.who, due).await? {
        Answer::Now(paid) => Ok(*paid),
        Answer::Before(kept) => read_again(app, kept).await,
    }
}

/// The answer to a request to pay.
enum Answer {
    /// What was committed.
    Now(Box<Paid>),
    /// What was kept of an earlier answer under the same idempotency key.
    Before(PayAnswer),
}

/// Has a payment made, and answers at the latest when it is due. What is not known by then is in progress.
async fn answer(
    app: &App,
    begin: BeginPayment,
    gateway: Gateway,
    behaviour: Behaviour,
    who: Submitter,
    due: Instant,
) -> Result<Answer, Error> {
    let (reply, answer) = oneshot::channel();
    let begun = Arc::new(OnceLock::new());
    let work = attempt(app.clone(), begin, gateway, behaviour, who, Arc::clone(&begun));
    app.tasks.spawn(async move {
        // A caller that has gone away does not want to know; the work is done all the same.
        let _ = reply.send(work.await);
    });
    match timeout_at(due, answer).await {
        Ok(answered) => answered.unwrap_or(Err(Error::TimedOut)),
        Err(_) => begun.get().cloned().map(Box::new).map(Answer::Now).ok_or(Error::TimedOut),
    }
}

/// Reads the order and its payments for an answer that was kept.
async fn read_again(app: &App, kept: PayAnswer) -> Result<Paid, Error> {
    let PayAnswer { payment, order, errors } = kept;
    let record = app.store.order(order).await.map_err(|error| match error {
        // Something may have happened: that nothing was executed would not be true.
        Error::Unavailable => Error::TimedOut,
        error => error,
    })?;
    let record = record.ok_or_else(|| anyhow!("{order} is missing"))?;
    Ok(Paid { record, payment, errors })
}

/// Begins, asks and settles. An outcome that stays open is recovery's from then on.
async fn attempt(
    app: App,
    begin: BeginPayment,
    gateway: Gateway,
    behaviour: Behaviour,
    who: Submitter,
    begun: Arc<OnceLock<Paid>>,
) -> Result<Answer, Error> {
    let (open, payment, amount) = match app.writer.submit(&who, begin).await? {
        Begun::Ask { paid, payment, amount } => (paid, payment, amount),
        Begun::Answered(paid) => return Ok(Answer::Now(Box::new(paid))),
        Begun::Before(kept) => return Ok(Answer::Before(kept)),
    };
    let open = begun.get_or_init(|| open);
    let asked = timeout(app.times.pay_gateway, gateway.charge(payment, amount, behaviour)).await;
    metrics::gateway(gateway.name(), result(asked.as_ref().ok()));
    let Ok(Charged::Certain(outcome)) = asked else {
        tracing::warn!(%payment, "a gateway left the outcome of a payment open");
        return Ok(Answer::Now(Box::new(open.clone())));
    };
    let settled = settle(&app, payment, outcome.clone(), &who).await;
    if behaviour == Behaviour::Twice {
        // The second answer finds the payment settled and changes nothing.
        settle(&app, payment, outcome, &who).await;
    }
    Ok(Answer::Now(Box::new(match settled {
        Some(Settled::Now(paid) | Settled::Before(paid)) => paid,
        None => open.clone(),
    })))
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
            Ok(settled) => {
                if let (Settled::Before(paid), true) = (&settled, is_charged)
                    && let Some(Status::Declined | Status::Voided) = paid.payment().map(|payment| payment.status)
                {
                    tracing::error!(%payment, "money arrived after its units were released: refund it");
                }
                return Some(settled);
            }
            Err(error) => tracing::warn!(%payment, %error, "a payment could not be settled"),
        }
        sleep(SETTLE_RETRY).await;
    }
    None
}
