//! What `verify` finds: each difference that it knows of, made on purpose and mended again. Nearly every test ends with
//! it, so one that overlooks something would weaken them all.

use domain::actor::Actor;
use domain::commands::{CartChange, CheckOut, CreateCart};
use domain::id::{CartId, OrderId, OrderItemId, ProductId, ShipmentId};
use futures_util::future::join_all;
use onhand::cli::verify::{MAX_REPORTED, Report, verify};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Shop, codes, is_postgres, paid};

/// More than are compared at once, of stock records and of orders.
const MANY: usize = 501;

/// More rows of the log than are read at once.
const MANY_ROWS: usize = 10_001;

/// Names something that is not there.
const NOBODY: Uuid = Uuid::from_u128(7);

/// A connection that nothing in the database keeps from writing nonsense.
async fn vandal(shop: &Shop) -> DatabaseConnection {
    let mut options = ConnectOptions::new(shop.place().url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    let ways: &[&str] = if is_postgres() {
        &[
            "SET session_replication_role = replica",
            "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conname, conrelid::regclass::text AS name FROM pg_constraint \
             WHERE contype = 'c' AND conrelid <> 0 AND connamespace = current_schema()::regnamespace \
             LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.name, c.conname); END LOOP; END $$",
        ]
    } else {
        &[
            "PRAGMA foreign_keys = OFF",
            "PRAGMA ignore_check_constraints = ON",
            "DROP TRIGGER stock_transaction_no_update",
            "DROP TRIGGER stock_transaction_no_delete",
        ]
    };
    for way in ways {
        db.execute_unprepared(way).await.expect(way);
    }
    db
}

/// An id as SQL has it.
fn sql(id: Uuid) -> String {
    if is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
}

fn product_id(id: &str) -> Uuid {
    id.parse::<ProductId>().expect("an id of a product").0
}

fn order_id(id: &str) -> Uuid {
    id.parse::<OrderId>().expect("an id of an order").0
}

/// What differs. A SQLite file also tells of constraints that do not hold, which other tests look at.
async fn report(shop: &Shop) -> Report {
    let mut report = verify(shop.database(), false).await.expect("a report");
    report.differences.retain(|difference| !difference.starts_with("the file: CHECK constraint failed"));
    report
}

/// A shop in which everything has happened that `verify` compares.
struct Story {
    shop: Shop,
    vandal: DatabaseConnection,
    /// 10 units: one reserved by hand, two held by `paid`.
    bag: String,
    /// 11 units, one reserved by hand; no order has any.
    cap: String,
    /// 2 units left of 5, after `shipped`.
    cup: String,
    /// Not managed.
    gift: String,
    paid: String,
    shipped: String,
    declined: String,
    unpaid: String,
}

async fn story() -> Story {
    let shop = Shop::open().await;
    let (bag, cap, cup) = (shop.product("BAG", 10).await, shop.product("CAP", 10).await, shop.product("CUP", 5).await);
    let price = json!({ "amount": 100, "currency": "EUR" });
    let gift = json!({ "sku": "GIFT", "name": "Gift", "price": price, "manageStock": false });
    let gift = shop.create_product(gift).await["product"]["id"].as_str().expect("an id").to_owned();
    for (product, action) in [(&bag, "ALLOCATE"), (&cap, "ALLOCATE"), (&cap, "INCREMENT")] {
        assert!(codes(&shop.adjust(product, action, 1).await).is_empty());
    }
    let (order, shipped) = (shop.order(&[(&bag, 2)]).await, shop.order(&[(&cup, 3)]).await);
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.pay(&shipped).await, paid("SUCCEEDED", "PAID", &[]));
    assert!(codes(&shop.ship(&shipped).await).is_empty());
    let declined = shop.order(&[(&bag, 1)]).await;
    assert_eq!(shop.pay_sandbox(&declined, "decline").await.order, "UNPAID");
    let unpaid = shop.order(&[(&bag, 1)]).await;
    let vandal = vandal(&shop).await;
    Story { shop, vandal, bag, cap, cup, gift, paid: order, shipped, declined, unpaid }
}

