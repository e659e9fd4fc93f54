//! Mutations of payments: capture, void, refund. They decode and encode; the rules stand in the commands.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, InputType, Object};

use crate::app::App;
use crate::graphql::error::{refusable, user_errors};
use crate::graphql::keys::{MAX_IDS, at_most, id, idempotency_key};
use crate::graphql::{Viewer, viewer};
use crate::payment::{Operate, OperateRequest};
use domain::commands::Paid;
use domain::id::PaymentId;

use super::mutations::PaymentPayload;
use super::payment::Payment;
use super::types::Order;

/// The input of `capturePayment`.
#[derive(Debug, InputObject)]
pub struct CapturePaymentInput {
    /// The payment.
    payment_id: ID,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer. A
    /// new attempt needs a new key.
    idempotency_key: Option<String>,
}

/// The input of `voidPayment`.
#[derive(Debug, InputObject)]
pub struct VoidPaymentInput {
    /// The payment.
    payment_id: ID,
    /// Release the units without waiting for the gateway: only for a gateway that does not answer any more. Money that it takes
    /// all the same is refunded.
    #[graphql(default_with = "Some(false)")]
    force: Option<bool>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer.
    idempotency_key: Option<String>,
}

/// The input of `refundPayment`.
#[derive(Debug, InputObject)]
pub struct RefundPaymentInput {
    /// The payment.
    payment_id: ID,
    /// The amount in minor units, for example 1250 for 12.50 EUR. All that is left to refund if omitted.
    amount: Option<crate::graphql::scalars::Long>,
    /// Units that come back into stock when the refund succeeds: first units that the order still holds, then units that were
    /// shipped and have not come back. At most 100 items.
    restock: Option<Vec<OrderItemQuantityInput>>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer. A
    /// new attempt needs a new key.
    idempotency_key: Option<String>,
}

/// A quantity of an order's item.
#[derive(Debug, InputObject)]
pub struct OrderItemQuantityInput {
    /// The item.
    pub order_item_id: ID,
    /// How many units, 1 to 1,000,000,000.
    pub quantity: i32,
}

/// Mutations of payments.
#[derive(Debug, Default)]
pub struct PaymentMutations;

#[Object]
impl PaymentMutations {
    /// Captures the money of an AUTHORIZED payment. If the gateway refuses, the payment stays AUTHORIZED, its units stay
    /// allocated, and it can be tried again. If the gateway does not answer in time, the capture goes on. Staff only.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE, GATEWAY_ERROR, PAYMENT_IN_PROGRESS (the outcome is not known yet, or something
    /// else is being done to the payment), IDEMPOTENCY_KEY_REUSED.
    async fn capture_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The payment.")] input: CapturePaymentInput,
    ) -> async_graphql::Result<PaymentPayload> {
        let key = (input.idempotency_key.as_ref(), &input.payment_id);
        operate(context, "capturePayment", key, &input, Operate::Capture).await
    }

    /// Voids an AUTHORIZED payment, or one that is REQUIRES_ACTION. Once the gateway has confirmed, the units are released, and
    /// the order is INCOMPLETE and UNPAID and can be paid again; if a part of it was shipped, the order is CANCELLED. With
    /// `force` the units are released at once, also of a payment that is IN_PROGRESS. Staff only.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE, GATEWAY_ERROR (the money had been taken already), PAYMENT_IN_PROGRESS (the outcome is
    /// not known yet, or something else is being done to the payment), IDEMPOTENCY_KEY_REUSED.
    async fn void_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The payment.")] input: VoidPaymentInput,
    ) -> async_graphql::Result<PaymentPayload> {
        let key = (input.idempotency_key.as_ref(), &input.payment_id);
        let force = input.force.unwrap_or(false);
        operate(context, "voidPayment", key, &input, Operate::Void { force }).await
    }

    /// Refunds money of a SUCCEEDED payment, whole or in parts, also of a cancelled order. A refund counts from its beginning
    /// against what is left. Stock comes back only for what `restock` names. "manual" only records the refund: hand the money
    /// back. If the gateway does not answer in time, the refund goes on. Staff only.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE, INVALID_INPUT (amount, or more units than can come back), INVALID_QUANTITY,
    /// GATEWAY_ERROR, PAYMENT_IN_PROGRESS (the outcome is not known yet, or something else is being done to the payment),
    /// IDEMPOTENCY_KEY_REUSED.
    async fn refund_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The payment.")] input: RefundPaymentInput,
    ) -> async_graphql::Result<PaymentPayload> {
        Viewer::of(context).must_be_staff()?;
        let items = input.restock.as_deref().unwrap_or_default();
        at_most("items", items.len(), MAX_IDS)?;
        let restock = items.iter().map(|item| Ok((id(&item.order_item_id)?, item.quantity)));
        let restock = restock.collect::<async_graphql::Result<_>>()?;
        let key = (input.idempotency_key.as_ref(), &input.payment_id);
        let what = Operate::Refund { amount: input.amount.map(|amount| amount.0), restock };
        operate(context, "refundPayment", key, &input, what).await
    }
}

async fn operate<I: InputType>(
    context: &Context<'_>,
    mutation: &'static str,
    (key, named): (Option<&String>, &ID),
    input: &I,
    what: Operate,
) -> async_graphql::Result<PaymentPayload> {
    let (app, who) = (context.data_unchecked::<App>(), Viewer::of(context));
    who.must_be_staff()?;
    let payment: PaymentId = id(named)?;
    let key = idempotency_key(context, mutation, key, Some(named), input)?;
    let request = OperateRequest { payment, what, key, by: who.into() };
    Ok(match refusable(app.payments.operate(request).await)? {
        Ok(paid) => encode(context, paid),
        Err(user_errors) => PaymentPayload { payment: None, order: None, user_errors },
    })
}

/// Those who may not use the order are told nothing of it, nor of the payment.
pub(super) fn encode(context: &Context<'_>, paid: Paid) -> PaymentPayload {
    let payment = paid.payment().cloned();
    let order = viewer::usable_order(context, Some(Arc::new(paid.record)));
    PaymentPayload {
        payment: payment.zip(order.clone()).map(|(payment, of)| Payment { payment, of }),
        order: order.map(Order),
        user_errors: user_errors(paid.errors),
    }
}
