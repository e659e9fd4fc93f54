//! Subscribers hear of states that exist, in rising order, and of the last one: whatever happened to their connection.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::{Record, Told};

/// What one subscriber has heard.
#[derive(Debug, Default)]
struct Heard<'a> {
    /// Of each product, the newest version and its numbers.
    stocks: BTreeMap<Uuid, (i32, [i32; 3])>,
    /// Products of whose stock nothing came yet since the last subscription.
    fresh: BTreeSet<Uuid>,
    /// Products that it subscribed to.
    products: BTreeSet<Uuid>,
    /// Of each order, the states.
    orders: BTreeMap<Uuid, &'a [String; 3]>,
    followed: BTreeSet<Uuid>,
    /// Of each product, the last row of the log.
    rows: BTreeMap<Uuid, i32>,
}

/// Checks every subscriber.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let is_lax = told.is_set_back || told.shows_more;
    let possible: BTreeMap<Uuid, BTreeSet<[i32; 3]>> =
        shop.log.iter().map(|(id, log)| (*id, numbers_of(log))).collect();
    let mut all = BTreeMap::<u64, Heard<'_>>::new();
    let mut is_taken_over = false;
    for record in told.records {
        match record {
            Record::Subscribed { subscriber, products } => {
                let heard = all.entry(*subscriber).or_default();
                heard.fresh.extend(products);
                heard.products.extend(products);
            }
            Record::Followed { subscriber, order } => {
                all.entry(*subscriber).or_default().followed.insert(*order);
            }
            Record::Saw { subscriber, product, version, numbers } => {
                let heard = all.entry(*subscriber).or_default();
                check_newer(*subscriber, heard, *product, *version, told, verdict);
                heard.stocks.insert(*product, (*version, *numbers));
                let exists = possible.get(product).is_some_and(|possible| possible.contains(numbers));
                verdict.unless(exists || is_lax, || {
                    format!("subscriber {subscriber}: product {product} never had {numbers:?}, as it was told")
                });
            }
            Record::SawOrder { subscriber, order, states } => {
                all.entry(*subscriber).or_default().orders.insert(*order, states);
            }
            Record::SawRow { subscriber, product, sequence } => {
                let heard = all.entry(*subscriber).or_default();
                if let Some(last) = heard.rows.insert(*product, *sequence) {
                    verdict.unless(*sequence == last + 1 || is_lax, || {
                        format!("subscriber {subscriber}: row {sequence} of product {product} came after row {last}")
                    });
                }
            }
            Record::TakenOver => is_taken_over = true,
            Record::CursorRefused { subscriber } => {
                all.entry(*subscriber).or_default().rows.clear();
                verdict.unless(is_taken_over, || {
                    format!("subscriber {subscriber}: its cursor was refused, and the data is the same as before")
                });
            }
            Record::Rested { subscriber } => match all.get(subscriber) {
                Some(heard) => check_last(*subscriber, heard, shop, verdict),
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
    let Some((last, _)) = heard.stocks.get(&product) else { return };
    let is_right = version > *last || is_first && (version == *last || told.is_set_back || told.shows_more);
    verdict.unless(is_right, || {
        format!("subscriber {subscriber}: version {version} of product {product} came after version {last}")
    });
}

/// The last that came is the last there is.
fn check_last(subscriber: u64, heard: &Heard<'_>, shop: &Shop, verdict: &mut Verdict) {
    for product in &heard.products {
        let Some(stock) = shop.stocks.get(product) else { continue };
        let right = (stock.version, [stock.total, stock.allocated, stock.total - stock.allocated]);
        let last = heard.stocks.get(product);
        verdict.unless(last == Some(&right), || {
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
    for (product, last) in &heard.rows {
        let rows = shop.stocks.get(product).map_or(0, |stock| stock.sequence);
        verdict.unless(*last == rows, || {
            format!("subscriber {subscriber}: it last heard of row {last} of product {product}, which has {rows}")
        });
    }
}
