//! Outgoing webhooks as staff register, read and change them, and what receivers can rely on.

use std::collections::BTreeSet;

use entity::webhook_delivery;
use onhand::writer::retention::{self, DELIVERY_LIFETIME, Lifetimes};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Receiver, Shop, codes, eventually, paid};

/// HMAC-SHA256 as RFC 2104 has it, written for this test alone.
fn hmac(key: &[u8], message: &[u8]) -> String {
    assert!(key.len() > 64, "our secrets are longer than a block");
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(&Sha256::digest(key));
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().fold(String::new(), |code, byte| code + &format!("{byte:02x}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_signed_and_says_what_happened() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let (hook, secret) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let [received] = receiver.receives(1).await.try_into().expect("one");
    assert_eq!((received.path.as_str(), received.kind()), ("/hooks", "order.paid"));
    assert_eq!(received.headers["content-type"], "application/json");

    let (time, code) = received.signature.split_once(",v1=").expect("two parts");
    let time = time.strip_prefix("t=").expect("a time");
    assert!(time.parse::<i64>().expect("seconds") > 1_700_000_000);
    assert_eq!(code, hmac(secret.as_bytes(), format!("{time}.{}", received.text).as_bytes()));

    let about = &received.body["data"]["order"];
    assert_eq!(
        (&about["id"], &about["payment"], &about["status"]),
        (&json!(order), &json!("PAID"), &json!("COMPLETE"))
    );
    assert_eq!(about["total"], json!({ "amount": 2_000, "currency": "EUR" }));
    assert_eq!((&about["items"][0]["productId"], &about["items"][0]["quantity"]), (&json!(mug), &json!(2)));
    assert!(!received.text.contains("customer"), "who bought is asked for with the order's id: {}", received.text);

    eventually("it is recorded", async || shop.deliveries(&hook).await[0]["status"] == "DELIVERED").await;
    let delivery = &shop.deliveries(&hook).await[0];
    assert_eq!((&delivery["id"], &delivery["body"]), (&json!(received.id()), &json!(received.text)));
    assert_eq!((&delivery["attempts"], &delivery["responseStatus"]), (&json!(1), &json!(200)));
    assert_eq!((&delivery["event"], &delivery["error"]), (&json!("ORDER_PAID"), &json!(null)));
    assert!(delivery["deliveredAt"].is_string() && delivery["nextAttemptAt"].is_null(), "{delivery}");
    shop.close().await;
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let shop = Shop::open().await;
    let (hook, secret) = shop.webhook("https://shop.example/hooks", &["ORDER_PAID", "STOCK_CHANGED"]).await;
    assert!(secret.starts_with("whsec_") && secret.len() > 64);
    let shown = shop.read_webhook(&hook).await.to_string();
    let listed = shop.data("{ webhooks { id url events status } }", json!({})).await;
    let events = json!(["ORDER_PAID", "STOCK_CHANGED"]);
    let expected = json!([{ "id": hook, "url": "https://shop.example/hooks", "events": events, "status": "ENABLED" }]);
    assert_eq!(listed["webhooks"], expected);
    assert!(!shown.contains(&secret) && !format!("{:?}", shop.app.store.webhooks().await).contains(&secret));
    let fields = "{ __type(name: \"Webhook\") { fields { name } } }";
    let fields = shop.data(fields, json!({})).await.to_string();
    assert!(fields.contains("\"url\"") && !fields.contains("secret"), "{fields}");
    shop.close().await;
}

#[tokio::test]
async fn what_is_refused_is_refused_in_the_words_of_the_contract() {
    let shop = Shop::open().await;
    let input = |url: &str, events: &[&str]| json!({ "url": url, "events": events });
    for (input, field) in [
        (input("nonsense", &["ORDER_PAID"]), "url"),
        (input("https://user:word@shop.example/", &["ORDER_PAID"]), "url"),
        (input("https://shop.example/", &[]), "events"),
    ] {
        let refused = shop.create_webhook(input).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID_INPUT", "field": ["input", field] }]));
        assert_eq!((&refused["webhook"], &refused["secret"]), (&json!(null), &json!(null)));
    }
    let unknown = "webhook_7zzzzzzzzzzzzzzzzzzzzzzzzz";
    assert_eq!(codes(&shop.update_webhook(json!({ "id": unknown, "enabled": true })).await), ["NOT_FOUND"]);
    assert_eq!(codes(&shop.repeat_delivery("delivery_7zzzzzzzzzzzzzzzzzzzzzzzzz").await), ["NOT_FOUND"]);
    assert_eq!(delete(&shop, unknown).await["userErrors"][0]["code"], "NOT_FOUND");
    let wrong =
        "mutation { deleteWebhook(input: { id: \"product_00000000000000000000000001\" }) { deletedWebhookId } }";
    assert_eq!(shop.code(wrong, json!({})).await, "BAD_ID");

    let (hook, _) = shop.webhook("https://shop.example/", &["ORDER_PAID"]).await;
    for (change, field) in
        [(json!({ "id": hook, "url": "ftp://shop.example/" }), "url"), (json!({ "id": hook, "events": [] }), "events")]
    {
        let refused = shop.update_webhook(change).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID_INPUT", "field": ["input", field] }]));
    }
    for number in 1..20 {
        shop.webhook(&format!("https://shop.example/{number}"), &["ORDER_PAID"]).await;
    }
    let refused = shop.create_webhook(input("https://shop.example/", &["ORDER_PAID"])).await;
    assert_eq!(codes(&refused), ["LIMIT_EXCEEDED"]);
    assert_eq!(delete(&shop, &hook).await["deletedWebhookId"], json!(hook));
    shop.webhook("https://shop.example/", &["ORDER_PAID"]).await;
    shop.close().await;
}

async fn delete(shop: &Shop, id: &str) -> Value {
    let mutation = "mutation($id: ID!) { deleteWebhook(input: { id: $id }) { deletedWebhookId userErrors { code } } }";
    shop.data(mutation, json!({ "id": id })).await["deleteWebhook"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_or_deleted_gets_nothing() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let (off, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let (gone, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    receiver.answers(|_| Answer::Status(503));
    let mug = shop.product("MUG", 9).await;
    shop.pay(&shop.order(&[(&mug, 1)]).await).await;
    receiver.receives(2).await;
    let lost = shop.deliveries(&gone).await[0]["id"].as_str().expect("an id").to_owned();
    let waiting = shop.deliveries(&off).await[0]["id"].as_str().expect("an id").to_owned();
    delete(&shop, &gone).await;
    let changed = shop.update_webhook(json!({ "id": off, "enabled": false })).await;
    assert_eq!(changed["webhook"]["status"], "DISABLED");
    assert_eq!(changed["webhook"]["disabledReason"], "Switched off by development.");
    assert_eq!(codes(&shop.repeat_delivery(&waiting).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.repeat_delivery(&lost).await), ["NOT_FOUND"]);
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let found = shop.data(nodes, json!({ "ids": [gone, lost, waiting] })).await;
    assert_eq!(found["nodes"], json!([null, null, { "id": waiting }]));

    // What happens while it is off is not recorded; what waited goes out when it is on again.
    receiver.answers(|_| Answer::Status(200));
    shop.pay(&shop.order(&[(&mug, 1)]).await).await;
    let changed = shop.update_webhook(json!({ "id": off, "enabled": true })).await;
    assert_eq!((&changed["webhook"]["status"], &changed["webhook"]["failingSince"]), (&json!("ENABLED"), &json!(null)));
    receiver.accepts(1).await;
    shop.pay(&shop.order(&[(&mug, 1)]).await).await;
    let accepted = receiver.accepts(2).await;
    assert_eq!(accepted[0].id(), waiting);
    assert_eq!(shop.deliveries(&off).await.len(), 2, "that of the time in between is not there");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_repeated_as_it_was() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID", "ORDER_SHIPPED"]).await;
    let mug = shop.product("MUG", 9).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay(&order).await;
    shop.ship(&order).await;
    eventually("both are delivered", async || {
        shop.deliveries(&hook).await.iter().filter(|delivery| delivery["status"] == "DELIVERED").count() == 2
    })
    .await;
    let first = receiver.received()[0].clone();
    let repeated = shop.repeat_delivery(first.id()).await;
    assert_eq!(repeated["delivery"], json!({ "id": first.id(), "status": "PENDING", "attempts": 1 }));
    let received = receiver.receives(3).await;
    assert_eq!((received[2].id(), &received[2].text), (first.id(), &first.text));
    eventually("it is recorded", async || {
        shop.deliveries(&hook).await[1]["attempts"] == 2 && shop.deliveries(&hook).await[1]["status"] == "DELIVERED"
    })
    .await;
    assert_eq!(receiver.received().len(), 3, "only that one was sent again");
    shop.close().await;
}

#[tokio::test]
async fn deliveries_are_pages_newest_first_and_are_kept_for_thirty_days() {
    let shop = Shop::open().await;
    let (hook, _) = shop.webhook("https://shop.example/", &["ORDER_CANCELLED"]).await;
    let mug = shop.product("MUG", 9).await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        let order = shop.order(&[(&mug, 1)]).await;
        shop.cancel(&order).await;
        orders.push(order);
    }
    let query = "query($id: ID!, $after: String) { node(id: $id) { ... on Webhook { deliveries(first: 2, after: $after) \
        { nodes { id body } pageInfo { hasNextPage endCursor } } } } }";
    let (mut seen, mut ids, mut after) = (Vec::new(), BTreeSet::new(), json!(null));
    loop {
        let page = shop.data(query, json!({ "id": hook, "after": after })).await["node"]["deliveries"].take();
        for node in page["nodes"].as_array().expect("nodes") {
            let body: Value = serde_json::from_str(node["body"].as_str().expect("a body")).expect("JSON");
            seen.push(body["data"]["order"]["id"].as_str().expect("an id").to_owned());
            ids.insert(node["id"].to_string());
        }
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    orders.reverse();
    assert_eq!((seen, ids.len()), (orders, 5));

    let count = async || webhook_delivery::Entity::find().count(shop.database()).await.expect("a count");
    let round = async || {
        let lifetimes = Lifetimes::with_carts(Duration::from_hours(90 * 24));
        retention::round((&shop.app.writer, &shop.app.store), &shop.app.clock, &lifetimes, &CancellationToken::new())
            .await
            .expect("a round");
    };
    assert_eq!(DELIVERY_LIFETIME, Duration::from_hours(30 * 24));
    shop.advance(Duration::from_mins(30 * 24 * 60 - 10));
    round().await;
    assert_eq!(count().await, 5);
    shop.advance(Duration::from_mins(11));
    round().await;
    assert_eq!(count().await, 0);
    shop.close().await;
}
