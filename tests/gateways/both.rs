//! What holds for every gateway over HTTP. Each story is told once and played with each provider.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{SOON, Sale, Till, answered, silent};
use crate::support::providers::{Fate, Late, Lie, Mishap, StandIn};
use crate::support::{Wanted, codes, eventually, paid, with_tokens};

stories!(
    shoppers_pay_and_are_declined,
    whatever_goes_wrong_while_charging_ends_right,
    whatever_goes_wrong_in_recovery_ends_right,
    another_amount_is_never_paid,
    the_shopper_acts_and_is_believed_once,
    lost_notices_are_made_up_for,
    nobody_acts,
    a_notice_comes_before_the_answer,
    a_charge_that_arrives_late_takes_nothing,
    only_signed_notices_are_read,
    many_buyers_on_a_bad_day_are_never_oversold,
);

async fn shoppers_pay_and_are_declined<S: StandIn>() {
    let till = Till::<S>::open_as(Wanted { times: answered(), access: with_tokens(), ..Wanted::default() }).await;
    let staff = till.shop.signed_in(onhand::config::Role::Staff, "sam").await;
    let product = staff.product("MUG", 2).await;
    // The shop is a guest.
    let order = till.shop.order_of(&product).await;
    let sale = Sale { product, order };
    let declined = till.pay(&sale, Fate::Decline).await;
    assert_eq!(declined, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(staff.stock(&sale.product).await, (2, 0, 2));
    assert_eq!(till.provider.taken(&sale.order), 0);
    let input = json!({ "orderId": sale.order, "gateway": S::GATEWAY, "token": S::token(Fate::Succeed) });
    let payload = till.shop.pay_with(input).await;
    assert_eq!(codes(&payload), Vec::<&str>::new());
    assert_eq!(payload["order"]["payment"], "PAID");
    assert!(payload["payment"]["reference"].is_string(), "{payload}");
    assert_eq!(staff.stock(&sale.product).await, (2, 1, 1));
    assert_eq!((till.provider.taken(&sale.order), till.provider.charges(&sale.order)), (1_000, 1));
    let by_hand = "mutation($o: ID!) { payOrder(input: { orderId: $o }) { order { id } } }";
    let order = till.shop.order_of(&sale.product).await;
    assert_eq!(till.shop.code(by_hand, json!({ "o": order })).await, "UNAUTHENTICATED", "manual is for staff");
    till.shop.close().await;
}

async fn whatever_goes_wrong_while_charging_ends_right<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    let mut number = 0;
    for step in S::CHARGING {
        for mishap in [
            Mishap::ErrorBefore,
            Mishap::ErrorAfter,
            Mishap::SilentBefore,
            Mishap::SilentAfter,
            Mishap::ResetAfter,
            Mishap::HugeAfter,
            Mishap::Redirect,
        ] {
            number += 1;
            let what = format!("{step} {mishap:?}");
            let sale = till.sale(&format!("MUG-{number}")).await;
            till.provider.desk().plan(step, mishap.clone());
            let answered = till.pay(&sale, Fate::Succeed).await;
            // Recovery may have been faster than the answer; nobody is ever told that it was declined.
            assert_ne!(answered.payment, "DECLINED", "{what}");
            till.advance(SOON);
            eventually(&what, async || till.payment(&sale).await != "IN_PROGRESS").await;
            let is_paid = till.adds_up(&sale, &what).await;
            let is_charged = step == S::CHARGING.last().expect("a step")
                && !matches!(mishap, Mishap::ErrorBefore | Mishap::SilentBefore | Mishap::Redirect);
            assert_eq!(is_paid, is_charged, "{what}");
        }
    }
    till.shop.close().await;
}

