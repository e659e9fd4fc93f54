//! Each order is charged at most once, and what is charged is what the shop knows of: by the gateway's own journal.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::{GatewayEvent, Record};
use crate::told::Told;

/// The name of the gateway that writes into the journal.
const GATEWAY: &str = "remote";

/// What became of charges at the gateway: the payments, and their orders.
#[derive(Debug, Default)]
struct Books {
    charged: BTreeMap<Uuid, Uuid>,
    declined: BTreeSet<Uuid>,
    voided: BTreeSet<Uuid>,
}

/// Checks what the gateway did.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let books = read(shop, told, verdict);
    // Of orders that somebody began to pay before the data was set back, the shop may not know what was charged.
    let old: BTreeSet<Uuid> = told
        .calls_of("payOrder")
        .filter(|(_, call)| !call.is_kept)
        .filter_map(|(_, call)| call.given_id("orderId"))
        .collect();
    check_once(&books.charged, &old, told.set_backs, verdict);
    let stored: BTreeMap<Uuid, (&str, Uuid)> = shop
        .payments
        .values()
        .flatten()
        .filter(|payment| payment.gateway == GATEWAY)
        .map(|payment| (payment.id, (payment.status.as_str(), payment.order_id)))
        .collect();
    for (payment, order) in books.charged.iter().filter(|(_, order)| !old.contains(order)) {
        match stored.get(payment) {
            None => verdict.add(format!("payment {payment}: charged, and the shop does not know it")),
            Some((status, of)) => {
                verdict.unless(of == order, || format!("payment {payment}: charged for another order"));
                verdict.unless(matches!(*status, "succeeded" | "in_progress" | "requires_action"), || {
                    format!("payment {payment}: charged, and the shop says {status}")
                });
            }
        }
    }
    // What the shop still knows after a set-back happened before it, at the gateway too.
    for (payment, (status, _)) in stored {
        verdict.unless(status != "succeeded" || books.charged.contains_key(&payment), || {
            format!("payment {payment}: it succeeded, but the gateway has charged nothing")
        });
        verdict.unless(status != "voided" || books.voided.contains(&payment), || {
            format!("payment {payment}: voided, but the gateway may still charge")
        });
        verdict.unless(status != "declined" || books.declined.contains(&payment), || {
            format!("payment {payment}: declined, but not by the gateway")
        });
    }
}

/// Reads what the gateway wrote down.
fn read(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) -> Books {
    let mut books = Books::default();
    for record in told.records {
        let Record::Gateway { payment, order, amount, event } = record else { continue };
        match event {
            GatewayEvent::Asked => {}
            GatewayEvent::Charged => {
                if let Some(order) = shop.orders.get(order) {
                    verdict.unless(*amount == order.total_amount, || {
                        format!("payment {payment}: {amount} were charged, the order's total is {}", order.total_amount)
                    });
                }
                books.charged.insert(*payment, *order);
            }
            GatewayEvent::Declined => drop(books.declined.insert(*payment)),
            GatewayEvent::Voided => drop(books.voided.insert(*payment)),
        }
    }
    books
}

/// Each order is charged once. One that was set back while it was paid may be charged once more each time.
fn check_once(charged: &BTreeMap<Uuid, Uuid>, old: &BTreeSet<Uuid>, set_backs: usize, verdict: &mut Verdict) {
    let mut by_order = BTreeMap::<Uuid, usize>::new();
    for order in charged.values() {
        *by_order.entry(*order).or_default() += 1;
    }
    for (order, count) in by_order {
        let most = if old.contains(&order) { 1 + set_backs } else { 1 };
        verdict.unless(count <= most, || format!("order {order}: charged {count} times"));
    }
}
