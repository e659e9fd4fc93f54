//! Each order is charged at most once, and what is charged is what the shop knows of: by the gateway's own journal.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::{GatewayEvent, Record, Told};

/// The name of the gateway that writes into the journal.
const GATEWAY: &str = "remote";

/// Checks what the gateway did.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut charged = BTreeMap::<Uuid, Uuid>::new();
    let (mut voided, mut declined) = (BTreeSet::new(), BTreeSet::new());
    for record in told.records {
        let Record::Gateway { payment, order, amount, event } = record else { continue };
        match event {
            GatewayEvent::Asked => {}
            GatewayEvent::Charged => {
                verdict.unless(!voided.contains(payment), || format!("payment {payment}: charged after it was voided"));
                if let Some(order) = shop.orders.get(order) {
                    verdict.unless(*amount == order.total_amount, || {
                        format!("payment {payment}: {amount} were charged, the order's total is {}", order.total_amount)
                    });
                }
                charged.insert(*payment, *order);
            }
            GatewayEvent::Declined => {
                declined.insert(*payment);
            }
            GatewayEvent::Voided => {
                voided.insert(*payment);
            }
            GatewayEvent::Refunded => {
                charged.remove(payment);
            }
        }
    }
    check_once(&charged, verdict);
    let stored: BTreeMap<Uuid, (&str, Uuid)> = shop
        .payments
        .values()
        .flatten()
        .filter(|payment| payment.gateway == GATEWAY)
        .map(|payment| (payment.id, (payment.status.as_str(), payment.order_id)))
        .collect();
    if told.is_set_back {
        return;
    }
    for (payment, order) in &charged {
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
    for (payment, (status, _)) in stored {
        verdict.unless(status != "succeeded" || charged.contains_key(&payment), || {
            format!("payment {payment}: it succeeded, but the gateway has charged nothing")
        });
        verdict.unless(status != "voided" || voided.contains(&payment), || {
            format!("payment {payment}: voided, but the gateway may still charge")
        });
        verdict.unless(status != "declined" || declined.contains(&payment), || {
            format!("payment {payment}: declined, but not by the gateway")
        });
    }
}

fn check_once(charged: &BTreeMap<Uuid, Uuid>, verdict: &mut Verdict) {
    let mut by_order = BTreeMap::<Uuid, usize>::new();
    for order in charged.values() {
        *by_order.entry(*order).or_default() += 1;
    }
    for (order, count) in by_order.into_iter().filter(|(_, count)| *count > 1) {
        verdict.add(format!("order {order}: charged {count} times"));
    }
}
