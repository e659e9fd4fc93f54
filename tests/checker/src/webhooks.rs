//! Whoever registered for what happens to orders hears of all of it at least once, signed, and of one order in order.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::Shop;
use crate::id::uuid;
use crate::journal::Record;
use crate::told::Told;

/// What was told of one order.
#[derive(Debug, Default)]
struct Heard<'a> {
    /// The delivery that came last for the first time, and the version of the order that it told.
    last: Option<(&'a str, i32)>,
    /// Deliveries that came and were not accepted yet.
    waiting: BTreeSet<&'a str>,
}

/// Something that happened to an order: what, and the shipment.
type Event<'a> = (&'a str, Uuid, Option<Uuid>);

/// Checks everything that was delivered, and that it is all.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    if !told.records.contains(&Record::Registered) {
        return;
    }
    let old = orders_of_before(told);
    let (mut heard, mut came) = (BTreeMap::<Uuid, Heard<'_>>::new(), BTreeSet::<&str>::new());
    let mut accepted = BTreeSet::<Event<'_>>::new();
    for (at, record) in told.records.iter().enumerate() {
        let Record::Delivered { delivery, kind, order, version, shipment, is_signed, is_accepted } = record else {
            continue;
        };
        verdict.unless(*is_signed, || format!("delivery {delivery}: its signature is wrong"));
        let event = (kind.as_str(), *order, *shipment);
        // What was only told of may be gone, and told otherwise afterwards; and whoever sends may have read it before.
        let may_be_gone = told.may_be_unsaid(at) || old.contains(order);
        verdict.unless(may_be_gone || events(shop, *order).contains(&event), || {
            format!("delivery {delivery}: it tells of {kind} of order {order}, which did not happen")
        });
        let of_order = heard.entry(*order).or_default();
        if came.insert(delivery) && !may_be_gone {
            check_next(*order, of_order, delivery, *version, verdict);
            of_order.last = Some((delivery, *version));
        }
        if *is_accepted {
            of_order.waiting.remove(delivery.as_str());
            accepted.insert(event);
        } else {
            of_order.waiting.insert(delivery);
        }
    }
    for order in shop.orders.keys() {
        for event in events(shop, *order).iter().filter(|event| !accepted.contains(*event)) {
            verdict.add(format!("order {order}: nobody was told of {}", event.0));
        }
    }
}

/// Orders with which somebody did something before the database had moved.
fn orders_of_before(told: &Told<'_>) -> BTreeSet<Uuid> {
    let calls = told.records.iter().enumerate().filter(|(at, _)| told.may_be_unsaid(*at));
    let inputs = calls.filter_map(|(_, record)| match record {
        Record::Call { input, .. } => Some(input),
        _ => None,
    });
    inputs.filter_map(|input| uuid(input["orderId"].as_str()?)).collect()
}

/// A delivery comes for the first time when all earlier ones of the same order are over.
fn check_next(order: Uuid, heard: &Heard<'_>, delivery: &str, version: i32, verdict: &mut Verdict) {
    if let Some((before, last)) = heard.last {
        verdict.unless(version >= last, || {
            format!("order {order}: {delivery} told version {version} after {before} had told version {last}")
        });
    }
    for waiting in heard.waiting.iter().filter(|waiting| **waiting != delivery) {
        verdict.add(format!("order {order}: {delivery} came before {waiting} was accepted"));
    }
}

/// What has happened to an order.
fn events(shop: &Shop, id: Uuid) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    if shop.payments_of(id).iter().any(|payment| payment.status == "succeeded") {
        events.push(("order.paid", id, None));
    }
    let parcels = shop.parcels.get(&id).into_iter().flatten();
    events.extend(parcels.map(|shipment| ("order.shipped", id, Some(*shipment))));
    if shop.orders.get(&id).is_some_and(|order| order.status == "cancelled") {
        events.push(("order.cancelled", id, None));
    }
    events
}
