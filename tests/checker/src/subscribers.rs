//! Subscribers hear of states that exist, in rising order, and of the last one: whatever happened to their connection.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::Shop;
use crate::id::uuid;
use crate::journal::{Outcome, Record};
use crate::told::{Call, Told};

/// A state of stock that a subscriber was sent.
#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i32,
    numbers: [i32; 3],
    /// The record of the subscription that it came from.
    since: usize,
}

/// What one subscriber has heard.
#[derive(Debug, Default)]
struct Heard<'a> {
    /// Of each product, the newest state.
    stocks: BTreeMap<Uuid, Seen>,
    /// Products of whose stock nothing came yet since the last subscription.
    fresh: BTreeSet<Uuid>,
    /// Products that it subscribed to, and the record of the last time.
    products: BTreeMap<Uuid, usize>,
    /// Of each order, the states.
    orders: BTreeMap<Uuid, &'a [String; 3]>,
    followed: BTreeSet<Uuid>,
    log: Log,
}

/// What a subscriber to the log has heard.
#[derive(Debug, Default)]
struct Log {
    /// Whether it subscribed.
    is_followed: bool,
    /// The record of the last subscription.
    since: usize,
    /// The record of its first row: whatever is added afterwards, it hears of.
    first: Option<usize>,
    /// Of each product, the last row and the record of the subscription that it came from.
    rows: BTreeMap<Uuid, (i32, usize)>,
}

/// Checks every subscriber.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let possible: BTreeMap<Uuid, BTreeSet<[i32; 3]>> =
        shop.log.iter().map(|(id, log)| (*id, numbers_of(log))).collect();
    let added = added(shop, told);
    let mut all = BTreeMap::<u64, Heard<'_>>::new();
    let mut is_taken_over = false;
    for (at, record) in told.records.iter().enumerate() {
        match record {
            Record::Subscribed { subscriber, products } => {
                let heard = all.entry(*subscriber).or_default();
                heard.fresh.extend(products);
                heard.products.extend(products.iter().map(|product| (*product, at)));
            }
            Record::Followed { subscriber, order } => {
                all.entry(*subscriber).or_default().followed.insert(*order);
            }
            Record::FollowedLog { subscriber } => {
                let log = &mut all.entry(*subscriber).or_default().log;
                (log.is_followed, log.since) = (true, at);
            }
            Record::Saw { subscriber, product, version, numbers } => {
                let heard = all.entry(*subscriber).or_default();
                let since = heard.products.get(product).copied().unwrap_or_default();
                check_newer(*subscriber, heard, *product, *version, told, verdict);
                heard.stocks.insert(*product, Seen { version: *version, numbers: *numbers, since });
                let exists = possible.get(product).is_some_and(|possible| possible.contains(numbers));
                verdict.unless(exists || told.may_be_unsaid(since), || {
                    format!("subscriber {subscriber}: product {product} never had {numbers:?}, as it was told")
                });
            }
            Record::SawOrder { subscriber, order, states } => {
                all.entry(*subscriber).or_default().orders.insert(*order, states);
            }
            Record::SawRow { subscriber, product, sequence } => {
                let log = &mut all.entry(*subscriber).or_default().log;
                log.first.get_or_insert(at);
                check_next(*subscriber, log, *product, *sequence, told, verdict);
            }
            Record::TakenOver => is_taken_over = true,
            Record::CursorRefused { subscriber } => {
                let log = &mut all.entry(*subscriber).or_default().log;
                log.rows.clear();
                log.first = None;
                verdict.unless(is_taken_over, || {
                    format!("subscriber {subscriber}: its cursor was refused, and the data is the same as before")
                });
            }
            Record::Rested { subscriber } => match all.get(subscriber) {
                Some(heard) => {
                    check_last(*subscriber, heard, shop, verdict);
                    check_last_rows(*subscriber, &heard.log, shop, &added, verdict);
                }
                None => verdict.add(format!("subscriber {subscriber}: it never heard anything")),
            },
            _ => {}
        }
    }
}

/// Total, allocated and available after each row of a log.
fn numbers_of(log: &[crate::database::LogRow]) -> BTreeSet<[i32; 3]> {
    log.iter().map(|row| [row.total_after, row.allocated_after, row.total_after - row.allocated_after]).collect()
}

/// Products that got rows of the log, each with the record with which the last call began that added one for certain.
fn added(shop: &Shop, told: &Told<'_>) -> BTreeMap<Uuid, usize> {
    let mut added = BTreeMap::new();
    for (at, record) in told.records.iter().enumerate() {
        let Record::Call { call, .. } = record else { continue };
        let products = told.calls.get(call).map_or_else(Vec::new, |call| products_of(shop, call));
        added.extend(products.into_iter().map(|product| (product, at)));
    }
    added
}

