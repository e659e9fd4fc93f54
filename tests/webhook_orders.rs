//! Events of orders for webhooks: each that happened, none that did not, in order, and nothing at all when nobody wants any.

use std::collections::BTreeMap;

use entity::{webhook, webhook_delivery};
use futures_util::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{
    Answer, Received, Receiver, Shop, Wanted, codes, eventually, is_postgres, paid, webhook_settings,
};

const ALL: [&str; 3] = ["ORDER_PAID", "ORDER_SHIPPED", "ORDER_CANCELLED"];

fn order_of(received: &Received) -> String {
    received.body["data"]["order"]["id"].as_str().expect("an id").to_owned()
}

/// The kinds of what was accepted, by order.
fn by_order(accepted: &[Received]) -> BTreeMap<String, Vec<&str>> {
    let mut found = BTreeMap::<String, Vec<&str>>::new();
    for received in accepted {
        found.entry(order_of(received)).or_default().push(received.kind());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_orders_is_told_and_what_does_not_happen_is_not() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    shop.webhook(&receiver.url, &ALL).await;
    let mug = shop.product("MUG", 3).await;
    let (shipped, cancelled, unpaid) =
        (shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 2)]).await);
    for order in [&shipped, &cancelled] {
        assert_eq!(shop.pay(order).await, paid("SUCCEEDED", "PAID", &[]));
    }
    // Refused, declined, or there already: none of these changed an order.
    assert_eq!(shop.pay(&unpaid).await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    let poor = shop.order(&[(&mug, 1)]).await;
    assert_eq!(shop.pay_sandbox(&poor, "decline").await, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(codes(&shop.ship(&unpaid).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.ship(&shipped).await), Vec::<&str>::new());
    assert_eq!(codes(&shop.cancel(&shipped).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&cancelled).await), Vec::<&str>::new());
    assert_eq!(codes(&shop.cancel(&cancelled).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&unpaid).await), Vec::<&str>::new());
    let accepted = receiver.accepts(5).await;
    let expected = BTreeMap::from([
        (shipped.clone(), vec!["order.paid", "order.shipped"]),
        (cancelled.clone(), vec!["order.paid", "order.cancelled"]),
        (unpaid.clone(), vec!["order.cancelled"]),
    ]);
    assert_eq!(by_order(&accepted), expected);
    let of = |kind: &str| accepted.iter().find(|received| received.kind() == kind).expect("one").body["data"].clone();
    let parcel = of("order.shipped");
    assert_eq!(parcel["order"]["shipping"], "FULFILLED");
    assert_eq!(parcel["shipment"]["items"][0]["quantity"], 1);
    assert_eq!(parcel["shipment"]["items"][0]["orderItemId"], parcel["order"]["items"][0]["id"]);
    assert_eq!(of("order.cancelled")["order"]["status"], "CANCELLED");
    let rows = webhook_delivery::Entity::find().count(shop.database()).await.expect("a count");
    assert_eq!(rows, 5, "nothing else was recorded");
    shop.close().await;
}

