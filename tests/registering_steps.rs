//! A change that is committed at any step between the message that subscribes and the first result on the wire reaches its
//! subscriber, once and in order, whichever replica made it; and nobody else waits while one subscriber is held up.

use domain::id::{OrderId, ProductId};
use onhand::faults::{Point, hold};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{PATIENCE, Shop, Socket, Wanted, codes, is_postgres, paid};

/// What is subscribed to. Each thing is told as 1 when it is made, as 2 after its first change, as 3 after its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    /// What many follow, whose results are shared.
    Stock,
    /// Stock with something of the product: such results are each subscriber's own.
    OwnStock,
    /// Only whether it can be bought: such results are each subscriber's own.
    Availability,
    Order,
    Log,
}

impl Followed {
    /// The steps in their order, and whether the present state is read by then.
    fn steps(self) -> Vec<(Point, bool)> {
        let (registered, read) = match self {
            Self::Stock | Self::OwnStock | Self::Availability => (Point::StockRegistered, Point::StockRead),
            Self::Order => (Point::OrderRegistered, Point::OrderRead),
            Self::Log => (Point::LogRegistered, Point::LogRead),
        };
        // A shared result is executed when it is read, by whoever is first.
        let is_shared = self == Self::Stock;
        let own = [Point::SubscriptionBegun, Point::SubscriptionResolving].map(|point| (point, false));
        let shared = [(Point::SubscriptionResolving, true)];
        let mut steps = vec![(Point::SocketReceived, false), (Point::SocketPrepared, false)];
        steps.extend(own.into_iter().filter(|_| !is_shared));
        steps.extend([(registered, false), (read, true), (Point::SubscriptionYielding, true)]);
        steps.extend(shared.into_iter().filter(|_| is_shared));
        let last = [Point::SubscriptionAnswered, Point::SocketTaken, Point::SocketEncoded];
        steps.extend(last.map(|point| (point, true)));
        steps
    }

    const fn document(self) -> &'static str {
        match self {
            Self::Stock => "subscription($id: ID!) { stockChanged(productIds: [$id]) { version } }",
            Self::OwnStock => "subscription($id: ID!) { stockChanged(productIds: [$id]) { version product { sku } } }",
            Self::Availability => {
                "subscription($id: ID!) { availabilityChanged(productIds: [$id]) { from to version } }"
            }
            Self::Order => "subscription($id: ID!) { orderChanged(id: $id) { payment shipping } }",
            Self::Log => {
                "subscription($id: ID!, $after: String) { stockTransactionAdded(filter: { productIds: [$id] }, after: $after) \
                 { node { sequence } } }"
            }
        }
    }

    /// Whether all rows come that there are, and not only the newest state.
    const fn is_complete(self) -> bool {
        matches!(self, Self::Log)
    }

    /// Makes a thing; its id, and the key of the points that it reaches.
    async fn make(self, shop: &Shop, name: &str) -> (String, Uuid) {
        let product = shop.product(name, 1).await;
        if self == Self::Order {
            let order = shop.order_of(&product).await;
            let key = order.parse::<OrderId>().expect("an id").0;
            return (order, key);
        }
        let key = product.parse::<ProductId>().expect("an id").0;
        (product, key)
    }

    async fn change(self, by: &Shop, id: &str, to: i64) {
        match (self, to) {
            (Self::Order, 2) => assert_eq!(by.pay(id).await, paid("SUCCEEDED", "PAID", &[])),
            (Self::Order, _) => assert!(codes(&by.ship(id).await).is_empty()),
            (Self::Availability, _) => {
                // Of its only unit; then it is there again.
                let action = if to == 2 { "DECREMENT" } else { "INCREMENT" };
                assert!(codes(&by.adjust(id, action, 1).await).is_empty());
            }
            (Self::Stock | Self::OwnStock | Self::Log, _) => {
                assert!(codes(&by.adjust(id, "INCREMENT", 1).await).is_empty());
            }
        }
    }

    async fn subscribe(self, socket: &mut Socket, id: &str, after: &Value) {
        let variables = if self == Self::Log { json!({ "id": id, "after": after }) } else { json!({ "id": id }) };
        socket.subscribe("it", self.document(), variables).await;
    }

    /// The next that is told.
    async fn next(self, socket: &mut Socket) -> i64 {
        let told = socket.data("it").await;
        let number = match self {
            Self::Stock | Self::OwnStock => told["stockChanged"]["version"].as_i64(),
            Self::Availability => {
                let change = &told["availabilityChanged"];
                assert_ne!(change["from"], change["to"], "{change}");
                change["version"].as_i64()
            }
            Self::Log => told["stockTransactionAdded"]["node"]["sequence"].as_i64(),
            Self::Order => {
                let order = &told["orderChanged"];
                Some(1 + i64::from(order["payment"] == "PAID") + i64::from(order["shipping"] == "FULFILLED"))
            }
        };
        number.unwrap_or_else(|| panic!("{told}"))
    }
}