impl Story {
    /// Breaks something, sees that exactly these differences are told, and mends it.
    async fn tells(&self, broken: &str, mended: &str, differences: &[String]) {
        self.vandal.execute_unprepared(broken).await.expect(broken);
        let report = report(&self.shop).await;
        assert_eq!((report.differences.as_slice(), report.unreported), (differences, 0), "{broken}");
        self.vandal.execute_unprepared(mended).await.expect(mended);
    }

    async fn item(&self, order: &str) -> String {
        self.shop.read_order(order).await["items"][0]["id"].as_str().expect("an id").to_owned()
    }
}

/// A statement that changes a row of the log.
fn row(set: &str, product: &str, n: u8) -> String {
    let product = sql(product_id(product));
    format!("UPDATE stock_transaction SET {set} WHERE product_id = {product} AND sequence = {n};")
}

/// A statement that changes a stock record.
fn stock(set: &str, product: &str) -> String {
    format!("UPDATE stock SET {set} WHERE product_id = {};", sql(product_id(product)))
}

/// A statement that changes an order, or by another name of its id what belongs to one.
fn of_order(table: &str, id: &str, set: &str, order: &str) -> String {
    format!("UPDATE {table} SET {set} WHERE {id} = {};", sql(order_id(order)))
}

fn order(set: &str, order: &str) -> String {
    of_order("\"order\"", "id", set, order)
}

fn items(set: &str, order: &str) -> String {
    of_order("order_item", "order_id", set, order)
}

fn payment(set: &str, order: &str) -> String {
    of_order("payment", "order_id", set, order)
}

/// The numbers that a row of the log says there are after it.
fn after(total: i32, allocated: i32) -> String {
    format!("total_after = {total}, allocated_after = {allocated}, available_after = {}", total - allocated)
}

#[tokio::test]
async fn each_difference_of_the_log_is_told() {
    let story = story().await;
    let Story { bag, cap, .. } = &story;
    for (broken, mended, differences) in [
        (
            row("sequence = 9", bag, 5) + &stock("sequence = 9", bag),
            row("sequence = 5", bag, 9) + &stock("sequence = 5", bag),
            vec![format!("{bag}: row 4 of the log is followed by row 9")],
        ),
        (row("action = 'create'", bag, 2), row("action = 'allocate'", bag, 2), vec![format!("{bag}: row 2 is create")]),
        (
            row("action = 'increment'", bag, 1),
            row("action = 'create'", bag, 1),
            vec![format!("{bag}: row 1 is increment")],
        ),
        (
            row(&after(11, 3), bag, 3),
            row(&after(10, 3), bag, 3),
            vec![format!(
                "{bag}: row 3 says 11 in total, 3 allocated, but the log adds up to 10 in total, 3 allocated"
            )],
        ),
        (
            row(&format!("total_delta = 0, {}", after(0, 0)), cap, 1)
                + &row(&after(0, 1), cap, 2)
                + &row("total_delta = 11", cap, 3),
            row(&format!("total_delta = 10, {}", after(10, 0)), cap, 1)
                + &row(&after(10, 1), cap, 2)
                + &row("total_delta = 1", cap, 3),
            vec![format!("{cap}: after row 2 there are 0 in total, 1 allocated")],
        ),
    ] {
        story.tells(&broken, &mended, &differences).await;
    }
    story.shop.close().await;
}

