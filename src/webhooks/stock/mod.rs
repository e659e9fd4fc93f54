//! What a stretch of the log means for a webhook: one event per product and kind, however many rows there are. It reads and
//! sends nothing.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use domain::commands::StockEvent;
use domain::id::{DeliveryId, ProductId};
use domain::product::ProductRecord;
use domain::stock::{Action, Availability, Numbers, Stock};
use domain::transaction::StockTransaction;
use domain::webhook::{Delivery, EventKind, Webhook};

/// Rows of the log, merged by product.
#[derive(Debug, Default)]
pub struct Merged(BTreeMap<ProductId, Change>);

/// What the rows of one product come to.
#[derive(Debug)]
struct Change {
    /// The numbers before the first of them; `None` before the first of all.
    before: Option<Numbers>,
    /// The newest of them.
    newest: StockTransaction,
}

impl Merged {
    /// Adds a row. Those of one product come in order.
    pub fn add(&mut self, row: StockTransaction) {
        if let Some(change) = self.0.get_mut(&row.product) {
            change.newest = row;
            return;
        }
        let before = (row.movement.action != Action::Create).then(|| Numbers {
            total: row.after.total - row.movement.total_delta,
            allocated: row.after.allocated - row.movement.allocated_delta,
        });
        self.0.insert(row.product, Change { before, newest: row });
    }

    /// Returns the products.
    pub fn products(&self) -> Vec<ProductId> {
        self.0.keys().copied().collect()
    }

    /// Returns the events that a webhook wants, and the deliveries that they replace: those that nobody has sent yet.
    pub fn events(
        &self,
        webhook: &Webhook,
        records: &[ProductRecord],
        unsent: &[Delivery],
    ) -> (Vec<StockEvent>, Vec<DeliveryId>) {
        let records: HashMap<ProductId, &ProductRecord> = records.iter().map(|it| (it.product.id, it)).collect();
        let (mut events, mut replaced) = (Vec::new(), Vec::new());
        for (product, change) in &self.0 {
            let Some(record) = records.get(product) else { continue };
            let unsent_of = |kind| unsent.iter().find(|delivery| delivery.thing == product.0 && delivery.event == kind);
            if webhook.events.contains(&EventKind::StockChanged) {
                replaced.extend(unsent_of(EventKind::StockChanged).map(|delivery| delivery.id));
                events.push(event(EventKind::StockChanged, *product, &stock_data(record, change)));
            }
            if webhook.events.contains(&EventKind::AvailabilityChanged)
                && let Some((from, to)) = crossing(record, change)
            {
                let earlier = unsent_of(EventKind::AvailabilityChanged);
                replaced.extend(earlier.map(|delivery| delivery.id));
                let from = earlier.and_then(told_from).unwrap_or_else(|| code(from));
                if from != code(to) {
                    let data = availability_data(record, change, &from, to);
                    events.push(event(EventKind::AvailabilityChanged, *product, &data));
                }
            }
        }
        (events, replaced)
    }
}

fn event(kind: EventKind, product: ProductId, data: &Value) -> StockEvent {
    StockEvent { kind, product, data: data.to_string() }
}

/// The availability before and after, if they differ, by the threshold as it is now.
fn crossing(record: &ProductRecord, change: &Change) -> Option<(Availability, Availability)> {
    let stock = record.stock.as_ref()?;
    let at = |numbers| Stock { numbers, ..stock.clone() }.availability();
    let from = change.before.map_or(Availability::Untracked, at);
    let to = at(change.newest.after);
    (from != to).then_some((from, to))
}

/// What a delivery that nobody has sent yet says it was before.
fn told_from(delivery: &Delivery) -> Option<String> {
    let data: Value = serde_json::from_str(&delivery.data).ok()?;
    Some(data["from"].as_str()?.to_owned())
}

fn stock_data(record: &ProductRecord, change: &Change) -> Value {
    let Numbers { total, allocated } = change.newest.after;
    json!({
        "product": product(record),
        "total": total,
        "allocated": allocated,
        "available": change.newest.after.available(),
        "sequence": change.newest.sequence,
        "changedAt": moment(change),
    })
}

fn availability_data(record: &ProductRecord, change: &Change, from: &str, to: Availability) -> Value {
    json!({
        "product": product(record),
        "from": from,
        "to": code(to),
        "available": change.newest.after.available(),
        "sequence": change.newest.sequence,
        "changedAt": moment(change),
    })
}

fn product(record: &ProductRecord) -> Value {
    json!({ "id": record.product.id.to_string(), "sku": record.product.sku, "name": record.product.name })
}

fn code(availability: Availability) -> String {
    availability.as_str().to_uppercase()
}

fn moment(change: &Change) -> String {
    change.newest.created_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests;
