//! Recovery and a gateway that is asked twice: nothing is released before the gateway has said that it cannot charge any
//! more, whatever else it answers, and it is not asked more often than the settings say.

use std::time::Duration;

use domain::actor::Actor;
use domain::commands::{RecordCharge, SettlePayment, Settled};
use domain::id::{OrderId, PaymentId};
use domain::payment::{Outcome, Payment};
use domain::sandbox::Fate;
use onhand::config::PaymentTimeouts;
use serde_json::{Value, json};

use crate::support::{Provider, Shop, Wanted, eventually, paid, patient_times, short_times};

/// A call of recovery waits for a third of the lease.
const TIMES: PaymentTimeouts = PaymentTimeouts { pay_lease: Duration::from_secs(3), ..patient_times() };

/// How long the shopper has to act, in milliseconds, as the provider says it.
const QUARTER_OF_AN_HOUR: u64 = 900_000;

/// A shop with one unit, and an order for it whose payment the provider has left open.
struct Open {
    shop: Shop,
    provider: Provider,
    mug: String,
    order: String,
}

async fn open(times: PaymentTimeouts, charge: Value) -> Open {
    open_by("PURCHASE", times, charge).await
}

async fn open_by(method: &str, times: PaymentTimeouts, charge: Value) -> Open {
    let provider = Provider::open().await;
    provider.answers("charge", charge);
    let shop = Shop::open_as(Wanted { times, gateways: provider.settings(), ..Wanted::default() }).await;
    let mug = shop.product("MUG", 1).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "http", "method": method });
    assert_eq!(shop.pay_with(input).await["order"]["payment"], "IN_PROGRESS");
    Open { shop, provider, mug, order }
}

impl Open {
    /// Recovery begins: the attempt's lease is over.
    fn begin_recovery(&self) {
        self.shop.advance(TIMES.pay_lease);
    }

    async fn asks(&self, what: &str, times: usize) {
        eventually(&format!("{what} is asked {times} times"), async || self.provider.count(what) >= times).await;
    }

    async fn is_held(&self) {
        assert_eq!(self.shop.read_order(&self.order).await["payment"], "IN_PROGRESS");
        assert_eq!(self.shop.stock(&self.mug).await, (1, 1, 0));
    }

    async fn becomes(&self, payment: &str, allocated: i64) {
        eventually(payment, async || self.shop.read_order(&self.order).await["payment"] == payment).await;
        assert_eq!(self.shop.stock(&self.mug).await, (1, allocated, 1 - allocated));
    }
}

async fn payment(shop: &Shop, order: &str) -> Payment {
    let order: OrderId = order.parse().expect("an id");
    let record = shop.app.store.order(order).await.expect("a database").expect("an order");
    record.payments.into_iter().next().expect("a payment")
}

