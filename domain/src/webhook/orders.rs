//! What a batch did to orders, for those who want to hear of it. The events follow the state, whichever command made it.

use std::collections::BTreeSet;

use crate::id::WebhookId;
use crate::order::{Order, PaymentStatus, Status};
use crate::shipment::Shipment;
use crate::world::Tables;

use super::EventKind;

/// An enabled webhook as the writer sees it: which events of orders it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The webhook.
    pub webhook: WebhookId,
    /// The kinds of events of orders, at least one.
    pub events: BTreeSet<EventKind>,
}

impl Target {
    /// Returns the target that an enabled webhook with these events is, if one of them is about orders.
    #[must_use]
    pub fn of(webhook: WebhookId, events: impl IntoIterator<Item = EventKind>) -> Option<Self> {
        let events: BTreeSet<EventKind> = events.into_iter().filter(|kind| kind.is_of_order()).collect();
        (!events.is_empty()).then_some(Self { webhook, events })
    }
}

/// Something that a batch did to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderEvent<'a> {
    /// What.
    pub kind: EventKind,
    /// The order as the batch leaves it.
    pub order: &'a Order,
    /// The shipment that was made.
    pub shipment: Option<&'a Shipment>,
}

/// Returns what a batch did to orders, whichever command did it: those that became paid, got a shipment, or were
/// cancelled. Those of one order follow each other in that order.
#[must_use]
pub fn order_events(tables: &Tables) -> Vec<OrderEvent<'_>> {
    let updated = tables.orders.updated().map(|(before, now)| (Some(before), now));
    let changed = updated.chain(tables.orders.made().map(|now| (None, now)));
    let mut events = Vec::new();
    for (before, order) in changed {
        let event = |kind, shipment| OrderEvent { kind, order, shipment };
        // One batch may take the money and send it back.
        let is_paid = |order: &Order| {
            use PaymentStatus::{Paid, PartiallyRefunded, Refunded};
            matches!(order.payment, Paid | PartiallyRefunded | Refunded)
        };
        if is_paid(order) && !before.is_some_and(is_paid) {
            events.push(event(EventKind::OrderPaid, None));
        }
        let shipments = tables.shipments.made().filter(|shipment| shipment.order == order.id);
        events.extend(shipments.map(|shipment| event(EventKind::OrderShipped, Some(shipment))));
        let is_cancelled = |order: &Order| order.status == Status::Cancelled;
        if is_cancelled(order) && !before.is_some_and(is_cancelled) {
            events.push(event(EventKind::OrderCancelled, None));
        }
    }
    events
}