#[tokio::test]
async fn each_difference_of_the_stock_is_told() {
    let story = story().await;
    let Story { bag, gift, paid, .. } = &story;
    let item = story.item(paid).await;
    for (broken, mended, differences) in [
        (
            stock("total = 11", bag),
            stock("total = 10", bag),
            vec![format!(
                "{bag}: the stock says 11 in total, 3 allocated, the log adds up to 10 in total, 3 allocated"
            )],
        ),
        (
            stock("sequence = 6", bag),
            stock("sequence = 5", bag),
            vec![format!("{bag}: the stock counts 6 rows, the log has 5")],
        ),
        (
            stock(if is_postgres() { "managed = true" } else { "managed = 1" }, gift),
            stock(if is_postgres() { "managed = false" } else { "managed = 0" }, gift),
            vec![format!("{gift}: stock is managed, but the log has no first row")],
        ),
        (
            stock("by_hand = 0", bag),
            stock("by_hand = 1", bag),
            vec![format!("{bag}: 3 are allocated, but orders hold 2 and 0 are reserved by hand")],
        ),
        (
            stock("by_hand = 4", bag),
            stock("by_hand = 1", bag),
            vec![
                format!("{bag}: total 10, allocated 3, by hand 4"),
                format!("{bag}: 3 are allocated, but orders hold 2 and 4 are reserved by hand"),
            ],
        ),
        (
            items("allocated = 1", paid),
            items("allocated = 2", paid),
            vec![
                format!("{bag}: 3 are allocated, but orders hold 1 and 1 are reserved by hand"),
                format!("{paid}: {item} holds 1, the log says 2"),
            ],
        ),
    ] {
        story.tells(&broken, &mended, &differences).await;
    }
    story.shop.close().await;
}

#[tokio::test]
async fn each_difference_of_an_order_and_its_log_is_told() {
    let story = story().await;
    let Story { bag, cap, cup, paid, shipped, declined, unpaid, .. } = &story;
    let (item, shipped_item, declined_item) =
        (story.item(paid).await, story.item(shipped).await, story.item(declined).await);
    let cups = sql(product_id(cup));
    let again = format!(
        "INSERT INTO stock_transaction (id, product_id, sequence, action, quantity, total_delta, allocated_delta, \
         available_delta, total_after, allocated_after, available_after, reason, actor, order_id, operation_id, created_at) \
         SELECT {}, product_id, 4, 'allocate', 0, 0, 0, 0, total_after, allocated_after, available_after, reason, actor, \
         order_id, operation_id, created_at FROM stock_transaction WHERE product_id = {cups} AND sequence = 3; \
         UPDATE stock SET sequence = 4 WHERE product_id = {cups};",
        sql(NOBODY)
    );
    let once = format!(
        "DELETE FROM stock_transaction WHERE product_id = {cups} AND sequence = 4; \
         UPDATE stock SET sequence = 3 WHERE product_id = {cups};"
    );
    let named = |order: &str| format!("order_id = {}", sql(order_id(order)));
    for (broken, mended, differences) in [
        (again, once, vec![format!("{shipped}: allocated again after it was shipped")]),
        (
            row("order_id = NULL", bag, 4),
            row(&named(declined), bag, 4),
            vec![
                format!("{declined}: more of {bag} was released than it held"),
                format!("{declined}: {declined_item} holds 0, the log says -1"),
            ],
        ),
        (
            items("shipped = 2", shipped),
            items("shipped = 3", shipped),
            vec![format!("{shipped}: {shipped_item} shipped 2, the log says 3")],
        ),
        (
            items("quantity = 1", paid),
            items("quantity = 2", paid),
            vec![format!("{paid}: {item} has more units than were ordered")],
        ),
        (
            row(&named(unpaid), cap, 3),
            row("order_id = NULL", cap, 3),
            vec![format!("{unpaid}: the log moves {cap}, which it has no item of")],
        ),
    ] {
        story.tells(&broken, &mended, &differences).await;
    }
    story.shop.close().await;
}

#[tokio::test]
async fn each_difference_of_an_order_and_its_payments_is_told() {
    let story = story().await;
    let Story { paid, declined, .. } = &story;
    let holds = || vec![format!("{paid}: holds units, but it is unpaid, cancelled or shipped")];
    for (broken, mended, differences) in [
        (
            payment("status = 'declined'", paid),
            payment("status = 'succeeded'", paid),
            vec![format!("{paid}: is paid with 0 open and 0 succeeded payments")],
        ),
        (
            payment("status = 'in_progress'", declined),
            payment("status = 'declined'", declined),
            vec![format!("{declined}: is unpaid with 1 open and 0 succeeded payments")],
        ),
        (
            order("status = 'cancelled', cancel_reason = 'other'", paid),
            order("status = 'complete', cancel_reason = NULL", paid),
            holds(),
        ),
        (order("shipping = 'fulfilled'", paid), order("shipping = 'unfulfilled'", paid), holds()),
        (
            payment("status = 'declined'", paid) + &order("payment = 'unpaid', status = 'incomplete'", paid),
            payment("status = 'succeeded'", paid) + &order("payment = 'paid', status = 'complete'", paid),
            holds(),
        ),
    ] {
        story.tells(&broken, &mended, &differences).await;
    }
    story.shop.close().await;
}