/// Whether a point is reached under the key of what is followed.
const fn is_keyed(point: Point) -> bool {
    use Point::{LogRead, LogRegistered, OrderRead, OrderRegistered, StockRead, StockRegistered, SubscriptionYielding};
    matches!(
        point,
        StockRegistered | StockRead | OrderRegistered | OrderRead | LogRegistered | LogRead | SubscriptionYielding
    )
}

/// A place in the log before everything that is made later.
async fn log_cursor(shop: &Shop) -> Value {
    let product = shop.product("FIRST", 1).await;
    let mut socket = Socket::open(shop).await;
    socket.follow_log("log", "subscription { stockTransactionAdded { cursor } }", json!({})).await;
    shop.adjust(&product, "INCREMENT", 1).await;
    socket.data("log").await["stockTransactionAdded"]["cursor"].take()
}

/// Holds one subscriber up at each step, has somebody change what it follows, and lets it go on.
async fn at_each_step(followed: Followed) {
    let shop = Shop::open().await;
    let other = if is_postgres() { Some(shop.replica(Wanted::default()).await) } else { None };
    let start = log_cursor(&shop).await;
    for (who, by) in [Some(&shop), other.as_ref()].into_iter().flatten().enumerate() {
        for (point, is_read) in followed.steps() {
            let step = format!("{followed:?} {} {who}", point.name());
            let (id, key) = followed.make(&shop, &step.replace([' ', '.'], "-")).await;
            let (mut first, mut second) = (Socket::open(&shop).await, Socket::open(&shop).await);
            // Streams of earlier rounds may not have ended yet; those follow other things.
            let mut held = hold(point, is_keyed(point).then_some(key));
            followed.subscribe(&mut first, &id, &start).await;
            timeout(PATIENCE, held.reached()).await.unwrap_or_else(|_| panic!("it comes there: {step}"));

            followed.subscribe(&mut second, &id, &start).await;
            assert_eq!(followed.next(&mut second).await, 1, "who subscribes meanwhile waits for nobody: {step}");
            followed.change(by, &id, 2).await;
            assert_eq!(followed.next(&mut second).await, 2, "and is told of changes: {step}");

            held.release();
            if is_read || followed.is_complete() {
                assert_eq!(followed.next(&mut first).await, 1, "as it was read: {step}");
            }
            assert_eq!(followed.next(&mut first).await, 2, "and what came meanwhile: {step}");
            followed.change(by, &id, 3).await;
            for socket in [&mut first, &mut second] {
                assert_eq!(followed.next(socket).await, 3, "nothing comes twice: {step}");
            }
        }
    }
    shop.close().await;
    if let Some(other) = other {
        other.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_changes_at_any_step_of_subscribing_is_told() {
    at_each_step(Followed::Stock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_nobody_else_follows_in_this_way_is_told() {
    at_each_step(Followed::OwnStock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_that_changes_at_any_step_of_subscribing_is_told() {
    at_each_step(Followed::Availability).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_changes_at_any_step_of_subscribing_is_told() {
    at_each_step(Followed::Order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_log_that_are_added_at_any_step_of_subscribing_are_told() {
    at_each_step(Followed::Log).await;
}
