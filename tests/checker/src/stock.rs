//! Numbers are in range after every row of the log; rows are numbered without gaps; the log adds up to the stock; what is
//! allocated is what orders hold and what staff allocated; what unpaid orders hold for a time is a part of it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::Verdict;
use crate::database::{LogRow, Shop, Stock};
use crate::told::Told;

/// The most units that there may be of a product.
const MAX_UNITS: i64 = 1_000_000_000;

/// Checks every product.
pub fn check(shop: &Shop, _: &Told<'_>, verdict: &mut Verdict) {
    let (mut held, mut for_a_time) = (BTreeMap::<Uuid, i64>::new(), BTreeMap::<Uuid, i64>::new());
    for item in shop.items.values().flatten() {
        *held.entry(item.product_id).or_default() += i64::from(item.allocated);
        let order = shop.orders.get(&item.order_id);
        if order.is_some_and(|order| order.payment == "unpaid" && order.held_until.is_some()) {
            *for_a_time.entry(item.product_id).or_default() += i64::from(item.allocated);
        }
    }
    for (product, stock) in &shop.stocks {
        check_log(*product, shop.log_of(*product), stock, verdict);
        let held = held.get(product).copied().unwrap_or_default();
        let (allocated, by_hand) = (i64::from(stock.allocated), i64::from(stock.by_hand));
        verdict.unless(allocated == held + by_hand, || {
            format!("product {product}: {allocated} are allocated; orders hold {held}, staff {by_hand}")
        });
        let (says, for_a_time) = (i64::from(stock.held), for_a_time.get(product).copied().unwrap_or_default());
        verdict.unless(says == for_a_time, || {
            format!("product {product}: it says that {says} are held for a time, unpaid orders hold {for_a_time}")
        });
    }
    for product in shop.log.keys().filter(|product| !shop.stocks.contains_key(product)) {
        verdict.add(format!("product {product}: the log knows it, the stock does not"));
    }
}

/// What the log adds up to.
#[derive(Default)]
struct Sum {
    total: i64,
    allocated: i64,
    by_hand: i64,
}

fn check_log(product: Uuid, log: &[LogRow], stock: &Stock, verdict: &mut Verdict) {
    let mut sum = Sum::default();
    for (earlier, row) in log.iter().zip(log.iter().skip(1)) {
        verdict.unless(earlier.created_at <= row.created_at, || {
            format!("product {product}, row {}: it is older than the row before", row.sequence)
        });
    }
    for (row, sequence) in log.iter().zip(1..) {
        let at = format!("product {product}, row {}", row.sequence);
        verdict.unless(row.sequence == sequence, || format!("{at}: it should be row {sequence}"));
        verdict.unless((row.action == "create") == (sequence == 1), || format!("{at}: it is a {} row", row.action));
        sum.total += i64::from(row.total_delta);
        sum.allocated += i64::from(row.allocated_delta);
        if row.order_id.is_none() {
            sum.by_hand += i64::from(row.allocated_delta);
        }
        let is_in_range = 0 <= sum.allocated && sum.allocated <= sum.total && sum.total <= MAX_UNITS;
        verdict.unless(is_in_range, || format!("{at}: {} of {} are allocated", sum.allocated, sum.total));
        let after = (i64::from(row.total_after), i64::from(row.allocated_after));
        verdict.unless(after == (sum.total, sum.allocated), || {
            format!("{at}: it says {after:?}, the log adds up to {:?}", (sum.total, sum.allocated))
        });
        verdict.unless(row.available_after == row.total_after - row.allocated_after, || {
            format!("{at}: it says that {} are available", row.available_after)
        });
        verdict.unless(is_as_named(row), || {
            format!("{at}: {} of {} moved {} and {}", row.action, row.quantity, row.total_delta, row.allocated_delta)
        });
    }
    let stored = (i64::from(stock.total), i64::from(stock.allocated), i64::from(stock.by_hand));
    verdict.unless(stored == (sum.total, sum.allocated, sum.by_hand), || {
        let added = (sum.total, sum.allocated, sum.by_hand);
        format!("product {product}: the stock is {stored:?}, the log adds up to {added:?} (total, allocated, by hand)")
    });
    let rows = i32::try_from(log.len()).unwrap_or(i32::MAX);
    verdict.unless(stock.sequence == rows, || {
        format!("product {product}: the stock counts {} rows, the log has {rows}", stock.sequence)
    });
    verdict.unless(stock.version >= stock.sequence, || {
        format!("product {product}: version {} after {} changes", stock.version, stock.sequence)
    });
}

/// Whether a row moved what its action says.
fn is_as_named(row: &LogRow) -> bool {
    let q = row.quantity;
    let moved = (row.total_delta, row.allocated_delta);
    match row.action.as_str() {
        "create" | "increment" => moved == (q, 0),
        "decrement" => moved == (-q, 0),
        "allocate" => moved == (0, q),
        "deallocate" => moved == (0, -q),
        "ship" => moved == (-q, -q),
        "set" => row.allocated_delta == 0 && row.total_after == q,
        _ => false,
    }
}