/// What an address wants is what it gets, and each gets it.
#[tokio::test(flavor = "multi_thread")]
async fn each_webhook_gets_what_it_wants() {
    let shop = Shop::open_with_webhooks().await;
    let (one, two, stock) = (Receiver::open().await, Receiver::open().await, Receiver::open().await);
    shop.webhook(&one.url, &["ORDER_PAID"]).await;
    shop.webhook(&two.url, &["ORDER_PAID", "ORDER_CANCELLED"]).await;
    let (stocked, _) = shop.webhook(&stock.url, &["STOCK_CHANGED"]).await;
    let mug = shop.product("MUG", 3).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay(&order).await;
    shop.cancel(&order).await;
    let kinds = |accepted: Vec<Received>| accepted.iter().map(|it| it.kind().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds(one.accepts(1).await), ["order.paid"]);
    assert_eq!(kinds(two.accepts(2).await), ["order.paid", "order.cancelled"]);
    stock.accepts(1).await;
    let deliveries = shop.deliveries(&stocked).await;
    assert!(deliveries.iter().all(|delivery| delivery["event"] == "STOCK_CHANGED"), "{deliveries:?}");
    assert_eq!(one.received().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_event_of_an_order_waits_for_the_earlier_and_other_orders_do_not() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    shop.webhook(&receiver.url, &ALL).await;
    let mug = shop.product("MUG", 99).await;
    let (slow, fast) = (shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await);
    let refused = slow.clone();
    receiver.answers(move |received| Answer::Status(if order_of(received) == refused { 500 } else { 200 }));
    for order in [&slow, &fast] {
        shop.pay(order).await;
        shop.ship(order).await;
    }
    receiver.accepts(2).await;
    let refused = || receiver.received().into_iter().filter(|it| it.status == 500).collect::<Vec<_>>();
    eventually("it is tried again", async || refused().len() >= 3).await;
    assert!(refused().iter().all(|it| it.kind() == "order.paid"), "what follows waits");
    let ids: std::collections::BTreeSet<String> = refused().iter().map(|it| it.id().to_owned()).collect();
    assert_eq!(ids.len(), 1, "the same delivery has the same id every time");
    receiver.answers(|_| Answer::Status(200));
    let accepted = receiver.accepts(4).await;
    let both = vec!["order.paid", "order.shipped"];
    assert_eq!(by_order(&accepted), BTreeMap::from([(slow, both.clone()), (fast, both)]));
    shop.close().await;
}

#[tokio::test]
async fn with_no_webhook_nothing_is_written() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 99).await;
    let life = async || {
        let order = shop.order(&[(&mug, 1)]).await;
        shop.pay(&order).await;
        shop.ship(&order).await;
        let order = shop.order(&[(&mug, 1)]).await;
        shop.cancel(&order).await;
    };
    life().await;
    let rows = async || {
        let deliveries = webhook_delivery::Entity::find().count(shop.database()).await.expect("a count");
        let webhooks = webhook::Entity::find().count(shop.database()).await.expect("a count");
        (webhooks, deliveries)
    };
    assert_eq!(rows().await, (0, 0));
    // One that wants nothing of orders is as none.
    shop.webhook("https://shop.example/", &["STOCK_CHANGED"]).await;
    life().await;
    assert_eq!(rows().await, (1, 0));
    // Nor is one that is switched off.
    let (off, _) = shop.webhook("https://shop.example/", &["ORDER_PAID"]).await;
    shop.update_webhook(json!({ "id": off, "enabled": false })).await;
    life().await;
    assert_eq!(rows().await, (2, 0));
    shop.webhook("https://shop.example/", &["ORDER_PAID"]).await;
    life().await;
    assert_eq!(rows().await, (3, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_send_each_event_once() {
    if !is_postgres() {
        return;
    }
    let wanted = || Wanted { webhooks: Some(webhook_settings()), ..Wanted::default() };
    let a = Shop::open_as(wanted()).await;
    let b = a.replica(wanted()).await;
    let receiver = Receiver::open().await;
    // Registered on one it counts at once on the other.
    let (hook, _) = a.webhook(&receiver.url, &["ORDER_PAID", "STOCK_CHANGED"]).await;
    let mug = a.product("MUG", 99).await;
    let first = b.order(&[(&mug, 1)]).await;
    b.pay(&first).await;
    let delivered = a.deliveries(&hook).await;
    assert!(delivered.iter().any(|it| it["body"].as_str().is_some_and(|body| body.contains(&first))), "{delivered:?}");
    let orders = join_all((0..40).map(|at| if at % 2 == 0 { a.order_of(&mug) } else { b.order_of(&mug) })).await;
    let pays = orders.iter().enumerate().map(|(at, order)| if at % 3 == 0 { a.pay(order) } else { b.pay(order) });
    join_all(pays).await;
    let is_done = async || {
        let deliveries = a.deliveries(&hook).await;
        let is_newest = |it: &Value| {
            it["event"] == "STOCK_CHANGED" && it["body"].as_str().is_some_and(|body| body.contains("\"available\":58"))
        };
        deliveries.iter().all(|it| it["status"] == "DELIVERED") && deliveries.iter().any(is_newest)
    };
    eventually("all is delivered", is_done).await;
    let received = receiver.received();
    let mut ids: Vec<&str> = received.iter().map(Received::id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "each was sent once");
    assert_eq!(received.iter().filter(|it| it.kind() == "order.paid").count(), 41);
    b.close().await;
    a.close().await;
}
