//! Staff who care for an order after it was paid: they capture, void, refund, ship in parts and cancel, in any order, also what
//! the state of the order does not allow. Whoever does not know how a request ended sends it again, under the same key.

use std::time::Duration;

use checker::journal::Outcome;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::buyer::insist;
use super::{Api, CANCEL_ORDER, CAPTURE_PAYMENT, Mutation, REFUND_PAYMENT, SHIP_ORDER, VOID_PAYMENT, fresh};

/// How often somebody asks again what is under way.
const MAX_ASKED: u32 = 3;

/// Pause before that, times the number of tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Most steps that are taken with one order.
const MAX_STEPS: usize = 4;

/// Of so many voids one is by force.
const FORCED: u32 = 4;

/// An order as staff see it: its newest payment, and its lines.
#[derive(Debug, Clone)]
pub struct Seen {
    order: String,
    /// Its newest payment.
    pub payment: Option<String>,
    items: Vec<String>,
}

/// What staff do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take the money that was reserved.
    Capture,
    /// Give the payment up.
    Void,
    /// Send a part of the money back, perhaps with a unit that comes back into stock.
    RefundPart,
    /// Send back all that is left.
    RefundAll,
    /// Ship one unit of a line.
    ShipPart,
    /// Ship all that is left.
    ShipAll,
    /// Cancel what is left.
    Cancel,
}

/// The steps, those more often that come more often in a shop.
const STEPS: [Step; 10] = [
    Step::Capture,
    Step::Capture,
    Step::Capture,
    Step::Void,
    Step::RefundPart,
    Step::RefundPart,
    Step::RefundAll,
    Step::ShipPart,
    Step::ShipAll,
    Step::Cancel,
];

impl Seen {
    /// Reads an order.
    pub async fn read(api: &Api, order: &str) -> Option<Self> {
        let query = "query($id: ID!) { order(id: $id) { payments { id } items { id } } }";
        let found = api.ask(query, json!({ "id": order })).await?;
        let ids = |name: &str| -> Vec<String> {
            let all = found["order"][name].as_array().into_iter().flatten();
            all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
        };
        Some(Self { order: order.to_owned(), payment: ids("payments").pop(), items: ids("items") })
    }

    /// What a step asks for; `None` when there is no payment that it could be about.
    pub fn asks(&self, step: Step, dice: &mut StdRng) -> Option<(Mutation, Value)> {
        let order = &self.order;
        let about_payment = || self.payment.as_ref().map(|payment| json!({ "paymentId": payment }));
        let part = |dice: &mut StdRng| {
            let item = self.items.get(dice.random_range(0..self.items.len().max(1)))?;
            Some(json!([{ "orderItemId": item, "quantity": 1 }]))
        };
        Some(match step {
            Step::Capture => (CAPTURE_PAYMENT, about_payment()?),
            Step::Void => {
                let mut input = about_payment()?;
                input["force"] = dice.random_ratio(1, FORCED).into();
                (VOID_PAYMENT, input)
            }
            Step::RefundPart => {
                let mut input = about_payment()?;
                input["amount"] = 100.into();
                if dice.random() {
                    input["restock"] = part(dice)?;
                }
                (REFUND_PAYMENT, input)
            }
            Step::RefundAll => (REFUND_PAYMENT, about_payment()?),
            Step::ShipPart => (SHIP_ORDER, json!({ "orderId": order, "items": part(dice)?, "carrier": "Post" })),
            Step::ShipAll => (SHIP_ORDER, json!({ "orderId": order })),
            Step::Cancel => (CANCEL_ORDER, json!({ "orderId": order })),
        })
    }
}

/// Takes some steps with an order.
pub async fn care(api: &Api, order: &str, dice: &mut StdRng) {
    let Some(seen) = Seen::read(api, order).await else { return };
    for _ in 0..dice.random_range(1..=MAX_STEPS) {
        let step = STEPS[dice.random_range(0..STEPS.len())];
        if let Some((mutation, input)) = seen.asks(step, dice) {
            know(api, mutation, input).await;
        }
    }
}

/// Asks until it is known how it ended, or too often, always under the same key.
async fn know(api: &Api, mutation: Mutation, mut input: Value) {
    input["idempotencyKey"] = fresh("key").into();
    for tries in 1..=MAX_ASKED {
        let outcome = insist(api, mutation, input.clone(), true).await;
        let is_under_way =
            matches!(&outcome, Outcome::Done { codes, .. } if codes.iter().any(|code| code == "PAYMENT_IN_PROGRESS"));
        if !is_under_way {
            break;
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
}
