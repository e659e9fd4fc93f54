//! Anything by its global id.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::join_all;

use domain::id::{
    CartId, DeliveryId, MAX_ID_LENGTH, OrderId, OrderItemId, PaymentId, PaymentOperationId, ProductId, RefundId,
    ShipmentId, StockId, StockTransactionId, WebhookId, split,
};
use domain::payment_operation::{Kind, PaymentOperation};

use super::cart::Cart;
use super::error::{Nullable, nullable};
use super::keys::{MAX_IDS, at_most};
use super::loaders::{OrderOfItem, OrderOfOperation, OrderOfPayment, OrderOfShipment, load};
use super::order::{Order, OrderItem, Payment, Refund, Shipment};
use super::product::Product;
use super::stock::{Stock, StockTransaction};
use super::webhook::{Webhook, WebhookDelivery};
use super::{Code, Viewer, viewer};

/// Anything that has a global id.
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id."))]
pub enum Node {
    /// A product.
    Product(Product),
    /// A stock record.
    Stock(Stock),
    /// A row of the log.
    StockTransaction(StockTransaction),
    /// A cart.
    Cart(Cart),
    /// An order.
    Order(Order),
    /// A line of an order.
    OrderItem(OrderItem),
    /// A payment.
    Payment(Payment),
    /// A refund.
    Refund(Refund),
    /// A shipment.
    Shipment(Shipment),
    /// A webhook.
    Webhook(Webhook),
    /// A delivery to a webhook.
    WebhookDelivery(WebhookDelivery),
}

/// What can be found by its id.
const KINDS: [&str; 11] = [
    ProductId::KIND,
    StockId::KIND,
    StockTransactionId::KIND,
    CartId::KIND,
    OrderId::KIND,
    OrderItemId::KIND,
    PaymentId::KIND,
    RefundId::KIND,
    ShipmentId::KIND,
    WebhookId::KIND,
    DeliveryId::KIND,
];

/// Queries by global id.
#[derive(Debug, Default)]
pub struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Anything by its id; null when there is none.
    async fn node(&self, context: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Nullable<Node> {
        nullable(async { find(context, &id).await }).await
    }

    /// Many things by their ids, in the order asked for, null where there is none. At most 100.
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Global ids.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Nullable<Node>>> {
        at_most("ids", ids.len(), MAX_IDS)?;
        let mut different: Vec<&ID> = ids.iter().collect();
        different.sort_unstable();
        different.dedup();
        let found = join_all(different.iter().map(|id| nullable(find(context, id)))).await;
        let found: HashMap<&ID, Nullable<Node>> = different.into_iter().zip(found).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned().flatten()).collect())
    }
}

async fn find(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Node>> {
    let Some((kind, uuid)) = split(id) else {
        return Err(Code::BadId.error(format!(
            "An id of {} was expected, but this is not an id: {}",
            kinds(),
            shown(id)
        )));
    };
    let who = Viewer::of(context);
    Ok(match kind {
        ProductId::KIND => load(context, ProductId(uuid)).await?.map(|it| Node::Product(Product(it))),
        StockId::KIND => load(context, StockId(uuid)).await?.map(|it| Node::Stock(Stock(it))),
        StockTransactionId::KIND | WebhookId::KIND | DeliveryId::KIND if !who.actor.is_staff() => None,
        WebhookId::KIND => load(context, WebhookId(uuid)).await?.map(|it| Node::Webhook(Webhook(it))),
        DeliveryId::KIND => load(context, DeliveryId(uuid)).await?.map(|it| Node::WebhookDelivery(WebhookDelivery(it))),
        StockTransactionId::KIND => {
            load(context, StockTransactionId(uuid)).await?.map(|it| Node::StockTransaction(it.into()))
        }
        CartId::KIND => viewer::cart(context, CartId(uuid)).await?.map(|it| Node::Cart(it.into())),
        OrderId::KIND => viewer::order(context, OrderId(uuid)).await?.map(|it| Node::Order(Order(it))),
        OrderItemId::KIND => {
            let item = OrderItemId(uuid);
            let of = load(context, OrderOfItem(item)).await?.filter(|of| who.owns(&of.order));
            let found = of.and_then(|of| of.order.items.iter().find(|it| it.id == item).cloned());
            found.map(|it| Node::OrderItem(OrderItem(it)))
        }
        PaymentId::KIND => {
            let payment = PaymentId(uuid);
            let of = load(context, OrderOfPayment(payment)).await?.filter(|of| who.owns(&of.order));
            let found = of.and_then(|of| Some((of.payments.iter().find(|it| it.id == payment).cloned()?, of)));
            found.map(|(payment, of)| Node::Payment(Payment { payment, of }))
        }
        RefundId::KIND => {
            let refund = PaymentOperationId(uuid);
            let of = load(context, OrderOfOperation(refund)).await?.filter(|of| who.owns(&of.order));
            let is_it = |it: &&PaymentOperation| it.id == refund && it.kind == Kind::Refund;
            of.and_then(|of| of.operations.iter().find(is_it).cloned()).map(|it| Node::Refund(Refund(it)))
        }
        ShipmentId::KIND => {
            let shipment = ShipmentId(uuid);
            let of = load(context, OrderOfShipment(shipment)).await?.filter(|of| who.owns(&of.order));
            of.and_then(|of| {
                let shipment = of.shipments.iter().find(|it| it.id == shipment).cloned()?;
                Some(Node::Shipment(Shipment { shipment, of }))
            })
        }
        _ => {
            let message = format!("An id of {} was expected, but this is one of kind \"{}\".", kinds(), shown(kind));
            return Err(Code::BadId.error(message));
        }
    })
}

fn kinds() -> String {
    format!("kind \"{}\"", KINDS.join("\", \""))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_ID_LENGTH).collect()
}
