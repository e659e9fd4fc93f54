//! What rows of the log come to.

use domain::Time;
use domain::id::{OperationId, StockTransactionId, WebhookId};
use domain::money::Money;
use domain::product::{Product, Status};
use domain::random::Random;
use domain::stock::Movement;
use domain::transaction::Reason;
use domain::webhook::Secret;
use sea_orm::prelude::Uuid;

use super::*;

const MUG: ProductId = ProductId(Uuid::from_u128(1));
const HOOK: WebhookId = WebhookId(Uuid::from_u128(2));

fn webhook() -> Webhook {
    let now = Time::UNIX_EPOCH;
    Webhook {
        id: HOOK,
        url: String::new(),
        secret: Secret::new(&mut Random::seeded(1)),
        events: EventKind::ALL.iter().copied().collect(),
        enabled: true,
        disabled_reason: None,
        failing_since: None,
        failures: 0,
        last_failed: None,
        retry_at: now,
        resumed_at: now,
        leased_until: now,
        cursor: None,
        created_at: now,
        updated_at: now,
    }
}

/// A mug that is low at 3, managed or not.
fn record(managed: bool) -> ProductRecord {
    let now = Time::UNIX_EPOCH;
    let product = Product {
        id: MUG,
        sku: "MUG".to_owned(),
        slug: "mug".to_owned(),
        name: "Mug".to_owned(),
        description: None,
        price: Money::price(100, "EUR").expect("a price"),
        status: Status::Active,
        created_at: now,
        updated_at: now,
    };
    ProductRecord { product, stock: Some(Stock::new(MUG, managed, 3, now)) }
}

/// A row that leaves so many available, out of so many.
fn row(sequence: i32, action: Action, total_delta: i32, total: i32) -> StockTransaction {
    StockTransaction {
        id: StockTransactionId(Uuid::from_u128(u128::from(sequence.unsigned_abs()))),
        product: MUG,
        sequence,
        movement: Movement { action, quantity: total_delta.abs(), total_delta, allocated_delta: 0 },
        after: Numbers { total, allocated: 0 },
        reason: Reason::Received,
        note: None,
        reference: None,
        actor: "sam".to_owned(),
        order: None,
        operation: OperationId(Uuid::nil()),
        created_at: Time::UNIX_EPOCH,
    }
}

/// The kinds and data of what rows come to, and what they replace.
fn events(rows: &[StockTransaction], managed: bool, unsent: &[Delivery]) -> (Vec<(EventKind, Value)>, Vec<DeliveryId>) {
    let mut merged = Merged::default();
    for row in rows {
        merged.add(row.clone());
    }
    assert_eq!(merged.products(), [MUG]);
    let (events, replaced) = merged.events(&webhook(), &[record(managed)], unsent);
    let read = |event: StockEvent| (event.kind, serde_json::from_str(&event.data).expect("JSON"));
    (events.into_iter().map(read).collect(), replaced)
}

/// From and to of the crossing among these events.
fn told(events: &[(EventKind, Value)]) -> Option<(&str, &str)> {
    let (_, data) = events.iter().find(|(kind, _)| *kind == EventKind::AvailabilityChanged)?;
    Some((data["from"].as_str()?, data["to"].as_str()?))
}

#[test]
fn many_rows_are_one_event_with_the_newest_numbers() {
    let rows: Vec<_> = (5..=9).map(|sequence| row(sequence, Action::Decrement, -1, 20 - sequence)).collect();
    let (found, replaced) = events(&rows, true, &[]);
    assert_eq!((found.len(), replaced), (1, vec![]), "nothing was crossed");
    let (kind, data) = &found[0];
    assert_eq!(*kind, EventKind::StockChanged);
    assert_eq!((&data["total"], &data["available"], &data["sequence"]), (&json!(11), &json!(11), &json!(9)));
}

#[test]
fn a_crossing_is_told_from_before_the_first_row_to_after_the_last() {
    let down = row(5, Action::Decrement, -8, 2);
    assert_eq!(told(&events(std::slice::from_ref(&down), true, &[]).0), Some(("IN_STOCK", "LOW_STOCK")));
    let out = row(6, Action::Decrement, -2, 0);
    assert_eq!(told(&events(&[down.clone(), out.clone()], true, &[]).0), Some(("IN_STOCK", "OUT_OF_STOCK")));
    let back = row(7, Action::Increment, 10, 10);
    assert_eq!(told(&events(&[down, out, back], true, &[]).0), None, "it is as it was");
    let first = row(1, Action::Create, 10, 10);
    assert_eq!(told(&events(std::slice::from_ref(&first), true, &[]).0), Some(("UNTRACKED", "IN_STOCK")));
    assert_eq!(told(&events(&[first], false, &[]).0), None, "it is not managed any more");
}

#[test]
fn what_nobody_has_sent_yet_is_replaced() {
    let delivery = |number: u128, event, data: Value| {
        Delivery::new(DeliveryId(Uuid::from_u128(number)), HOOK, event, MUG.0, data.to_string(), Time::UNIX_EPOCH)
    };
    let unsent = [
        delivery(7, EventKind::StockChanged, json!({ "available": 9 })),
        delivery(8, EventKind::AvailabilityChanged, json!({ "from": "IN_STOCK", "to": "LOW_STOCK" })),
    ];
    let ids = [7, 8].map(|number| DeliveryId(Uuid::from_u128(number)));
    let out = row(6, Action::Decrement, -2, 0);
    let (found, replaced) = events(&[out], true, &unsent);
    assert_eq!((told(&found), replaced.as_slice()), (Some(("IN_STOCK", "OUT_OF_STOCK")), &ids[..]));
    let back = row(6, Action::Increment, 8, 10);
    let (found, replaced) = events(&[back], true, &unsent);
    assert_eq!((told(&found), replaced.as_slice()), (None, &ids[..]), "there and back is nothing");
    let same = row(6, Action::Decrement, -1, 1);
    let (found, replaced) = events(&[same], true, &unsent);
    assert_eq!((told(&found), replaced.as_slice()), (None, &ids[..1]), "what waits is still true");
}
