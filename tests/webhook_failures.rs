//! Receivers that fail, and processes that end at the wrong moment: what was not accepted is sent again, and a webhook that
//! accepts nothing is switched off for everybody to see.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use onhand::config::WebhookSettings;
use onhand::faults::{self, Point};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Answer, Client, Place, Process, Received, Receiver, Shop, Wanted, eventually, is_postgres, paid, webhook_settings,
};

const DAY: Duration = Duration::from_hours(24);

async fn sold(shop: &Shop, product: &str) -> String {
    let order = shop.order(&[(product, 1)]).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_accepts_nothing_for_three_days_is_switched_off_until_it_is_enabled() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    receiver.answers(|_| Answer::Status(500));
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    sold(&shop, &mug).await;
    receiver.receives(1).await;
    eventually("it is failing", async || shop.read_webhook(&hook).await["status"] == "FAILING").await;
    let delivery = &shop.deliveries(&hook).await[0];
    assert_eq!((&delivery["status"], &delivery["responseStatus"]), (&json!("PENDING"), &json!(500)));
    assert_eq!(delivery["error"], "The answer was 500.");
    assert!(delivery["nextAttemptAt"].as_str() > delivery["lastAttemptAt"].as_str(), "{delivery}");

    let before = receiver.received().len();
    shop.advance(2 * DAY);
    // An attempt that began before may fail, and begin a pause, only now: so the clock goes on.
    eventually("it is tried again", async || {
        shop.advance(Duration::from_secs(30));
        receiver.received().len() > before
    })
    .await;
    eventually("two days are not three", async || shop.read_webhook(&hook).await["status"] == "FAILING").await;
    shop.advance(DAY);
    eventually("it is switched off", async || {
        shop.advance(Duration::from_secs(30));
        shop.read_webhook(&hook).await["status"] == "DISABLED"
    })
    .await;
    let reason = shop.read_webhook(&hook).await["disabledReason"].to_string();
    assert!(reason.contains("Every attempt since") && reason.contains("The answer was 500."), "{reason}");
    let delivery = shop.deliveries(&hook).await[0].clone();
    assert_eq!(delivery["status"], "FAILED");
    let metrics = shop.client().get(format!("{}/metrics", shop.url)).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("onhand_webhooks_switched_off_total 1"), "{metrics}");

    receiver.answers(|_| Answer::Status(200));
    let enabled = shop.update_webhook(json!({ "id": hook, "enabled": true })).await;
    assert_eq!(enabled["webhook"]["disabledReason"], json!(null));
    shop.repeat_delivery(delivery["id"].as_str().expect("an id")).await;
    sold(&shop, &mug).await;
    let accepted = receiver.accepts(2).await;
    // They are of different orders, so either may come first.
    let again = accepted.iter().filter(|one| json!(one.id()) == delivery["id"]);
    assert_eq!(again.count(), 1, "{delivery}");
    eventually("nothing fails", async || shop.read_webhook(&hook).await["status"] == "ENABLED").await;
    shop.close().await;
}

/// A receiver that is down gets one request at a time, and what waits goes out soon after it is up.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_receiver_that_was_down_goes_out_when_it_is_up() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    receiver.answers(|_| Answer::Status(502));
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 99).await;
    join_all((0..12).map(|_| sold(&shop, &mug))).await;
    receiver.receives(5).await;
    // Hours later its pauses are an hour long.
    shop.advance(Duration::from_hours(5));
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<domain::Time>().ok());
    let is_late = |it: &Value| {
        moment(&it["lastAttemptAt"])
            .zip(moment(&it["createdAt"]))
            .is_some_and(|(at, made)| at - made > TimeDelta::hours(4))
    };
    eventually("one more attempt failed", async || shop.deliveries(&hook).await.iter().any(is_late)).await;
    assert_eq!(shop.read_webhook(&hook).await["status"], "FAILING");
    receiver.answers(|_| Answer::Status(200));
    // An attempt that began before may still fail, and begin a pause of an hour only then.
    eventually("everything goes out", async || {
        shop.advance(Duration::from_secs(30));
        receiver.accepted().len() >= 12
    })
    .await;
    let accepted = receiver.accepted();
    let mut ids: Vec<&str> = accepted.iter().map(Received::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_a_failure() {
    let settings = WebhookSettings { webhook_timeout: Duration::from_millis(300), ..webhook_settings() };
    let shop = Shop::open_as(Wanted { webhooks: Some(settings), ..Wanted::default() }).await;
    let receiver = Receiver::open().await;
    receiver.answers(|_| Answer::Never);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    sold(&shop, &mug).await;
    let error = async || shop.deliveries(&hook).await[0]["error"].as_str().unwrap_or_default().to_owned();
    eventually("it failed", async || error().await == "There was no answer within 300 ms.").await;
    let closed = "http://127.0.0.1:9/";
    shop.update_webhook(json!({ "id": hook, "url": closed })).await;
    eventually("nobody listens", async || error().await.starts_with("The request failed: ")).await;
    assert!(!error().await.contains(closed), "{}", error().await);
    shop.close().await;
}

/// The process ends after the receiver has accepted and before that is recorded: it is sent again, as it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_but_not_recorded_is_sent_again() {
    let (shop, receiver) = (Shop::open().await, Receiver::open().await);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    sold(&shop, &mug).await;
    let mut held = faults::hold(Point::WebhookSent, None);
    let first = tokio::spawn(onhand::webhooks::send(shop.app.webhooks.clone(), CancellationToken::new()));
    held.reached().await;
    // As if it were killed: it gives nothing back.
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(shop.deliveries(&hook).await[0]["status"], "PENDING");

    let stop = CancellationToken::new();
    let second = tokio::spawn(onhand::webhooks::send(shop.app.webhooks.clone(), stop.clone()));
    // The lease of the first ends by itself.
    shop.advance(Duration::from_mins(10));
    let received = receiver.receives(2).await;
    assert_eq!((received[0].id(), &received[0].text), (received[1].id(), &received[1].text));
    eventually("it is recorded", async || shop.deliveries(&hook).await[0]["status"] == "DELIVERED").await;
    stop.cancel();
    second.await.expect("no panic");
    assert_eq!(receiver.received().len(), 2);
    shop.close().await;
}

