//! Somebody who buys: a cart, an order, a payment, and sometimes a change of mind. Whoever does not know how a request ended
//! sends it again, under the same key.

use std::sync::atomic::{AtomicUsize, Ordering};

use checker::journal::Outcome;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::staff;
use super::{ADJUST_STOCK, Api, CANCEL_ORDER, CHECK_OUT, CREATE_CART, Mutation, PAY_ORDER, SHIP_ORDER, done, fresh};

/// The payment service of the programme, as the API names it.
pub const GATEWAY: &str = "http";

/// How often a request is sent whose outcome is not known.
const MAX_SENT: usize = 4;

/// Of so many requests with a key, one is sent once more although it was answered.
const DOUBLED: usize = 8;

static SENT: AtomicUsize = AtomicUsize::new(0);

/// Pause before it is sent again, times the number of tries.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// What one purchase is.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// Products and units; a product may come twice.
    pub lines: Vec<(String, i32)>,
    /// The gateway.
    pub gateway: &'static str,
    /// What the gateway is told to do.
    pub token: Option<String>,
    /// Whether the money is only reserved.
    pub is_authorized: bool,
    /// Whether the order holds its units before it is paid.
    pub is_held: bool,
}

impl Purchase {
    /// One unit, paid at once.
    pub fn one(product: &str) -> Self {
        Self::of(vec![(product.to_owned(), 1)])
    }

    /// These lines, paid at once.
    pub fn of(lines: Vec<(String, i32)>) -> Self {
        Self { lines, gateway: "manual", token: None, is_authorized: false, is_held: false }
    }

    /// The same through the gateway of the programme, which does as the token says.
    pub fn through_gateway(self, token: impl Into<String>) -> Self {
        Self { gateway: GATEWAY, token: Some(token.into()), ..self }
    }
}

/// How a purchase ended, as far as the buyer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Paid.
    Paid,
    /// Being paid, or nobody knows.
    Open,
    /// Refused or declined.
    NotSold,
}

/// Sends a mutation under a key of its own until its outcome is known, or too often. Without a key it is sent again only
/// where it leaves nothing behind that counts.
pub async fn insist(api: &Api, mutation: Mutation, mut input: Value, is_keyed: bool) -> Outcome {
    if is_keyed && input["idempotencyKey"].is_null() {
        input["idempotencyKey"] = fresh("key").into();
    }
    let is_harmless = mutation == CREATE_CART;
    let mut tries = 0;
    loop {
        let outcome = api.change(mutation, input.clone()).await;
        tries += 1;
        let is_known = !matches!(outcome, Outcome::Unknown { .. });
        if is_known || tries == MAX_SENT || !(is_keyed || is_harmless) {
            let is_doubled =
                is_keyed && done(&outcome).is_some() && SENT.fetch_add(1, Ordering::Relaxed).is_multiple_of(DOUBLED);
            if is_doubled {
                api.change(mutation, input).await;
            }
            return outcome;
        }
        tokio::time::sleep(PAUSE * u32::try_from(tries).unwrap_or(1)).await;
    }
}

/// Fills a cart and checks it out; the order's id.
pub async fn order(api: &Api, lines: &[(String, i32)]) -> Option<String> {
    order_held(api, lines, false).await
}

async fn order_held(api: &Api, lines: &[(String, i32)], is_held: bool) -> Option<String> {
    let items: Vec<Value> =
        lines.iter().map(|(product, quantity)| json!({ "productId": product, "quantity": quantity })).collect();
    let cart = insist(api, CREATE_CART, json!({ "items": items }), false).await;
    let cart = done(&cart)?["cart"].as_str()?.to_owned();
    let order = insist(api, CHECK_OUT, json!({ "cartId": cart, "hold": is_held }), true).await;
    Some(done(&order)?["order"].as_str()?.to_owned())
}

/// Pays an order.
pub async fn pay(api: &Api, order: &str, gateway: &str, token: Option<&str>) -> Outcome {
    insist(api, PAY_ORDER, json!({ "orderId": order, "gateway": gateway, "token": token }), true).await
}

/// Has the money for an order reserved, by the payment service or by hand.
pub async fn authorize(api: &Api, order: &str, gateway: &str, token: Option<&str>) -> Outcome {
    let input = json!({ "orderId": order, "gateway": gateway, "token": token, "method": "AUTHORIZE" });
    insist(api, PAY_ORDER, input, true).await
}

/// What an answer to paying means to the buyer.
pub fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Refused { .. } => End::NotSold,
        Outcome::Unknown { .. } => End::Open,
        Outcome::Done { data, .. } => match data["status"].as_str().unwrap_or_default() {
            "SUCCEEDED" | "AUTHORIZED" => End::Paid,
            "DECLINED" | "VOIDED" => End::NotSold,
            _ => End::Open,
        },
    }
}

/// Buys; the order, when there is one, and how it ended.
pub async fn buy(api: &Api, purchase: &Purchase) -> (Option<String>, End) {
    let Purchase { lines, gateway, token, is_authorized, is_held } = purchase;
    let Some(order) = order_held(api, lines, *is_held).await else { return (None, End::NotSold) };
    let paid = if *is_authorized {
        authorize(api, &order, gateway, token.as_deref()).await
    } else {
        pay(api, &order, gateway, token.as_deref()).await
    };
    (Some(order), end_of(&paid))
}

/// Buys, and now and then has a change of mind, has staff care for the order, ships, receives or reads: one step of a busy day. `choose` says what the
/// gateway is told. Whether the shop did anything.
pub async fn live(api: &Api, products: &[String], dice: &mut StdRng, choose: fn(&mut StdRng) -> String) -> bool {
    let product = &products[dice.random_range(0..products.len())];
    match dice.random_range(0..10) {
        0..3 => receive(api, product, dice.random_range(1..4), dice.random()).await,
        3 => api.read_stock(product).await.is_some(),
        _ => {
            let count = dice.random_range(1..=3);
            let line =
                |dice: &mut StdRng| (products[dice.random_range(0..products.len())].clone(), dice.random_range(1..3));
            let lines = (0..count).map(|_| line(dice)).collect();
            let token = choose(dice);
            let (is_authorized, is_held) = (dice.random(), dice.random_ratio(1, 4));
            let purchase = Purchase { is_authorized, is_held, ..Purchase::of(lines) };
            let purchase = if token.is_empty() { purchase } else { purchase.through_gateway(token) };
            let (order, _) = buy(api, &purchase).await;
            let Some(order) = order else { return false };
            match dice.random_range(0..9) {
                0 | 1 => drop(insist(api, CANCEL_ORDER, json!({ "orderId": order }), true).await),
                2 | 3 => drop(insist(api, SHIP_ORDER, json!({ "orderId": order }), true).await),
                4..8 => staff::care(api, &order, dice).await,
                _ => {}
            }
            true
        }
    }
}

/// Receives units, under a key or without one. Whether that was done.
pub async fn receive(api: &Api, product: &str, units: i32, is_keyed: bool) -> bool {
    let change = json!({ "productId": product, "action": "INCREMENT", "quantity": units });
    let input = json!({ "changes": [change], "reason": "RECEIVED", "note": fresh("receive") });
    done(&insist(api, ADJUST_STOCK, input, is_keyed).await).is_some()
}