/// The products to whose logs a call added a row, as its answer says and nothing else can be meant by it.
fn products_of(shop: &Shop, call: &Call<'_>) -> Vec<Uuid> {
    let Some(data) = call.acknowledged() else { return Vec::new() };
    // Whoever sends a request again is answered as the first time, and adds nothing.
    let is_its_own = matches!(call.outcome, Some(Outcome::Done { codes, .. }) if codes.is_empty()) && !call.is_repeated;
    match call.mutation {
        "createProduct" | "adjustStock" if is_its_own && !sets(call) => {
            let versions = data["versions"].as_object().into_iter().flatten();
            versions.filter_map(|(product, _)| product.parse().ok()).collect()
        }
        "payOrder" if is_its_own => {
            let order = data["order"].as_str().and_then(uuid).unwrap_or_default();
            // What was held from check-out on is paid for without a row.
            let is_held =
                |product| shop.log_of(product).iter().any(|row| row.order_id == Some(order) && row.reason == "hold");
            let items = shop.items_of(order).iter().filter(|item| !is_held(item.product_id));
            items.filter(|item| item.allocated + item.shipped > 0).map(|item| item.product_id).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a call sets stock to a number: where that is what it is, there is no row.
fn sets(call: &Call<'_>) -> bool {
    call.input["changes"].as_array().into_iter().flatten().any(|change| change["action"] == "SET")
}

/// Of one subscription each version is newer than the one before. A new one begins with what there is, which is not older
/// than what was told before.
fn check_newer(
    subscriber: u64,
    heard: &mut Heard<'_>,
    product: Uuid,
    version: i32,
    told: &Told<'_>,
    verdict: &mut Verdict,
) {
    let is_first = heard.fresh.remove(&product);
    let Some(last) = heard.stocks.get(&product) else { return };
    let is_right = version > last.version || is_first && (version == last.version || told.may_be_unsaid(last.since));
    verdict.unless(is_right, || {
        let last = last.version;
        format!("subscriber {subscriber}: version {version} of product {product} came after version {last}")
    });
}

/// Of each product every row comes, in order; also when the subscription before broke off.
fn check_next(subscriber: u64, log: &mut Log, product: Uuid, sequence: i32, told: &Told<'_>, verdict: &mut Verdict) {
    if let Some((last, since)) = log.rows.insert(product, (sequence, log.since)) {
        verdict.unless(sequence == last + 1 || told.may_be_unsaid(since), || {
            format!("subscriber {subscriber}: row {sequence} of product {product} came after row {last}")
        });
    }
}

/// The last that came is the last there is.
fn check_last(subscriber: u64, heard: &Heard<'_>, shop: &Shop, verdict: &mut Verdict) {
    for product in heard.products.keys() {
        let Some(stock) = shop.stocks.get(product) else { continue };
        let right = (stock.version, [stock.total, stock.allocated, stock.total - stock.allocated]);
        let last = heard.stocks.get(product).map(|seen| (seen.version, seen.numbers));
        verdict.unless(last == Some(right), || {
            format!("subscriber {subscriber}: it last heard {last:?} of product {product}, which is {right:?}")
        });
    }
    for id in &heard.followed {
        let Some(order) = shop.orders.get(id) else { continue };
        let right = [&order.status, &order.payment, &order.shipping].map(|state| state.to_uppercase());
        let last = heard.orders.get(id);
        verdict.unless(last == Some(&&right), || {
            format!("subscriber {subscriber}: it last heard {last:?} of order {id}, which is {right:?}")
        });
    }
}

/// Of every product of which it heard, and of every one that got a row afterwards, the last row that came is the last there
/// is.
fn check_last_rows(subscriber: u64, log: &Log, shop: &Shop, added: &BTreeMap<Uuid, usize>, verdict: &mut Verdict) {
    let Some(first) = log.first else {
        verdict.unless(!log.is_followed, || format!("subscriber {subscriber}: it never heard of a row of the log"));
        return;
    };
    let afterwards = added.iter().filter(|(_, at)| **at > first).map(|(product, _)| product);
    for product in log.rows.keys().chain(afterwards).collect::<BTreeSet<_>>() {
        let rows = shop.stocks.get(product).map_or(0, |stock| stock.sequence);
        let last = log.rows.get(product).map_or(0, |(last, _)| *last);
        verdict.unless(last == rows, || {
            format!("subscriber {subscriber}: it last heard of row {last} of product {product}, which has {rows}")
        });
    }
}
