//! The order flow: check out, pay, cancel, ship.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, InputType, Object, SimpleObject};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::error::{UserError, refusable, user_errors};
use crate::graphql::keys::{fits, id, idempotency_key};
use crate::graphql::{Viewer, viewer};
use crate::payment::{MANUAL, PayRequest, pay};
use domain::commands::{CancelOrder, CheckOut, ShipOrder};
use domain::id::OrderId;
use domain::order::OrderRecord;
use domain::world::idempotency::{Key, Keyed, Once, Repeatable};

use super::payment::{Payment, PaymentMethod};
use super::types::{CancelReason, Order};

/// Longest token or name of a gateway, in characters.
const MAX_TOKEN_LENGTH: usize = 4_096;

/// A cart to be checked out.
#[derive(Debug, InputObject)]
pub struct CheckOutInput {
    /// Which cart.
    cart_id: ID,
    /// Who the order is for.
    customer: Option<CustomerInput>,
    /// The same key with the same input has one effect and one answer, for 24 hours.
    idempotency_key: Option<String>,
}

/// Who an order is for.
#[derive(Debug, InputObject)]
pub struct CustomerInput {
    /// What to call them, at most 200 characters.
    name: Option<String>,
    /// Where to write to, at most 254 characters.
    email: String,
}

/// An order to be paid.
#[derive(Debug, InputObject)]
pub struct PayOrderInput {
    /// Which order.
    order_id: ID,
    /// The shop's default unless given. "manual" records money taken elsewhere: staff only. "sandbox" does what its token
    /// says: development only.
    gateway: Option<String>,
    /// What is asked of the gateway.
    #[graphql(default_with = "PaymentMethod::Purchase")]
    method: PaymentMethod,
    /// What the gateway's own client library handed to the front end.
    token: Option<String>,
    /// The same key with the same input has one effect and one answer, for 24 hours. A new attempt needs a new key.
    idempotency_key: Option<String>,
}

/// An order to be cancelled.
#[derive(Debug, InputObject)]
pub struct CancelOrderInput {
    /// Which order.
    order_id: ID,
    /// Why. For those who are not staff, REQUESTED only.
    #[graphql(default_with = "Some(CancelReason::Requested)")]
    reason: Option<CancelReason>,
    /// What there is to say about it, at most 1,000 characters. It stands on the rows of the log that this writes.
    note: Option<String>,
    /// The same key with the same input has one effect and one answer, for 24 hours.
    idempotency_key: Option<String>,
}

/// An order to be shipped.
#[derive(Debug, InputObject)]
pub struct ShipOrderInput {
    /// Which order.
    order_id: ID,
    /// Who carries it, at most 200 characters.
    carrier: Option<String>,
    /// The carrier's number for it, at most 200 characters.
    tracking_number: Option<String>,
    /// The same key with the same input has one effect and one answer, for 24 hours.
    idempotency_key: Option<String>,
}

/// What became of a mutation of an order.
#[derive(Debug, SimpleObject)]
pub struct OrderPayload {
    /// The order; null when refused.
    order: Option<Order>,
    /// Why it was refused; empty otherwise.
    user_errors: Vec<UserError>,
}

/// What became of a payment.
#[derive(Debug, SimpleObject)]
pub struct PaymentPayload {
    /// The payment; null when none was begun.
    payment: Option<Payment>,
    /// The order as it is now.
    order: Option<Order>,
    /// What went wrong; empty otherwise.
    user_errors: Vec<UserError>,
}

/// Mutations of orders.
#[derive(Debug, Default)]
pub struct OrderMutations;

#[Object]
impl OrderMutations {
    /// Turns the cart into an unpaid order after a last check on available stock. It takes no stock.
    async fn check_out(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The cart.")] input: CheckOutInput,
    ) -> async_graphql::Result<OrderPayload> {
        let key = key_of(context, "checkOut", (&input.idempotency_key, &input.cart_id), &input)?;
        let customer = input.customer.as_ref().map(|customer| (customer.name.as_deref(), customer.email.as_str()));
        let command = CheckOut::check(id(&input.cart_id)?, customer);
        submit(context, key, command.map_err(Error::Refused)).await
    }

