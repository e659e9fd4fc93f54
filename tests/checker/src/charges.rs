//! Each order is charged at most once, and what moves at the payment service is what the shop knows of: by the service's own journal.
//! What captures and refunds have to do with it is told by [`operations`](crate::operations).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::{Payment, Shop};
use crate::journal::{GatewayEvent, Record};
use crate::told::Told;

/// The name of the gateway that asks the payment service that writes into the journal.
pub(crate) const GATEWAY: &str = "http";

/// What the payment service did about one payment.
#[derive(Debug, Default)]
struct Account {
    order: Uuid,
    is_authorized: bool,
    is_declined: bool,
    is_voided: bool,
    /// Money that was charged or captured.
    taken: i64,
    /// Money that was sent back.
    refunded: i64,
}

/// Orders that somebody began to pay before the data was set back: the shop may not know what was done for them.
pub(crate) fn old_orders(told: &Told<'_>) -> BTreeSet<Uuid> {
    let before = told.calls_of("payOrder").filter(|(_, call)| !call.is_kept);
    before.filter_map(|(_, call)| call.given_id("orderId")).collect()
}

/// Checks what the payment service did.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let old = old_orders(told);
    let accounts = read(shop, told, &old, verdict);
    let stored: BTreeMap<Uuid, &Payment> = shop
        .payments
        .values()
        .flatten()
        .filter(|payment| payment.gateway == GATEWAY)
        .map(|payment| (payment.id, payment))
        .collect();
    check_once(shop, &accounts, &old, told.set_backs, verdict);
    for (id, account) in accounts.iter().filter(|(_, account)| !old.contains(&account.order)) {
        check_known(shop, *id, account, stored.get(id).copied(), verdict);
    }
    // What the shop still knows after a set-back happened before it, at the service too.
    for (id, payment) in stored {
        let nothing = Account::default();
        let account = accounts.get(&id).unwrap_or(&nothing);
        check_done(id, &payment.status, account, verdict);
        // A void may have been set back.
        let is_reserved = account.is_authorized && (!account.is_voided || old.contains(&payment.order_id));
        verdict.unless(payment.status != "authorized" || is_reserved, || {
            format!("payment {id}: authorized, but the gateway has reserved nothing")
        });
    }
}

/// What moved at the service is what the shop says.
fn check_known(shop: &Shop, id: Uuid, account: &Account, payment: Option<&Payment>, verdict: &mut Verdict) {
    let is_reserved = account.is_authorized && !account.is_voided && account.taken == 0;
    if account.taken == 0 && !is_reserved {
        return;
    }
    let what = if is_reserved { "authorized" } else { "charged" };
    let Some(Payment { status, order_id, .. }) = payment else {
        return verdict.add(format!("payment {id}: {what}, and the shop does not know it"));
    };
    verdict.unless(*order_id == account.order, || format!("payment {id}: {what} for another order"));
    let is_running = |kind: &str| shop.operations_of(id).iter().any(|one| one.kind == kind && one.is_running());
    let is_right = match status.as_str() {
        "in_progress" | "requires_action" => true,
        "succeeded" => !is_reserved,
        "authorized" => is_reserved || is_running("capture"),
        // Its units were released: the money goes back, or is visibly due.
        _ if is_reserved => is_running("void") || is_running("forced_void"),
        _ => {
            let refunds = shop.operations_of(id).iter().filter(|one| one.kind == "refund");
            let due: i64 = refunds.map(|one| one.amount).sum();
            due >= account.taken
        }
    };
    verdict.unless(is_right, || format!("payment {id}: {what}, and the shop says {status}"));
}

/// What the shop says happened at the service.
fn check_done(id: Uuid, status: &str, account: &Account, verdict: &mut Verdict) {
    verdict.unless(status != "succeeded" || account.taken > 0, || {
        format!("payment {id}: it succeeded, but the gateway has charged nothing")
    });
    let is_over = account.is_voided || account.is_declined || account.taken > 0;
    verdict.unless(status != "voided" || is_over, || format!("payment {id}: voided, but the gateway may still charge"));
    verdict.unless(status != "declined" || account.is_declined, || {
        format!("payment {id}: declined, but not by the gateway")
    });
}

/// Reads what the payment service wrote down. What was set back may be captured, or refunded, once more each time.
fn read(shop: &Shop, told: &Told<'_>, old: &BTreeSet<Uuid>, verdict: &mut Verdict) -> BTreeMap<Uuid, Account> {
    let mut accounts = BTreeMap::<Uuid, Account>::new();
    for record in told.records {
        let Record::Gateway { payment, order: of, amount, event, .. } = record else { continue };
        let account = accounts.entry(*payment).or_insert_with(|| Account { order: *of, ..Account::default() });
        let total = shop.orders.get(of).map(|order| order.total_amount);
        let times = if old.contains(of) { 1 + i64::try_from(told.set_backs).unwrap_or_default() } else { 1 };
        match event {
            GatewayEvent::Asked | GatewayEvent::Refused => {}
            GatewayEvent::Charged | GatewayEvent::Authorized => {
                verdict.unless(total.is_none_or(|total| total == *amount), || {
                    let total = total.unwrap_or_default();
                    format!("payment {payment}: {amount} were charged, the order's total is {total}")
                });
                account.order = *of;
                if *event == GatewayEvent::Charged {
                    account.taken += amount;
                } else {
                    account.is_authorized = true;
                }
            }
            GatewayEvent::Captured => {
                verdict.unless(account.is_authorized && !account.is_voided, || {
                    format!("payment {payment}: captured, although nothing was reserved any more")
                });
                account.taken += amount;
            }
            GatewayEvent::Refunded => account.refunded += amount,
            GatewayEvent::Declined => account.is_declined = true,
            GatewayEvent::Voided => account.is_voided = true,
        }
        let Account { taken, refunded, .. } = *account;
        verdict.unless(refunded <= taken * times, || format!("payment {payment}: {refunded} were refunded of {taken}"));
        verdict.unless(*event != GatewayEvent::Captured || total.is_none_or(|total| taken <= total * times), || {
            format!("payment {payment}: {taken} were captured of {}", total.unwrap_or_default())
        });
    }
    accounts
}

/// Each order is charged once, charges apart that were sent back or are visibly due. One that was set back while it was paid may
/// be charged once more each time.
fn check_once(
    shop: &Shop,
    accounts: &BTreeMap<Uuid, Account>,
    old: &BTreeSet<Uuid>,
    set_backs: usize,
    verdict: &mut Verdict,
) {
    let mut by_order = BTreeMap::<Uuid, usize>::new();
    for (payment, account) in accounts.iter().filter(|(_, account)| account.taken > account.refunded) {
        let is_taken =
            shop.payments_of(account.order).iter().any(|one| one.id == *payment && one.status == "succeeded");
        let is_due = shop.operations_of(*payment).iter().any(|one| one.kind == "refund");
        if is_taken || !is_due {
            *by_order.entry(account.order).or_default() += 1;
        }
    }
    for (order, count) in by_order {
        let most = if old.contains(&order) { 1 + set_backs } else { 1 };
        verdict.unless(count <= most, || format!("order {order}: charged {count} times"));
    }
}
