//! Every replica shows what is stored; and whoever asks is never shown less than was acknowledged, or pushed, before.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Verdict;
use crate::database::{Order, Payment, Shop};
use crate::id::id;
use crate::journal::{Outcome, Record};
use crate::told::Told;

/// Products, or orders, that are asked for at once: with two fields each, as many as an operation may have.
const PAGE: usize = 10;

/// Maximum number of orders that are asked for.
const MAX_ORDERS: usize = 200;

/// How often a server is asked that fails.
const MAX_TRIES: u32 = 10;

/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Checks reads against what was known before each of them was begun.
pub fn check_reads(_: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut known = BTreeMap::<Uuid, i32>::new();
    let mut begun = BTreeMap::<u64, (usize, Uuid, i32)>::new();
    let mut subscribed = BTreeMap::<u64, usize>::new();
    for (at, record) in told.records.iter().enumerate() {
        match record {
            Record::Answer { call, outcome: Outcome::Done { data, .. } } => {
                let is_kept = told.calls.get(call).is_some_and(|call| call.is_kept);
                for (product, version) in data["versions"].as_object().into_iter().flatten().filter(|_| is_kept) {
                    if let (Ok(product), Some(version)) = (product.parse(), version.as_i64()) {
                        raise(&mut known, product, i32::try_from(version).unwrap_or(i32::MAX));
                    }
                }
            }
            Record::Subscribed { subscriber, .. } => {
                subscribed.insert(*subscriber, at);
            }
            Record::Saw { subscriber, product, version, .. } => {
                // What was shown, and never acknowledged, may be gone.
                let since = subscribed.get(subscriber).copied().unwrap_or_default();
                if !told.may_be_unsaid(since) {
                    raise(&mut known, *product, *version);
                }
            }
            Record::Read { read, product } => {
                begun.insert(*read, (at, *product, known.get(product).copied().unwrap_or_default()));
            }
            Record::Found { read, version } => {
                let Some((since, product, least)) = begun.get(read) else { continue };
                verdict.unless(version >= least, || {
                    format!("product {product}: version {version} was read after version {least} was known")
                });
                if !told.may_be_unsaid(*since) {
                    raise(&mut known, *product, *version);
                }
            }
            _ => {}
        }
    }
}

fn raise(known: &mut BTreeMap<Uuid, i32>, product: Uuid, version: i32) {
    let least = known.entry(product).or_default();
    *least = version.max(*least);
}

/// Checks what each server shows at rest.
///
/// # Errors
/// When a server does not answer.
pub async fn check(shop: &Shop, servers: &[String], verdict: &mut Verdict) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    for server in servers {
        let products: Vec<Uuid> = shop.stocks.keys().copied().collect();
        for products in products.chunks(PAGE) {
            check_products(&http, server, shop, products, verdict).await?;
        }
        let orders: Vec<Uuid> = shop.orders.keys().copied().take(MAX_ORDERS).collect();
        for orders in orders.chunks(PAGE) {
            check_orders(&http, server, shop, orders, verdict).await?;
        }
    }
    Ok(())
}

async fn ask(http: &reqwest::Client, server: &str, query: String) -> anyhow::Result<Value> {
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = http.post(format!("{server}/graphql")).json(&json!({ "query": query })).send().await;
        let mut answer: Value = sent.context("a server at rest")?.json().await?;
        if answer.get("errors").is_none() {
            return Ok(answer["data"].take());
        }
        // A connection that a fault has broken is found out when it is used.
        ensure!(tries < MAX_TRIES, "a server at rest answers {answer}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn check_products(
    http: &reqwest::Client,
    server: &str,
    shop: &Shop,
    products: &[Uuid],
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let numbers = "total allocated available version";
    let fields = products.iter().enumerate().map(|(at, product)| {
        let id = id("product", *product);
        format!(
            "s{at}: stock(productId: \"{id}\") {{ {numbers} }} p{at}: product(by: {{ id: \"{id}\" }}) {{ stock {{ {numbers} }} }}"
        )
    });
    let data = ask(http, server, format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))).await?;
    for (at, product) in products.iter().enumerate() {
        let stock = &shop.stocks[product];
        let (total, allocated) = (stock.total, stock.allocated);
        let right =
            json!({ "total": total, "allocated": allocated, "available": total - allocated, "version": stock.version });
        for shown in [&data[format!("s{at}")], &data[format!("p{at}")]["stock"]] {
            verdict.unless(*shown == right, || format!("{server}: product {product} is {right}, it shows {shown}"));
        }
    }
    Ok(())
}

