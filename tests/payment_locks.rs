//! What paying locks on PostgreSQL: only what moves stock waits for whoever holds the stock of a product. On SQLite there
//! is one writer, and nothing to lock.

use std::time::Duration;

use domain::actor::Actor;
use domain::commands::{ClaimPayment, DeferPayment, SettlePayment, Settled};
use domain::id::PaymentId;
use domain::payment::Outcome;
use onhand::config::PaymentTimeouts;
use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, Shop, eventually, is_postgres, paid, patient_times};

/// How long a command that waits for nobody may take: less than the writer waits for a row.
const PROMPT: Duration = Duration::from_secs(2);

/// How long the decline is watched as it waits: less than a command waits for its turn.
const WATCHED: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn only_a_result_that_releases_units_waits_for_the_stock() {
    if !is_postgres() {
        return;
    }
    let lease = Duration::from_hours(1);
    let shop = Shop::open_with(PaymentTimeouts { pay_lease: lease, ..patient_times() }).await;
    let bag = shop.product("BAG", 5).await;
    let (charged, open) = (shop.order_of(&bag).await, shop.order_of(&bag).await);
    // It ends at the gateway, but the answer leaves it open; nobody recovers it while the lease lasts.
    let input = json!({ "orderId": open, "gateway": "sandbox", "token": "error:declined" });
    let payment: PaymentId =
        shop.pay_with(input).await["payment"]["id"].as_str().expect("an id").parse().expect("an id");
    let over = "UPDATE payment SET leased_until = created_at";
    shop.database().execute_unprepared(over).await.expect("a row");

    let paying = shop.pay_sandbox(&charged, "delay:2000");
    let meanwhile = async {
        eventually("it has begun", async || shop.read_order(&charged).await["payment"] == "IN_PROGRESS").await;
        let stranger = Database::connect(&shop.place().url).await.expect("a connection");
        #[expect(clippy::disallowed_methods, reason = "somebody else holds the stock")]
        let transaction = stranger.begin().await.expect("a transaction");
        let hold = "SELECT 1 FROM stock JOIN product ON product.id = stock.product_id WHERE sku = 'BAG' FOR UPDATE";
        transaction.execute_unprepared(hold).await.expect("the locks");
        assert_eq!(shop.read_order(&charged).await["payment"], "IN_PROGRESS", "the stock is held before it is settled");
        transaction
    };
    let mut transaction = None;
    let held = async { transaction = Some(meanwhile.await) };
    let (answer, ()) = tokio::join!(paying, held);
    assert_eq!(answer, paid("SUCCEEDED", "PAID", &[]), "a charge is settled while the stock is held");

    let writer = &shop.app.writer;
    let claim = timeout(PROMPT, writer.submit(&Actor::System, ClaimPayment { payment, lease, longest: lease })).await;
    let claimed = claim.expect("it waits for nobody").expect("an answer").expect("its lease was over");
    let until = claimed.recovery.leased_until + lease;
    let defer = DeferPayment { payment, lease: claimed.recovery.leased_until, until };
    let deferred = timeout(PROMPT, writer.submit(&Actor::System, defer)).await;
    deferred.expect("it waits for nobody").expect("an answer");

    let outcome = Outcome::Declined { reason: "The card was declined.".to_owned() };
    let decline = tokio::spawn({
        let writer = writer.clone();
        async move { writer.submit(&Actor::System, SettlePayment { payment, outcome }).await }
    });
    sleep(WATCHED).await;
    assert!(!decline.is_finished(), "a decline gives units back");
    assert_eq!(shop.read_order(&open).await["payment"], "IN_PROGRESS");
    assert_eq!(shop.stock(&bag).await, (5, 2, 3));
    transaction.expect("it was begun").rollback().await.expect("an end");
    let settled = timeout(PATIENCE, decline).await.expect("in time").expect("no panic").expect("an answer");
    assert!(matches!(settled, Settled::Now(_)), "{settled:?}");
    assert_eq!(shop.read_order(&open).await["payment"], "UNPAID");
    assert_eq!(shop.stock(&bag).await, (5, 1, 4));
    shop.close().await;
}