async fn whatever_goes_wrong_in_recovery_ends_right<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    let last = S::CHARGING.last().expect("a step");
    let mishaps = [Mishap::ErrorBefore, Mishap::ResetAfter, Mishap::SilentBefore, Mishap::HugeAfter, Mishap::Redirect];
    let charged = till.sale("CHARGED").await;
    till.provider.desk().plan(last, Mishap::SilentAfter);
    for mishap in mishaps {
        till.provider.desk().plan(S::LOOKING, mishap);
    }
    till.pay(&charged, Fate::Succeed).await;
    till.advance(SOON);
    till.becomes(&charged, "PAID").await;
    assert!(till.adds_up(&charged, "look-up").await);
    let lost = till.sale("LOST").await;
    till.provider.desk().plan(last, Mishap::SilentBefore);
    // What was voided although the answer was lost is voided for good.
    for mishap in [Mishap::ErrorBefore, Mishap::Redirect, Mishap::ErrorAfter] {
        till.provider.desk().plan(S::VOIDING, mishap);
    }
    till.pay(&lost, Fate::Succeed).await;
    till.advance(SOON);
    eventually("it is voided", async || till.provider.desk().count(S::VOIDING) >= 1).await;
    till.becomes(&lost, "UNPAID").await;
    assert!(!till.adds_up(&lost, "void").await);
    till.shop.close().await;
}

async fn another_amount_is_never_paid<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    for (number, lie) in [Lie::Amount, Lie::Currency].into_iter().enumerate() {
        let what = format!("{lie:?}");
        let sale = till.sale(&format!("MUG-{number}")).await;
        till.provider.lie(Some(lie));
        assert_eq!(till.pay(&sale, Fate::Succeed).await, paid("IN_PROGRESS", "IN_PROGRESS", &[]), "{what}");
        assert_eq!(till.provider.push(&sale.order).await, 200);
        till.is_held(&sale, &what).await;
        let before = till.provider.desk().count(S::LOOKING);
        till.advance(SOON);
        // When it is asked a second time, its first answer is dealt with.
        eventually("recovery asks", async || till.provider.desk().count(S::LOOKING) >= before + 2).await;
        till.is_held(&sale, &what).await;
        let scraped = till.shop.client().get(format!("{}/metrics", till.shop.url)).send().await.expect("an answer");
        let text = scraped.text().await.expect("text");
        let series = format!("onhand_gateway_mismatches_total{{gateway=\"{}\"}} ", S::GATEWAY);
        let told = text.lines().find_map(|line| line.strip_prefix(&series)).expect("a series");
        assert!(told.parse::<u64>().expect("a number") >= 2, "{told}");
        till.provider.lie(None);
        till.becomes(&sale, "PAID").await;
        assert!(till.adds_up(&sale, &what).await);
    }
    till.shop.close().await;
}

async fn the_shopper_acts_and_is_believed_once<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    let sale = till.sale("MUG").await;
    assert_eq!(till.pay(&sale, Fate::Act).await, paid("REQUIRES_ACTION", "IN_PROGRESS", &[]));
    assert_eq!(till.provider.push(&sale.order).await, 200, "that it waits is no news");
    till.is_held(&sale, "it waits").await;
    till.provider.act(&sale.order);
    let pushed = join_all((0..5).map(|_| till.provider.push(&sale.order))).await;
    assert_eq!(pushed, [200; 5]);
    assert!(till.adds_up(&sale, "acted").await);
    till.is_allocated_once(&sale).await;
    till.shop.close().await;
}

async fn lost_notices_are_made_up_for<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    let sale = till.sale("MUG").await;
    assert_eq!(till.pay(&sale, Fate::Act).await, paid("REQUIRES_ACTION", "IN_PROGRESS", &[]));
    till.provider.act(&sale.order);
    till.becomes(&sale, "PAID").await;
    assert!(till.adds_up(&sale, "acted").await);
    till.is_allocated_once(&sale).await;
    till.shop.close().await;
}

/// The deadline voids the charge first. What a provider takes all the same is sent back.
async fn nobody_acts<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    let sale = till.sale("MUG").await;
    assert_eq!(till.pay(&sale, Fate::Act).await, paid("REQUIRES_ACTION", "IN_PROGRESS", &[]));
    till.advance(Duration::from_mins(16));
    till.becomes(&sale, "UNPAID").await;
    assert!(till.provider.desk().count(S::VOIDING) >= 1);
    assert!(!till.adds_up(&sale, "nobody acted").await);
    till.provider.charge_anyway(&sale.order);
    assert_eq!(till.provider.push(&sale.order).await, 200);
    eventually("the money goes back", async || till.provider.taken(&sale.order) == 0).await;
    assert_eq!(till.provider.charges(&sale.order), 1);
    assert_eq!(till.payment(&sale).await, "UNPAID");
    assert_eq!(till.shop.stock(&sale.product).await, (1, 0, 1), "its unit is somebody else's");
    till.shop.close().await;
}