/// Another process waits for the lease of one that is alive, and goes on at once after one that has stopped.
#[tokio::test(flavor = "multi_thread")]
async fn one_process_sends_at_a_time() {
    let (shop, receiver) = (Shop::open().await, Receiver::open().await);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    let order = sold(&shop, &mug).await;
    let key = order.parse::<domain::id::OrderId>().expect("an id").0;
    let mut held = faults::hold(Point::WebhookSending, Some(key));
    let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
    let first = tokio::spawn(onhand::webhooks::send(shop.app.webhooks.clone(), stop_first.clone()));
    held.reached().await;
    let second = tokio::spawn(onhand::webhooks::send(shop.app.webhooks.clone(), stop_second.clone()));
    let other = sold(&shop, &mug).await;
    // The second looks again and again; it would be here if it did not respect the lease.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.received().len(), 0);
    stop_first.cancel();
    first.await.expect("no panic");
    let accepted = receiver.accepts(2).await;
    let mut orders: Vec<_> = accepted.iter().map(|it| it.body["data"]["order"]["id"].clone()).collect();
    let mut expected = vec![json!(order), json!(other)];
    orders.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(orders, expected);
    eventually("it is recorded", async || {
        shop.deliveries(&hook).await.iter().all(|delivery| delivery["status"] == "DELIVERED")
    })
    .await;
    stop_second.cancel();
    second.await.expect("no panic");
    shop.close().await;
}

/// While nothing can be recorded nothing is sent, and then what was not recorded is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_nothing_can_be_recorded() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let mut held = faults::hold(Point::WebhookSent, None);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    sold(&shop, &mug).await;
    held.reached().await;
    let refuse = if is_postgres() {
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON webhook EXECUTE FUNCTION refuse(); \
         CREATE TRIGGER refuse_delivery BEFORE UPDATE ON webhook_delivery EXECUTE FUNCTION refuse()"
    } else {
        "CREATE TRIGGER refuse BEFORE UPDATE ON webhook BEGIN SELECT RAISE(ABORT, 'no'); END; \
         CREATE TRIGGER refuse_delivery BEFORE INSERT ON webhook_delivery BEGIN SELECT RAISE(ABORT, 'no'); END"
    };
    shop.database().execute_unprepared(refuse).await.expect("triggers");
    held.release();
    // It would be sent again every 50 ms.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.received().len(), 1);
    let (one, other) = if is_postgres() { (" ON webhook", " ON webhook_delivery") } else { ("", "") };
    let allow = format!("DROP TRIGGER refuse{one}; DROP TRIGGER refuse_delivery{other}");
    shop.database().execute_unprepared(&allow).await.expect("no triggers");
    eventually("it is recorded", async || shop.deliveries(&hook).await[0]["status"] == "DELIVERED").await;
    let received = receiver.received();
    assert!(received.len() >= 2 && received.iter().all(|it| it.id() == received[0].id()));
    shop.close().await;
}

/// The server itself, killed between the answer and its record: the next one sends it again, and then not any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_before_it_records_is_followed_by_one_that_sends_again() {
    let (place, receiver) = (Place::new().await, Receiver::open().await);
    let settings = ["--webhook-private-networks", "true", "--webhook-timeout", "300ms", "--webhook-retry", "50ms"];
    let client = |server: &Process| {
        let (url, http) = server.another();
        Client { url, authorization: None, http }
    };
    let doomed = Process::start_broken(&place, "abort=webhook.sent:1", &settings).await;
    let shop = client(&doomed);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    let order = shop.order(&[(&mug, 1)]).await;
    // Its answer may be lost with the server.
    let pay = "mutation($id: ID!) { payOrder(input: { orderId: $id }) { order { payment } } }";
    let _ = doomed.ask(pay, json!({ "id": order })).await;
    let ended = doomed.ended().await;
    assert!(!ended.success(), "{ended:?}");
    assert_eq!(receiver.received().len(), 1);

    let next = Process::start_with(&place, &settings).await;
    let received = receiver.receives(2).await;
    assert_eq!((received[0].id(), &received[0].text), (received[1].id(), &received[1].text));
    let shop = client(&next);
    eventually("it is recorded", async || shop.deliveries(&hook).await[0]["status"] == "DELIVERED").await;
    // What the file had was known from the start.
    let other = shop.order(&[(&mug, 1)]).await;
    assert_eq!(shop.pay(&other).await, paid("SUCCEEDED", "PAID", &[]));
    let received = receiver.receives(3).await;
    assert_eq!(received[2].body["data"]["order"]["id"], json!(other));
    assert!(next.stop("TERM").await.success());
}