/// What is asked of an order.
const ORDER: &str = "status payment shipping heldUntil \
    items { id quantity allocatedQuantity shippedQuantity cancelledQuantity returnedQuantity } \
    payments { id status amount { amount } refunded { amount } refunds { id status amount { amount } } } shipments { id }";

async fn check_orders(
    http: &reqwest::Client,
    server: &str,
    shop: &Shop,
    orders: &[Uuid],
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let fields = orders
        .iter()
        .enumerate()
        .map(|(at, order)| format!("o{at}: order(id: \"{}\") {{ {ORDER} }}", id("order", *order)));
    let data = ask(http, server, format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))).await?;
    for (at, order) in orders.iter().enumerate() {
        let (right, shown) = (stored(shop, &shop.orders[order]), said(&data[format!("o{at}")]));
        verdict.unless(shown == right, || format!("{server}: order {order} is {right}, it shows {shown}"));
    }
    Ok(())
}

/// An order as it is stored, in the form of the API.
fn stored(shop: &Shop, order: &Order) -> Value {
    let items = shop.items_of(order.id).iter().map(|item| {
        json!({
            "id": id("item", item.id), "quantity": item.quantity, "allocatedQuantity": item.allocated,
            "shippedQuantity": item.shipped, "cancelledQuantity": item.cancelled, "returnedQuantity": item.returned,
        })
    });
    let refunds = |payment: &Payment| {
        let all = shop.operations_of(payment.id).iter().filter(|operation| operation.kind == "refund");
        sorted(all.map(|refund| {
            let (id, status) = (id("refund", refund.id), refund.status.to_uppercase());
            json!({ "id": id, "status": status, "amount": { "amount": refund.amount } })
        }))
    };
    let payments = shop.payments_of(order.id).iter().map(|payment| {
        json!({
            "id": id("payment", payment.id), "status": payment.status.to_uppercase(),
            "amount": { "amount": payment.amount }, "refunded": { "amount": payment.refunded }, "refunds": refunds(payment),
        })
    });
    let parcels = shop.parcels.get(&order.id).into_iter().flatten();
    json!({
        "status": order.status.to_uppercase(), "payment": order.payment.to_uppercase(),
        "shipping": order.shipping.to_uppercase(), "isHeld": order.held_until.is_some(), "items": sorted(items),
        "payments": sorted(payments), "shipments": sorted(parcels.map(|parcel| json!({ "id": id("shipment", *parcel) }))),
    })
}

/// An order as it was shown, with every list in the same order as in [`stored`].
fn said(shown: &Value) -> Value {
    let list = |of: &Value, name: &str| sorted(of[name].as_array().into_iter().flatten().cloned());
    let payments = list(shown, "payments").into_iter().map(|mut payment| {
        payment["refunds"] = list(&payment, "refunds").into();
        payment
    });
    json!({
        "status": shown["status"], "payment": shown["payment"], "shipping": shown["shipping"],
        "isHeld": !shown["heldUntil"].is_null(), "items": list(shown, "items"),
        "payments": payments.collect::<Vec<_>>(), "shipments": list(shown, "shipments"),
    })
}

/// Things with an id, in the order of it.
fn sorted(things: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut things: Vec<Value> = things.collect();
    things.sort_by(|one, other| one["id"].as_str().cmp(&other["id"].as_str()));
    things
}
