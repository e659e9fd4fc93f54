//! Recovery: payments whose outcome stayed open, because a gateway was silent or because we were killed.
//!
//! Each is taken by one process at a time, and the gateway is asked under the payment's own key. What it does not know
//! is cancelled there first, and only released when it has confirmed that it cannot charge any more.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::database::error::Error;
use crate::writer::Submitter;
use domain::actor::Actor;
use domain::commands::{ClaimPayment, DeferPayment};
use domain::id::PaymentId;
use domain::payment::{Outcome, Payment, Status};

use super::pay::settle;
use super::{Gateway, Known};

/// Most payments that are looked at in one round.
const MAX_ROUND: u64 = 100;

/// Most payments that are looked at side by side.
const MAX_AT_ONCE: usize = 16;

/// How often recovery looks whether a payment is due; a shorter retry makes it shorter.
const ROUND: Duration = Duration::from_secs(1);

/// Looks after open payments until it is told to stop.
pub async fn recover(app: App, stop: CancellationToken) {
    let pause = ROUND.min(app.times.pay_retry);
    while !stop.is_cancelled() {
        if let Err(error) = round(&app).await {
            tracing::warn!(%error, "recovery could not look for open payments");
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn round(app: &App) -> Result<(), Error> {
    let due = app.store.due_payments(app.clock.now(), MAX_ROUND).await?;
    // Side by side, so that a gateway that is silent about one payment does not hold up the others.
    let looks = stream::iter(due).for_each_concurrent(MAX_AT_ONCE, |id| async move {
        if let Err(error) = look(app, id).await {
            tracing::warn!(payment = %id, %error, "recovery could not look at a payment; it tries again");
        }
    });
    looks.await;
    Ok(())
}

async fn look(app: &App, id: PaymentId) -> Result<(), Error> {
    let claim = ClaimPayment { payment: id, lease: app.times.pay_lease };
    let Some(payment) = app.writer.submit(&Actor::System, claim).await? else {
        return Ok(());
    };
    let Some(gateway) = app.gateways.find(&payment.gateway) else {
        tracing::error!(payment = %id, gateway = payment.gateway, "the gateway of an open payment is gone");
        return put_back(app, &payment).await;
    };
    match ask(app, &gateway, &payment).await {
        Some(outcome) => {
            tracing::info!(payment = %id, ?outcome, "recovery settles a payment");
            settle(app, id, outcome, &Submitter::from(&Actor::System)).await;
            Ok(())
        }
        None => put_back(app, &payment).await,
    }
}

/// How the payment ended, when the gateway says so for certain.
async fn ask(app: &App, gateway: &Gateway, payment: &Payment) -> Option<Outcome> {
    let known = bounded(app, gateway.look_up(payment.id)).await;
    let is_overdue = match (&payment.action, payment.status) {
        (Some(action), Status::RequiresAction) => app.clock.now() >= action.expires_at,
        _ => app.clock.now() >= payment.created_at + app.times.pay_give_up,
    };
    match known {
        Known::Ended(outcome) => return Some(outcome),
        Known::Pending | Known::Silent if !is_overdue => return None,
        Known::Nothing | Known::Pending | Known::Silent => {}
    }
    match bounded(app, gateway.cancel(payment.id)).await {
        Known::Ended(outcome) => Some(outcome),
        Known::Nothing | Known::Pending | Known::Silent => None,
    }
}

/// Both calls of one look, and what follows them, fit into its lease.
async fn bounded(app: &App, call: impl Future<Output = Known>) -> Known {
    timeout(app.times.pay_lease / 3, call).await.unwrap_or(Known::Silent)
}

/// Looks again later: after twice as long each time, within bounds.
async fn put_back(app: &App, payment: &Payment) -> Result<(), Error> {
    let doubled = 1_u32.checked_shl(payment.recovery.polls.unsigned_abs().saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = app.times.pay_retry.saturating_mul(doubled).min(app.times.pay_retry_max);
    let defer =
        DeferPayment { payment: payment.id, lease: payment.recovery.leased_until, until: app.clock.now() + pause };
    app.writer.submit(&Actor::System, defer).await
}
