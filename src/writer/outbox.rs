//! Records events of orders for outgoing webhooks, in the transaction in which they happen: no event without its order, no
//! order without its event, whichever command it was. With no webhook that wants them it looks at nothing.

use sea_orm::DbErr;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::database::webhooks;
use crate::faults::Transaction;
use domain::Time;
use domain::money::Money;
use domain::order::{Item, Order};
use domain::random::Random;
use domain::shipment::Shipment;
use domain::webhook::{Delivery, EventKind, OrderEvent, Target, delivery_ids, order_events};
use domain::world::Tables;

/// The webhooks that want events of orders, as they are known; `None` before they were read, and after they changed.
#[derive(Debug, Default)]
pub struct Outbox(Option<Vec<Target>>);

impl Outbox {
    /// Takes the webhooks as the beginning of a transaction told them: other processes register them, too.
    pub fn set(&mut self, targets: Vec<Target>) {
        self.0 = Some(targets);
    }

    /// Adds a delivery for each event of this batch and each webhook that wants it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record(
        &mut self,
        tx: &Transaction,
        tables: &mut Tables,
        now: Time,
        random: &mut Random,
    ) -> Result<(), DbErr> {
        let targets = match self.0.take() {
            Some(targets) => targets,
            None => webhooks::targets(tx).await?,
        };
        add(tables, &targets, now, random);
        // However the commit ends, webhooks that it changes are read anew.
        self.0 = (!tables.webhooks.has_changes()).then_some(targets);
        Ok(())
    }
}

fn add(tables: &mut Tables, targets: &[Target], now: Time, random: &mut Random) {
    if targets.is_empty() {
        return;
    }
    let events: Vec<(EventKind, Uuid, String)> =
        order_events(tables).iter().map(|event| (event.kind, event.order.id.0, data(event).to_string())).collect();
    let wanted = |kind| targets.iter().filter(move |target| target.events.contains(&kind));
    let deliveries: Vec<_> = events
        .iter()
        .flat_map(|(kind, order, data)| wanted(*kind).map(move |target| (target.webhook, *kind, *order, data)))
        .collect();
    let ids = delivery_ids(deliveries.len(), random, now);
    for (id, (webhook, kind, order, data)) in ids.into_iter().zip(deliveries) {
        tables.deliveries.put(id, Delivery::new(id, webhook, kind, order, data.clone(), now));
    }
    tables.deliveries.keep();
}

/// What is told: the order as the batch leaves it, without its customer, and the shipment. Enums are written as in the API.
fn data(event: &OrderEvent<'_>) -> Value {
    let mut data = json!({ "order": order(event.order) });
    if let Some(shipment) = event.shipment {
        data["shipment"] = self::shipment(shipment);
    }
    data
}

fn order(order: &Order) -> Value {
    let items: Vec<Value> = order.items.iter().map(item).collect();
    json!({
        "id": order.id.to_string(),
        "number": order.number,
        "version": order.version,
        "status": order.status.as_str().to_uppercase(),
        "payment": order.payment.as_str().to_uppercase(),
        "shipping": order.shipping.as_str().to_uppercase(),
        "cancelReason": order.cancel_reason.map(|reason| reason.as_str().to_uppercase()),
        "total": money(order.total),
        "items": items,
        "placedAt": moment(order.placed_at),
        "updatedAt": moment(order.updated_at),
    })
}

fn item(item: &Item) -> Value {
    json!({
        "id": item.id.to_string(),
        "productId": item.product.to_string(),
        "sku": item.sku,
        "name": item.name,
        "unitPrice": money(item.unit_price),
        "quantity": item.quantity,
        "shipped": item.shipped,
        "cancelled": item.cancelled,
    })
}

fn shipment(shipment: &Shipment) -> Value {
    let item = |item: &domain::shipment::Item| json!({ "orderItemId": item.order_item.to_string(), "quantity": item.quantity });
    json!({
        "id": shipment.id.to_string(),
        "carrier": shipment.carrier,
        "trackingNumber": shipment.tracking_number,
        "items": shipment.items.iter().map(item).collect::<Vec<_>>(),
        "shippedAt": moment(shipment.shipped_at),
    })
}

fn money(money: Money) -> Value {
    json!({ "amount": money.amount, "currency": money.currency.code() })
}

fn moment(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
