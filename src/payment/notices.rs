//! What gateways over HTTP have in common: notices that a provider pushes to this server find their payment here, and every
//! amount that a provider tells is compared with what it was asked for.

use anyhow::anyhow;

use crate::database::error::Error;
use crate::observability::metrics;
use crate::read::Store;
use crate::writer::Submitter;
use domain::actor::Actor;
use domain::commands::{FailRefund, SettledOperation};
use domain::id::{PaymentId, PaymentOperationId};
use domain::money::Money;
use domain::payment::{Outcome, Payment};

use super::gateway::Receipt;
use super::operate::raise_alarm;
use super::registry::GatewayContext;
use super::results::Results;

/// Maximum length of a text that a provider tells and that is kept, in characters.
const MAX_TEXT: usize = 500;

/// Takes the notices of one gateway.
#[derive(Debug)]
pub struct Notices {
    gateway: &'static str,
    store: Store,
    results: Results,
}

impl Notices {
    /// Returns the notices of this gateway.
    pub fn new(gateway: &'static str, context: &GatewayContext) -> Self {
        Self { gateway, store: context.store.clone(), results: context.results.clone() }
    }

    /// Returns a payment of this gateway by the id that the provider was given; `None` if there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn payment(&self, id: &str) -> Result<Option<Payment>, Error> {
        let Ok(id) = id.parse::<PaymentId>() else { return Ok(None) };
        let orders = self.store.orders_of_payments(&[id]).await?;
        let Some(order) = orders.first() else { return Ok(None) };
        let payment = order.payment(id).ok_or_else(|| anyhow!("{id} is missing"))?;
        Ok((payment.gateway == self.gateway).then(|| payment.clone()))
    }

    /// Settles a payment with what a notice says. One that comes twice or late changes nothing.
    pub async fn settle(&self, payment: &Payment, outcome: Outcome) -> Receipt {
        tracing::info!(payment = %payment.id, gateway = self.gateway, "a payment provider reports a result");
        match self.results.report(payment.id, outcome).await {
            Some(_) => Receipt::Accepted,
            None => Receipt::Failed,
        }
    }

    /// Ends a refund that failed after it had been reported as done, if `is_of` its payment: the money is due again.
    pub async fn fail_refund(&self, id: &str, reason: String, is_of: impl Fn(&Payment) -> bool) -> Receipt {
        let found = match id.parse().map(PaymentOperationId) {
            Ok(id) => self.store.orders_of_operations(&[id]).await.map(|orders| (id, orders)),
            Err(_) => return self.ignore("of a refund that is not known"),
        };
        let Ok((id, orders)) = found else { return Receipt::Failed };
        let refund = orders.iter().find_map(|order| {
            let refund = order.operations.iter().find(|operation| operation.id == id)?;
            let payment = order.payment(refund.payment).filter(|payment| payment.gateway == self.gateway)?;
            FailRefund::of(refund, reason.clone()).filter(|_| is_of(payment)).map(|fails| (payment.id, fails))
        });
        let Some((payment, fails)) = refund else { return self.ignore("of a refund that is not known") };
        match self.results.submit_again(payment, &fails, &Submitter::from(&Actor::System)).await {
            Some(SettledOperation::Now(paid)) => {
                paid.record.operations.iter().filter(|now| now.id == id).for_each(raise_alarm);
                Receipt::Accepted
            }
            Some(SettledOperation::Before(_)) => Receipt::Accepted,
            None => Receipt::Failed,
        }
    }

    /// Acknowledges a notice that changes nothing here.
    pub fn ignore(&self, what: &str) -> Receipt {
        // What a provider writes is bounded, and quoted so that it cannot end the line.
        let what = text(what);
        tracing::info!(gateway = self.gateway, notice = ?what, "a notice of a payment provider changes nothing here");
        Receipt::Ignored
    }
}

/// Returns whether the amount that a provider tells is the one that it was asked for. Otherwise nothing is settled by it: it
/// is logged and counted, and somebody has to look at it.
pub fn agrees(payment: &Payment, asked: Money, told: Option<i64>, currency: Option<&str>) -> bool {
    let is_same =
        told == Some(asked.amount) && currency.is_some_and(|code| code.eq_ignore_ascii_case(asked.currency.code()));
    if !is_same {
        metrics::gateway_mismatch(&payment.gateway);
        let currency = currency.map(text);
        tracing::error!(
            payment = %payment.id,
            gateway = payment.gateway,
            asked = asked.amount,
            asked_currency = asked.currency.code(),
            told,
            ?currency,
            "a payment provider tells another amount than it was asked for; the payment stays open: look at it there"
        );
    }
    is_same
}

/// Returns the beginning of a text of a provider, without control characters.
pub fn text(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_TEXT).collect()
}