/// A reference of each kind to something that is not there.
#[tokio::test]
async fn each_reference_to_nothing_is_told() {
    let story = story().await;
    let Story { shop, vandal, bag, gift, paid, shipped, unpaid, .. } = &story;
    let (bags, gifts, order) = (sql(product_id(bag)), sql(product_id(gift)), sql(order_id(paid)));
    let cart = shop.cart(&[(bag, 1)]).await.parse::<CartId>().expect("an id").0;
    let (sold, waits) = (sql(order_id(shipped)), sql(order_id(unpaid)));
    let (nobody, carts) = (sql(NOBODY), sql(cart));
    let no = (ProductId(NOBODY), OrderId(NOBODY), CartId(NOBODY), ShipmentId(NOBODY), OrderItemId(NOBODY));
    let missing = |what: String, rows: &str, count: u8| format!("{what}: missing; {rows} that name it: {count}");
    for (table, column, of, difference) in [
        ("stock", "product_id", format!("product_id = {gifts}"), missing(no.0.to_string(), "stock records", 1)),
        (
            "stock",
            "product_id",
            format!("product_id = {gifts}"),
            missing(format!("the stock record of {gift}"), "products", 1),
        ),
        (
            "stock_transaction",
            "product_id",
            format!("product_id = {bags}"),
            missing(no.0.to_string(), "rows of the log", 5),
        ),
        (
            "stock_transaction",
            "order_id",
            format!("order_id = {order}"),
            missing(no.1.to_string(), "rows of the log", 1),
        ),
        ("cart_item", "cart_id", format!("cart_id = {carts}"), missing(no.2.to_string(), "cart items", 1)),
        ("cart_item", "product_id", format!("cart_id = {carts}"), missing(no.0.to_string(), "cart items", 1)),
        ("\"order\"", "cart_id", format!("id = {waits}"), missing(no.2.to_string(), "orders", 1)),
        ("order_item", "order_id", format!("order_id = {waits}"), missing(no.1.to_string(), "order items", 1)),
        ("order_item", "product_id", format!("order_id = {waits}"), missing(no.0.to_string(), "order items", 1)),
        ("payment", "order_id", format!("order_id = {order}"), missing(no.1.to_string(), "payments", 1)),
        ("shipment", "order_id", format!("order_id = {sold}"), missing(no.1.to_string(), "shipments", 1)),
        ("shipment_item", "shipment_id", "quantity = 3".to_owned(), missing(no.3.to_string(), "shipped items", 1)),
        ("shipment_item", "order_item_id", "quantity = 3".to_owned(), missing(no.4.to_string(), "shipped items", 1)),
    ] {
        let keep = format!("CREATE TABLE kept AS SELECT {column} AS was FROM {table} WHERE {of} LIMIT 1");
        let broken = format!("UPDATE {table} SET {column} = {nobody} WHERE {of}");
        let mended = format!("UPDATE {table} SET {column} = (SELECT was FROM kept) WHERE {column} = {nobody}");
        for statement in [&keep, &broken] {
            vandal.execute_unprepared(statement).await.expect(statement);
        }
        let differences = report(shop).await.differences;
        assert!(differences.contains(&difference), "{broken}: {difference}: {differences:#?}");
        for statement in [mended.as_str(), "DROP TABLE kept"] {
            vandal.execute_unprepared(statement).await.expect(statement);
        }
    }
    story.shop.close().await;
}

