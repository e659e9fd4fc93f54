//! What was asked of payments, and what came of it: a capture, a void or a refund that was acknowledged is there, one that was
//! refused is not, and one of which nobody knows was begun at most once. Each is found again by its payment and its key.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::Verdict;
use crate::database::{Operation, Shop};
use crate::id::uuid;
use crate::journal::Outcome;
use crate::promises::{by, key_of};
use crate::told::{Call, Told};

/// Mutations, and the kinds of operations that they begin.
const MUTATIONS: [(&str, &[&str]); 3] =
    [("capturePayment", &["capture"]), ("voidPayment", &["void", "forced_void"]), ("refundPayment", &["refund"])];

/// Who begins what nobody asked for: refunds of money, and voids of authorizations, that came for what was released.
const SYSTEM: &str = "system";

/// The code of an answer to what is under way, or to what has to wait until something else is over.
const UNDER_WAY: &str = "PAYMENT_IN_PROGRESS";

/// Checks every call.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    for (mutation, kinds) in MUTATIONS {
        let asked = told.asked(mutation, "paymentId");
        for one in shop.operations.values().flatten().filter(|one| kinds.contains(&one.kind.as_str())) {
            verdict.unless(begins_by_itself(shop, one) || asked.contains(&one.payment_id), || {
                format!("payment {}: a {}, and nobody asked for it", one.payment_id, one.kind)
            });
            verdict.unless(one.actor != SYSTEM || is_late(shop, one), || {
                format!("payment {}: a {} that nobody had reason for", one.payment_id, one.kind)
            });
        }
        for (payment, calls) in by(told.calls_of(mutation), |call| call.given_id("paymentId")) {
            let there = shop.operations_of(payment).iter();
            let there: Vec<&Operation> =
                there.filter(|one| kinds.contains(&one.kind.as_str()) && !begins_by_itself(shop, one)).collect();
            check_calls(payment, mutation, &calls, &there, verdict);
        }
    }
    check_restocked(shop, told, verdict);
}

/// Whether nobody has asked for it: what somebody does may be what finds money that came for something released.
fn begins_by_itself(shop: &Shop, one: &Operation) -> bool {
    one.actor == SYSTEM || one.key.is_none() && is_late(shop, one)
}

/// Money, or an authorization, that came for what was released is sent back without being asked; and what stays open for too long
/// is voided, unless the money is taken first.
fn is_late(shop: &Shop, one: &Operation) -> bool {
    if one.kind == "void" && one.status == "failed" {
        return true;
    }
    let payments = shop.payments_of(one.order_id).iter();
    payments.filter(|payment| payment.id == one.payment_id).all(|payment| payment.status != "succeeded")
}

fn check_calls(payment: Uuid, mutation: &str, calls: &[Call<'_>], there: &[&Operation], verdict: &mut Verdict) {
    let possible = calls.iter().enumerate().filter(|(_, call)| !call.is_refused());
    let possible = possible.map(|(at, call)| key_of(at, call)).collect::<BTreeSet<_>>().len();
    verdict.unless(there.len() <= possible, || {
        format!("payment {payment}: {mutation} was begun {} times, {possible} requests were not refused", there.len())
    });
    let mut keys = BTreeSet::new();
    for key in there.iter().filter_map(|one| one.key.as_ref()) {
        verdict.unless(keys.insert(key), || format!("payment {payment}: {mutation} twice under the key \"{key}\""));
    }
    for call in calls.iter().filter(|call| call.is_kept) {
        let Some(Outcome::Done { codes, .. }) = call.outcome else { continue };
        let Some(key) = call.input["idempotencyKey"].as_str() else { continue };
        let status = there.iter().find(|one| one.key.as_deref() == Some(key)).map(|one| one.status.as_str());
        if codes.iter().any(|code| code == UNDER_WAY) {
            continue;
        }
        // A void by force is answered before the gateway is asked; what it says then is told by the charges.
        let is_right = match status {
            None => false,
            Some(_) if call.input["force"] == true => true,
            Some(status) => (status == "succeeded") == codes.is_empty() && status != "in_progress",
        };
        verdict.unless(is_right, || {
            let status = status.unwrap_or("missing");
            format!("payment {payment}: {mutation} was answered with {codes:?}, and is {status}")
        });
    }
    for key in calls.iter().filter_map(|call| call.input["idempotencyKey"].as_str()).collect::<BTreeSet<_>>() {
        let with_key = |call: &&Call<'_>| call.input["idempotencyKey"] == key;
        let is_there = there.iter().any(|one| one.key.as_deref() == Some(key));
        verdict.unless(!is_there || !calls.iter().filter(with_key).all(Call::is_refused), || {
            format!("payment {payment}: {mutation} was refused, and it is there")
        });
    }
}

/// Nothing came back into stock for an order but what a refund named.
fn check_restocked(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut named = BTreeSet::new();
    for (_, call) in told.calls_of("refundPayment") {
        for part in call.input["restock"].as_array().into_iter().flatten() {
            named.extend(part["orderItemId"].as_str().and_then(uuid));
        }
    }
    for row in shop.log.values().flatten().filter(|row| matches!(row.reason.as_str(), "refunded" | "return")) {
        let Some(order) = row.order_id else { continue };
        let mut items = shop.items_of(order).iter().filter(|item| item.product_id == row.product_id);
        verdict.unless(items.any(|item| named.contains(&item.id)), || {
            format!("order {order}: product {} came back into stock, and no refund named it", row.product_id)
        });
    }
}

/// Whether an order may have been cancelled by a void of its payment, after a part of it was shipped.
pub(crate) fn may_be_voided(shop: &Shop, told: &Told<'_>, order: Uuid) -> bool {
    let voided = told.asked("voidPayment", "paymentId");
    let is_asked = shop.payments_of(order).iter().any(|payment| voided.contains(&payment.id));
    is_asked && shop.items_of(order).iter().any(|item| item.shipped > 0)
}
