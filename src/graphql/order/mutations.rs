//! Mutations of orders: check out, pay, cancel, ship. They decode and encode; the rules stand in the commands.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, InputType, Object, SimpleObject};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::error::{UserError, refusable};
use crate::graphql::keys::{MAX_IDS, at_most, fits, id, idempotency_key};
use crate::graphql::{Viewer, viewer};
use crate::payment::PayRequest;
use domain::commands::{CancelOrder, CheckOut, ItemQuantity, ShipOrder};
use domain::id::OrderId;
use domain::order::OrderRecord;
use domain::world::idempotency::{Key, Keyed, Once, Repeatable};

use super::payment::{Payment, PaymentMethod};
use super::payment_mutations::{OrderItemQuantityInput, encode};
use super::types::{CancelReason, Order};

/// Maximum length of a token, and of the name of a gateway, in characters.
const MAX_TOKEN_LENGTH: usize = 4_096;

/// The input of `checkOut`.
#[derive(Debug, InputObject)]
pub struct CheckOutInput {
    /// The cart.
    cart_id: ID,
    /// The customer of the order.
    customer: Option<CustomerInput>,
    /// Whether the order holds its units for a time although it is not paid: true or false; as the shop does by default if
    /// omitted. True is ignored by a shop that allows no holds; see `Order.heldUntil`.
    hold: Option<bool>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer.
    idempotency_key: Option<String>,
}

/// The customer of an order.
#[derive(Debug, InputObject)]
pub struct CustomerInput {
    /// Their name, at most 200 characters.
    name: Option<String>,
    /// Their e-mail address, at most 254 characters, for example "ada@example.com".
    email: String,
}

/// The input of `payOrder`.
#[derive(Debug, InputObject)]
pub struct PayOrderInput {
    /// The order.
    order_id: ID,
    /// The name of the gateway. "manual", the default unless the server has another, records money taken elsewhere, for
    /// example in cash; staff only. "stripe" and "http" charge where the server has them. "sandbox" does what its token says;
    /// development only.
    gateway: Option<String>,
    /// How the gateway charges. With AUTHORIZE the money is only reserved: capture or void the payment later.
    #[graphql(default_with = "PaymentMethod::Purchase")]
    method: PaymentMethod,
    /// What the gateway's own client library handed to the front end, for example "succeed" for "sandbox" or a payment
    /// method ("pm_...") for "stripe". At most 4,096 characters.
    token: Option<String>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer. A
    /// new attempt needs a new key.
    idempotency_key: Option<String>,
}

/// The input of `cancelOrder`.
#[derive(Debug, InputObject)]
pub struct CancelOrderInput {
    /// The order.
    order_id: ID,
    /// Why the order is cancelled. Customers and guests can only give REQUESTED.
    #[graphql(default_with = "Some(CancelReason::Requested)")]
    reason: Option<CancelReason>,
    /// A note, at most 1,000 characters. The stock transactions of the cancellation carry it.
    note: Option<String>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer.
    idempotency_key: Option<String>,
}

/// The input of `shipOrder`.
#[derive(Debug, InputObject)]
pub struct ShipOrderInput {
    /// The order.
    order_id: ID,
    /// What is shipped: 1 to 100 items of the order, each once. Everything that is left if omitted.
    items: Option<Vec<OrderItemQuantityInput>>,
    /// The carrier, at most 200 characters, for example "DHL".
    carrier: Option<String>,
    /// The carrier's tracking number, at most 200 characters.
    tracking_number: Option<String>,
    /// Idempotency key, 1 to 255 characters. For 24 hours the same key with the same input has one effect and one answer.
    idempotency_key: Option<String>,
}

/// The result of a mutation of an order.
#[derive(Debug, SimpleObject)]
pub struct OrderPayload {
    /// The order after the mutation. Null if it was refused.
    order: Option<Order>,
    /// Why it was refused. Empty if it was not.
    user_errors: Vec<UserError>,
}

/// The result of `payOrder`, `capturePayment`, `voidPayment` and `refundPayment`.
#[derive(Debug, SimpleObject)]
pub struct PaymentPayload {
    /// The payment. Null if nothing was begun.
    pub(super) payment: Option<Payment>,
    /// The order after the mutation. Null if there is no such order, or if it is not yours.
    pub(super) order: Option<Order>,
    /// Why no money moved, or PAYMENT_IN_PROGRESS for what is under way. Empty if it moved, or if a new payment is open.
    pub(super) user_errors: Vec<UserError>,
}

/// Mutations of orders.
#[derive(Debug, Default)]
pub struct OrderMutations;

#[Object]
impl OrderMutations {
    /// Turns a cart into an unpaid order, after a last check of the available stock. It allocates nothing, unless the
    /// order is to hold its units: then they are allocated with the reason HOLD until `Order.heldUntil`.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE, INVALID_INPUT, PRODUCT_UNAVAILABLE, INSUFFICIENT_STOCK, CURRENCY_MISMATCH,
    /// AMOUNT_TOO_LARGE, IDEMPOTENCY_KEY_REUSED.
    async fn check_out(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The cart.")] input: CheckOutInput,
    ) -> async_graphql::Result<OrderPayload> {
        let key = key_of(context, "checkOut", input.idempotency_key.as_ref(), &input.cart_id, &input)?;
        let customer = input.customer.as_ref().map(|customer| (customer.name.as_deref(), customer.email.as_str()));
        let command = CheckOut::check(id(&input.cart_id)?, customer);
        let hold = context.data_unchecked::<App>().holds.of_order(input.hold);
        submit(context, key, command.map(|command| command.holding(hold)).map_err(Error::Refused)).await
    }

