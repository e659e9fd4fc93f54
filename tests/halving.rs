//! A batch that the database refuses is halved until the command that it refuses stands alone: that one is told so, and its
//! neighbours are executed, once each.

use domain::actor::Actor;
use domain::commands::{AdjustStock, StockChange};
use domain::stock::Action;
use domain::transaction::Reason;
use futures_util::future::join_all;
use futures_util::poll;
use onhand::database::error::Error;
use onhand::faults::{Point, hold};
use sea_orm::ConnectionTrait;
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, is_postgres};

/// How many commands one batch has.
const BATCH: usize = 8;

/// Has the database refuse whatever would change the stock of this SKU.
async fn refuse(shop: &Shop, sku: &str) {
    let is_refused = format!("NEW.product_id = (SELECT id FROM product WHERE sku = '{sku}')");
    let trigger = if is_postgres() {
        format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {is_refused} THEN RAISE EXCEPTION 'no'; \
             END IF; RETURN NEW; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    } else {
        format!("CREATE TRIGGER refuse BEFORE UPDATE ON stock WHEN {is_refused} BEGIN SELECT RAISE(ABORT, 'no'); END")
    };
    shop.database().execute_unprepared(&trigger).await.expect("a trigger");
}

async fn receive(shop: &Shop, product: &str) -> Result<(), Error> {
    let product = product.parse().expect("an id");
    let change = StockChange { product, action: Action::Increment, quantity: 1, expected_version: None };
    let command = AdjustStock::check(vec![change], Reason::Correction, None, None, false).expect("a sound change");
    shop.app.writer.submit(&Actor::System, command).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_database_refuses_fails_alone() {
    let shop = Shop::open().await;
    let (bad, first) = (shop.product("BAD", 1).await, shop.product("FIRST", 1).await);
    let mut good = Vec::new();
    for number in 1..BATCH {
        good.push(shop.product(&format!("GOOD-{number}"), 1).await);
    }
    refuse(&shop, "BAD").await;
    for (round, place) in (1..).zip([0, BATCH / 2, BATCH - 1]) {
        let mut products = good.clone();
        products.insert(place, bad.clone());
        // What queues while the writer is at work is one batch.
        let mut at_work = hold(Point::WriterBegun, None);
        let mut one = Box::pin(receive(&shop, &first));
        assert!(poll!(&mut one).is_pending());
        timeout(PATIENCE, at_work.reached()).await.expect("it is at work");
        let mut all = Box::pin(join_all(products.iter().map(|product| receive(&shop, product))));
        assert!(poll!(&mut all).is_pending(), "they are queued");
        at_work.release();
        one.await.expect("an answer");
        let ends = timeout(PATIENCE, all).await.expect("everybody is answered");
        for (at, end) in ends.into_iter().enumerate() {
            if at == place {
                assert!(matches!(end, Err(Error::Failure(_))), "it was refused: {end:?}");
            } else {
                end.unwrap_or_else(|error| panic!("command {at} beside the bad one at {place}: {error}"));
            }
        }
        for product in good.iter().chain([&first]) {
            assert_eq!(shop.stock(product).await.0, 1 + round, "once each");
        }
        assert_eq!(shop.stock(&bad).await, (1, 0, 1));
    }
    shop.close().await;
}