/// The worst that could happen: a charge that was under way arrives when its units are sold to somebody else.
#[tokio::test]
async fn a_charge_that_arrives_after_recovery_has_released_takes_no_money() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 1).await;
    let (order, rival) = (shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await);
    assert_eq!(shop.pay_sandbox(&order, "never:lost").await, paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    eventually("recovery releases it", async || shop.read_order(&order).await["payment"] == "UNPAID").await;
    assert_eq!(shop.pay(&rival).await, paid("SUCCEEDED", "PAID", &[]));
    let id: PaymentId = payment(&shop, &order).await.id;
    let journal = shop.app.store.charge(id).await.expect("a database").expect("the gateway heard of it");
    assert_eq!(journal.fate, Fate::Cancelled);
    let charge = RecordCharge { payment: id, fate: Fate::Charged, after: Duration::ZERO, amount: 1_000, token: None };
    let late = shop.app.writer.submit(&Actor::System, charge).await.expect("an answer");
    assert_eq!(late.fate, Fate::Cancelled, "nothing is charged under this id any more");
    let outcome = Outcome::Charged { reference: None };
    let settled = shop.app.writer.submit(&Actor::System, SettlePayment { payment: id, outcome }).await;
    assert!(matches!(settled, Ok(Settled::Before(_))), "{settled:?}");
    assert_eq!(shop.read_order(&order).await["payment"], "UNPAID");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_to_a_void_but_that_it_is_voided_releases_anything() {
    let open = open(TIMES, json!("pending")).await;
    open.provider.answers("look_up", json!("not_found"));
    open.begin_recovery();
    for state in [json!(null), json!("pending"), json!("not_found"), json!({ "action": QUARTER_OF_AN_HOUR })] {
        let before = open.provider.answers("void", state.clone());
        // When it is asked a second time, what it answered the first time is dealt with.
        open.asks("void", before + 2).await;
        open.is_held().await;
    }
    open.provider.answers("void", json!("voided"));
    open.becomes("UNPAID", 0).await;
    assert_eq!(payment(&open.shop, &open.order).await.status, domain::payment::Status::Voided);
    open.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_void_finds_charged_is_paid() {
    let open = open(TIMES, json!("pending")).await;
    open.provider.answers("look_up", json!("not_found"));
    open.provider.answers("void", json!("charged"));
    open.begin_recovery();
    open.becomes("PAID", 1).await;
    open.shop.close().await;
}

/// A void whose answer was lost may still arrive: what is found authorized in between is on its way to be voided, and is neither
/// captured nor shipped.
#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_that_is_found_after_a_void_was_sent_is_voided() {
    let open = open_by("AUTHORIZE", TIMES, json!("pending")).await;
    open.provider.answers("look_up", json!("not_found"));
    open.provider.answers("void", json!(null));
    open.begin_recovery();
    open.asks("void", 1).await;
    let before = open.provider.answers("look_up", json!("authorized"));
    open.asks("look_up", before + 2).await;
    open.is_held().await;
    open.provider.answers("void", json!("voided"));
    open.becomes("UNPAID", 0).await;
    assert_eq!(payment(&open.shop, &open.order).await.status, domain::payment::Status::Voided);
    open.shop.close().await;
}

/// A look-up without an outcome voids nothing before its time is over, and releases nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_stays_open_is_voided_and_not_released() {
    let open = open(TIMES, json!("pending")).await;
    open.provider.answers("look_up", json!("pending"));
    open.begin_recovery();
    for state in [json!("pending"), json!(null)] {
        let before = open.provider.answers("look_up", state);
        open.asks("look_up", before + 2).await;
        open.is_held().await;
        assert_eq!(open.provider.count("void"), 0, "it is not overdue");
    }
    open.shop.advance(TIMES.pay_give_up);
    for state in [json!(null), json!("pending")] {
        open.provider.answers("look_up", state);
        let before = open.provider.answers("void", json!("pending"));
        open.asks("void", before + 2).await;
        open.is_held().await;
    }
    open.provider.answers("void", json!("charged"));
    open.becomes("PAID", 1).await;
    open.shop.close().await;
}

/// No call is running while the shopper acts: recovery looks the payment up although the attempt's lease is long.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_recovered_while_the_shopper_acts() {
    let times = PaymentTimeouts { pay_lease: Duration::from_hours(24), ..patient_times() };
    let open = open(times, json!({ "action": QUARTER_OF_AN_HOUR })).await;
    open.provider.answers("look_up", json!({ "action": QUARTER_OF_AN_HOUR }));
    open.asks("look_up", 2).await;
    open.is_held().await;
    open.provider.answers("look_up", json!("charged"));
    open.becomes("PAID", 1).await;
    assert_eq!(open.provider.count("void"), 0);
    open.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_polls_after_pauses_that_double_up_to_the_longest() {
    const MINUTE: Duration = Duration::from_mins(1);
    let times = PaymentTimeouts {
        pay_retry: 10 * MINUTE,
        pay_retry_max: 60 * MINUTE,
        pay_give_up: Duration::from_hours(100),
        ..TIMES
    };
    let open = open(times, json!("pending")).await;
    open.provider.answers("look_up", json!("pending"));
    let mut wait = times.pay_lease;
    for (polls, minutes) in (1..).zip([10, 20, 40, 60, 60]) {
        open.shop.advance(wait);
        let earliest = open.shop.app.clock.now();
        eventually("it is deferred", async || payment(&open.shop, &open.order).await.recovery.next_poll_at > earliest)
            .await;
        let latest = open.shop.app.clock.now();
        let recovery = payment(&open.shop, &open.order).await.recovery;
        wait = minutes * MINUTE;
        assert_eq!((recovery.polls, recovery.leased_until), (polls, recovery.next_poll_at));
        let is_right = (earliest + wait..=latest + wait).contains(&recovery.next_poll_at);
        assert!(is_right, "poll {polls} from {earliest} to {latest} and {minutes} minutes: {recovery:?}");
        assert_eq!(open.provider.count("look_up"), usize::try_from(polls).expect("few"));
    }
    open.provider.answers("look_up", json!("declined"));
    open.shop.advance(wait);
    open.becomes("UNPAID", 0).await;
    open.shop.close().await;
}