    /// Allocates every item or none, then asks the gateway. When the gateway does not answer in time the payment is
    /// IN_PROGRESS and its units stay allocated until the outcome is known. It goes on when the caller hangs up.
    async fn pay_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: PayOrderInput,
    ) -> async_graphql::Result<PaymentPayload> {
        let (app, who) = (context.data_unchecked::<App>(), Viewer::of(context));
        let key = key_of(context, "payOrder", (&input.idempotency_key, &input.order_id), &input)?;
        let order: OrderId = id(&input.order_id)?;
        for (name, text) in [("gateway", &input.gateway), ("token", &input.token)] {
            if let Some(text) = text {
                fits(name, text, MAX_TOKEN_LENGTH)?;
            }
        }
        if input.gateway.as_deref().unwrap_or(app.gateways.default_name()) == MANUAL {
            who.must_be_staff_for(&format!("The gateway \"{MANUAL}\""))?;
        }
        let request = PayRequest {
            order,
            gateway: input.gateway,
            method: input.method.into(),
            token: input.token,
            key,
            who: who.into(),
        };
        Ok(match refusable(pay(app, request).await)? {
            Ok(paid) => {
                // A kept answer does not say for whom it was made.
                let payment = paid.payment().cloned();
                let order = viewer::usable_order(context, Some(Arc::new(paid.record)));
                PaymentPayload {
                    payment: payment.filter(|_| order.is_some()).map(Payment),
                    order: order.map(Order),
                    user_errors: user_errors(paid.errors),
                }
            }
            Err(user_errors) => {
                let order = viewer::order(context, order).await?;
                PaymentPayload { payment: None, order: order.map(Order), user_errors }
            }
        })
    }

    /// Undoes exactly the allocation that the order still holds. Not when wholly shipped. Money already taken is a refund's
    /// business.
    async fn cancel_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: CancelOrderInput,
    ) -> async_graphql::Result<OrderPayload> {
        let key = key_of(context, "cancelOrder", (&input.idempotency_key, &input.order_id), &input)?;
        let reason = input.reason.unwrap_or(CancelReason::Requested);
        let command = CancelOrder::check(id(&input.order_id)?, reason.into(), input.note.as_deref());
        submit(context, key, command.map_err(Error::Refused)).await
    }

    /// Takes all allocated units of the order out of the warehouse. Staff only.
    async fn ship_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: ShipOrderInput,
    ) -> async_graphql::Result<OrderPayload> {
        Viewer::of(context).must_be_staff()?;
        let key = key_of(context, "shipOrder", (&input.idempotency_key, &input.order_id), &input)?;
        let (carrier, number) = (input.carrier.as_deref(), input.tracking_number.as_deref());
        let command = ShipOrder::check(id(&input.order_id)?, carrier, number);
        submit(context, key, command.map_err(Error::Refused)).await
    }
}

fn key_of<I: InputType>(
    context: &Context<'_>,
    mutation: &'static str,
    (key, thing): (&Option<String>, &ID),
    input: &I,
) -> async_graphql::Result<Option<Key>> {
    idempotency_key(Viewer::of(context), mutation, key.as_ref(), Some(thing), input)
}

async fn submit<C: Repeatable<Answer = OrderRecord, Kept = OrderId>>(
    context: &Context<'_>,
    key: Option<Key>,
    command: Result<C, Error>,
) -> async_graphql::Result<OrderPayload> {
    let app = context.data_unchecked::<App>();
    let result = match command {
        Ok(command) => app.writer.submit(Viewer::of(context), Keyed { key, command }).await,
        Err(refused) => Err(refused),
    };
    let order = match refusable(result)? {
        Ok(Once::Now(record)) => viewer::usable_order(context, Some(Arc::new(record))),
        Ok(Once::Before(id)) => viewer::order(context, id).await?,
        Err(user_errors) => return Ok(OrderPayload { order: None, user_errors }),
    };
    Ok(OrderPayload { order: order.map(Order), user_errors: Vec::new() })
}
