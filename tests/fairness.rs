//! What one client floods the writer with neither fills its queue for others nor delays them.

use domain::actor::Actor;
use domain::client::ClientKey;
use domain::commands::{AdjustStock, StockChange};
use domain::id::ProductId;
use domain::stock::Action;
use domain::transaction::Reason;
use entity::stock_transaction;
use futures_util::future::join_all;
use futures_util::poll;
use onhand::database::error::Error;
use onhand::faults::{self, Point};
use onhand::writer::{MAX_BATCH, MAX_QUEUED, Submitter};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::support::Shop;

fn one_more(product: ProductId) -> AdjustStock {
    let change = StockChange { product, action: Action::Increment, quantity: 1, expected_version: None };
    AdjustStock::check(vec![change], Reason::Correction, None, None, false).expect("a sound change")
}

#[tokio::test]
async fn a_flood_of_one_client_neither_fills_the_queue_nor_delays_others() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await.parse().expect("an id");
    let writer = &shop.app.writer;
    // The writer stands still with its first batch, so that the queue fills.
    let mut standing = faults::hold(Point::WriterBegun, None);
    let mut waiting = Vec::new();
    let mut refused = 0;
    for _ in 0..MAX_QUEUED {
        let by = Submitter { actor: Actor::System, client: ClientKey::Customer("flood".into()) };
        let mut flood = Box::pin(writer.submit(by, one_more(mug)));
        match poll!(&mut flood) {
            std::task::Poll::Ready(Err(Error::Overloaded)) => refused += 1,
            std::task::Poll::Ready(other) => panic!("{other:?}"),
            std::task::Poll::Pending => waiting.push(flood),
        }
        standing.reached().await;
    }
    assert!(refused > 0, "one client does not fill the queue");
    let mut others = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let by = Submitter::from(&Actor::Staff(name.to_owned()));
        let mut other = Box::pin(writer.submit(by, one_more(mug)));
        assert!(poll!(&mut other).is_pending(), "there is room for others");
        others.push(other);
    }
    standing.release();
    let (waiting, others) = futures_util::join!(join_all(waiting), join_all(others));
    for answer in others {
        answer.expect("an answer");
    }
    assert!(waiting.iter().all(|answer| matches!(answer, Ok(_) | Err(Error::Unavailable))));
    let theirs =
        stock_transaction::Entity::find().filter(stock_transaction::Column::Actor.is_in(["ada", "bob", "eve"]));
    let theirs = theirs.all(shop.database()).await.expect("rows of the log");
    assert_eq!(theirs.len(), 3);
    // The first row made the product, and the batch that stood still took at most one command of each client.
    let most = i32::try_from(2 + MAX_BATCH).expect("a number");
    let behind = theirs.iter().find(|row| row.sequence > most);
    assert!(behind.is_none(), "it waited behind the flood: {behind:?}");
    shop.close().await;
}