async fn a_notice_comes_before_the_answer<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    let sale = till.sale("MUG").await;
    till.provider.desk().push_first();
    assert_eq!(till.pay(&sale, Fate::Succeed).await, paid("SUCCEEDED", "PAID", &[]));
    assert!(till.adds_up(&sale, "twice").await);
    till.is_allocated_once(&sale).await;
    till.shop.close().await;
}

async fn a_charge_that_arrives_late_takes_nothing<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    for step in S::CHARGING {
        let late = Arc::<Late>::default();
        let sale = till.sale(step).await;
        till.provider.desk().plan(step, Mishap::Late(Arc::clone(&late)));
        till.pay(&sale, Fate::Succeed).await;
        till.advance(SOON);
        till.becomes(&sale, "UNPAID").await;
        late.arrive().await;
        assert!(!till.adds_up(&sale, step).await);
        assert_eq!(till.pay(&sale, Fate::Succeed).await.order, "PAID", "it can be paid again");
        assert!(till.adds_up(&sale, step).await);
    }
    till.shop.close().await;
}

/// Ten buyers of four units, while one request after the other goes wrong.
async fn many_buyers_on_a_bad_day_are_never_oversold<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    let product = till.shop.product("MUG", 4).await;
    let mut sales = Vec::new();
    for _ in 0..10 {
        sales.push(Sale { product: product.clone(), order: till.shop.order_of(&product).await });
    }
    for step in S::CHARGING.iter().chain([&S::LOOKING, &S::VOIDING]) {
        for mishap in [Mishap::ErrorAfter, Mishap::ErrorBefore, Mishap::ResetAfter, Mishap::SilentAfter] {
            till.provider.desk().plan(step, mishap);
        }
    }
    let mut paid = 0;
    // Whoever was turned away tries again, until nothing goes wrong any more.
    for round in 0..8 {
        join_all(sales.iter().map(|sale| till.pay(sale, Fate::Succeed))).await;
        till.advance(SOON);
        for sale in &sales {
            eventually("its outcome is known", async || till.payment(sale).await != "IN_PROGRESS").await;
        }
        paid = 0;
        for sale in &sales {
            let is_paid = till.payment(sale).await == "PAID";
            paid += i64::from(is_paid);
            let expected = if is_paid { (1_000, 1) } else { (0, 0) };
            assert_eq!((till.provider.taken(&sale.order), till.provider.charges(&sale.order)), expected, "{round}");
        }
        assert_eq!(till.shop.stock(&product).await, (4, paid, 4 - paid), "{round}");
        if paid == 4 {
            break;
        }
    }
    assert_eq!(paid, 4, "nothing is held for ever");
    till.shop.close().await;
}

async fn only_signed_notices_are_read<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    let url = format!("{}/webhooks/{}", till.shop.url, S::GATEWAY);
    let send = async |body: String, header: Option<(&str, &str)>| {
        let mut request = till.shop.client().post(&url).body(body);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    let name = format!("{}-signature", if S::GATEWAY == "http" { "onhand" } else { "stripe" });
    for signature in ["", "t=1,v1=00", "t=1", "v1=00", "nothing"] {
        assert_eq!(send("{}".to_owned(), Some((&name, signature))).await, 400, "{signature}");
    }
    assert_eq!(send("{}".to_owned(), None).await, 400);
    assert_eq!(send(" ".repeat(300_000), None).await, 413);
    let status = |response: reqwest::Response| response.status().as_u16();
    assert_eq!(status(till.shop.client().get(&url).send().await.expect("an answer")), 405);
    let elsewhere = till.shop.client().post(format!("{}/webhooks/manual", till.shop.url)).body("{}");
    assert_eq!(status(elsewhere.send().await.expect("an answer")), 404);
    till.shop.close().await;
}