/// Everything is compared, however much there is, and what is not told one by one is counted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_out_of_a_large_shop() {
    let shop = Shop::open().await;
    let log = shop.product("LOG", 0).await;
    shop.fill_log(MANY_ROWS).await;
    let counted = format!("UPDATE stock SET total = {MANY_ROWS}, sequence = {}", MANY_ROWS + 1);
    let vandal = vandal(&shop).await;
    vandal.execute_unprepared(&counted).await.expect("a row");
    let products = join_all((1..MANY).map(|n| {
        let shop = &shop;
        async move { shop.product(&format!("P{n}"), 1).await }
    }));
    let products = products.await;
    let writer = &shop.app.writer;
    let product: ProductId = products[0].parse().expect("an id");
    let orders = join_all((0..MANY).map(|_| async {
        let items = vec![CartChange { product, quantity: 1 }];
        let cart = writer.submit(&Actor::System, CreateCart { items }).await.expect("a cart");
        let check_out = CheckOut::check(cart.id, None).expect("a sound check-out");
        writer.submit(&Actor::System, check_out).await.expect("an order").order.id.0
    }));
    let orders = orders.await;
    let report_of_all = report(&shop).await;
    assert!(report_of_all.differences.is_empty(), "{:#?}", report_of_all.differences);
    let (rows, many) = ((MANY + MANY_ROWS) as u64, MANY as u64);
    let Report { products: stocks, transactions, orders: placed, .. } = report_of_all;
    assert_eq!((stocks, transactions, placed), (many, rows, many));

    let last_product = products.iter().map(|id| product_id(id)).max().expect("products");
    let last_order = *orders.iter().max().expect("orders");
    for (broken, mended) in [
        ("UPDATE stock SET total = 2 WHERE product_id", ("UPDATE stock SET total = 1 WHERE product_id", last_product)),
        (
            "UPDATE \"order\" SET payment = 'paid' WHERE id",
            ("UPDATE \"order\" SET payment = 'unpaid' WHERE id", last_order),
        ),
        (
            "UPDATE stock_transaction SET total_after = 1 WHERE sequence = 10002 AND product_id",
            (
                "UPDATE stock_transaction SET total_after = 10001 WHERE sequence = 10002 AND product_id",
                product_id(&log),
            ),
        ),
    ] {
        let (mended, id) = mended;
        vandal.execute_unprepared(&format!("{broken} = {}", sql(id))).await.expect(broken);
        let found = report(&shop).await;
        assert_eq!((found.differences.len(), found.unreported), (1, 0), "{broken}: {:#?}", found.differences);
        vandal.execute_unprepared(&format!("{mended} = {}", sql(id))).await.expect(mended);
    }
    vandal.execute_unprepared("UPDATE stock SET sequence = sequence + 1").await.expect("rows");
    let found = report(&shop).await;
    assert_eq!((found.differences.len(), found.unreported), (MAX_REPORTED, MANY - MAX_REPORTED));
    vandal.execute_unprepared("UPDATE stock SET sequence = sequence - 1").await.expect("rows");
    shop.close().await;
}

#[tokio::test]
async fn each_difference_of_refunds_is_told() {
    let story = story().await;
    let paid = &story.paid;
    let id = story.shop.read_order(paid).await["payments"][0]["id"].as_str().expect("an id").to_owned();
    for (broken, mended, difference) in [
        ("refunded = 5", "refunded = 0", format!("{id}: 5 of 2000 are refunded, its refunds add up to 0")),
        ("operations = 1", "operations = 0", format!("{id}: counts 1 operations, there are 0")),
    ] {
        story.tells(&payment(broken, paid), &payment(mended, paid), &[difference]).await;
    }
    let difference = format!("{paid}: is refunded, and 0 of 2000 were refunded");
    story.tells(&order("payment = 'refunded'", paid), &order("payment = 'paid'", paid), &[difference]).await;
    let differences = [
        format!("{paid}: is authorized with 0 open and 1 succeeded payments"),
        format!("{paid}: is complete and authorized"),
        format!("{paid}: is authorized, and 0 of 2000 were refunded"),
    ];
    story.tells(&order("payment = 'authorized'", paid), &order("payment = 'paid'", paid), &differences).await;
    let item = story.item(paid).await;
    let difference = format!("{paid}: of {item} 1 came back, the log says 0");
    story.tells(&items("returned = 1", paid), &items("returned = 0", paid), &[difference]).await;
    story.shop.close().await;
}