    /// Pays an order: allocates every item or none, then has the gateway charge. If the gateway does not answer in time, the
    /// payment is IN_PROGRESS and its units stay allocated until the outcome is known. It goes on if the caller hangs up.
    ///
    /// User errors: NOT_FOUND (order or gateway), INVALID_STATE, INVALID_INPUT, PRODUCT_UNAVAILABLE, INSUFFICIENT_STOCK,
    /// PAYMENT_DECLINED, GATEWAY_ERROR, PAYMENT_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED.
    async fn pay_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: PayOrderInput,
    ) -> async_graphql::Result<PaymentPayload> {
        let (app, who) = (context.data_unchecked::<App>(), Viewer::of(context));
        let key = key_of(context, "payOrder", input.idempotency_key.as_ref(), &input.order_id, &input)?;
        let order: OrderId = id(&input.order_id)?;
        for (name, text) in [("gateway", &input.gateway), ("token", &input.token)] {
            if let Some(text) = text {
                fits(name, text, MAX_TOKEN_LENGTH)?;
            }
        }
        let gateway = app.payments.gateway(input.gateway.as_deref());
        if let Some(gateway) = gateway.filter(|gateway| gateway.capabilities.is_staff_only) {
            who.must_be_staff_for(&format!("The gateway \"{}\"", gateway.name))?;
        }
        let request = PayRequest {
            order,
            gateway: input.gateway,
            method: input.method.into(),
            token: input.token,
            key,
            by: who.into(),
        };
        Ok(match refusable(app.payments.pay(request).await)? {
            Ok(paid) => encode(context, paid),
            Err(user_errors) => {
                let order = viewer::order(context, order).await?;
                PaymentPayload { payment: None, order: order.map(Order), user_errors }
            }
        })
    }

    /// Cancels an order and releases exactly the units that it still holds; what was shipped stays shipped. An order that is wholly
    /// shipped cannot be cancelled. It moves no money: `refundPayment` sends back what was taken for a paid order, before or after
    /// it is cancelled.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE, INVALID_INPUT, PAYMENT_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED.
    async fn cancel_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: CancelOrderInput,
    ) -> async_graphql::Result<OrderPayload> {
        let key = key_of(context, "cancelOrder", input.idempotency_key.as_ref(), &input.order_id, &input)?;
        let reason = input.reason.unwrap_or(CancelReason::Requested);
        let command = CancelOrder::check(id(&input.order_id)?, reason.into(), input.note.as_deref());
        submit(context, key, command.map_err(Error::Refused)).await
    }

    /// Ships an order, all that is left of it or the units that `items` names: takes them out of the warehouse, and adds a
    /// shipment. The order is PARTIALLY_FULFILLED until nothing is left to ship, and then FULFILLED. Staff only.
    ///
    /// User errors: NOT_FOUND (order, or item of it), INVALID_STATE, INVALID_QUANTITY (more than is left of an item),
    /// INVALID_INPUT, IDEMPOTENCY_KEY_REUSED.
    async fn ship_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] input: ShipOrderInput,
    ) -> async_graphql::Result<OrderPayload> {
        Viewer::of(context).must_be_staff()?;
        let key = key_of(context, "shipOrder", input.idempotency_key.as_ref(), &input.order_id, &input)?;
        let (carrier, number) = (input.carrier.as_deref(), input.tracking_number.as_deref());
        let mut command = ShipOrder::check(id(&input.order_id)?, carrier, number);
        if let Some(items) = &input.items {
            let items = quantities(items)?;
            // Release 0.1 cannot read an order that is shipped in parts.
            let may_ship = context.data_unchecked::<App>().payments.may_write_new_states();
            command = may_ship.map_err(Into::into).and(command).and_then(|command| command.with_items(items));
        }
        submit(context, key, command.map_err(Error::Refused)).await
    }
}

/// Decodes the quantities of items of an order.
///
/// # Errors
/// `BAD_ID`, `LIMIT_EXCEEDED`.
fn quantities(items: &[OrderItemQuantityInput]) -> async_graphql::Result<Vec<ItemQuantity>> {
    at_most("items", items.len(), MAX_IDS)?;
    items.iter().map(|one| Ok(ItemQuantity { item: id(&one.order_item_id)?, quantity: one.quantity })).collect()
}

/// Returns the idempotency key of a mutation, which for a guest is unique within the cart or order that the input names.
fn key_of<I: InputType>(
    context: &Context<'_>,
    mutation: &'static str,
    key: Option<&String>,
    named: &ID,
    input: &I,
) -> async_graphql::Result<Option<Key>> {
    idempotency_key(context, mutation, key, Some(named), input)
}

/// Submits a command and encodes its order. Only the answer to a repeated request is read from the database.
async fn submit<C: Clone + Repeatable<Answer = OrderRecord, Kept = OrderId>>(
    context: &Context<'_>,
    key: Option<Key>,
    command: Result<C, Error>,
) -> async_graphql::Result<OrderPayload> {
    let app = context.data_unchecked::<App>();
    let result = match command {
        Ok(command) => {
            let keyed = Keyed { key, command };
            app.holds.retry(|| app.writer.submit(Viewer::of(context), keyed.clone())).await
        }
        Err(refused) => Err(refused),
    };
    let order = match refusable(result)? {
        Ok(Once::Now(record)) => viewer::usable_order(context, Some(Arc::new(record))),
        Ok(Once::Before(id)) => viewer::order(context, id).await?,
        Err(user_errors) => return Ok(OrderPayload { order: None, user_errors }),
    };
    Ok(OrderPayload { order: order.map(Order), user_errors: Vec::new() })
}
