//! A database that the release before has filled is brought up to date, and nothing of it is lost or changes its meaning.

use domain::id::{OrderId, PaymentId};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Place, Shop, codes, is_postgres, paid};

/// How many changes of the schema release 0.1 had.
const CHANGES_BEFORE: u32 = 6;

/// Rows of release 0.1: an order of every kind, by its place in `ORDERS`, with its items, payments, shipments and log.
struct Before {
    db: DatabaseConnection,
    sequence: i32,
    numbers: (i32, i32),
}

/// Orders: status, payment and shipping, whether a unit is held, and the states of their payments.
const ORDERS: [(&str, &str, &str, &[&str]); 8] = [
    ("incomplete", "unpaid", "unfulfilled", &[]),
    ("incomplete", "in_progress", "unfulfilled", &["in_progress"]),
    ("incomplete", "in_progress", "unfulfilled", &["requires_action"]),
    ("incomplete", "unpaid", "unfulfilled", &["declined", "voided"]),
    ("complete", "paid", "unfulfilled", &["declined", "succeeded"]),
    ("complete", "paid", "fulfilled", &["succeeded"]),
    ("cancelled", "paid", "unfulfilled", &["succeeded"]),
    ("cancelled", "unpaid", "unfulfilled", &[]),
];

const PRODUCT: u128 = 1;
const TIME: &str = "'2026-11-01T10:00:00.000001+00:00'";
const FOR_EVER: &str = "'2026-11-01T10:00:00+00:00'";

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

/// An id as SQL has it.
fn id(number: u128) -> String {
    let id = uuid(number);
    if is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
}

fn order(at: usize) -> u128 {
    100 + at as u128
}

fn payment(at: usize, attempt: usize) -> u128 {
    1_000 + 10 * at as u128 + attempt as u128
}

impl Before {
    async fn fill(place: &Place) {
        let mut options =
            ConnectOptions::new(if is_postgres() { place.url.clone() } else { format!("{}?mode=rwc", place.url) });
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.expect("the database");
        Migrator::up(&db, Some(CHANGES_BEFORE)).await.expect("the schema of before");
        let mut before = Self { db, sequence: 0, numbers: (0, 0) };
        before.product().await;
        for (at, (status, paid, shipping, payments)) in ORDERS.iter().enumerate() {
            before.order(at, [status, paid, shipping], payments).await;
        }
        for (at, fate) in ["charged", "declined", "pending", "cancelled"].iter().enumerate() {
            let row = format!("{}, '{fate}', {TIME}, 1000, 1, {TIME}", id(payment(at, 9)));
            before.insert("sandbox_charge", "payment_id, fate, due_at, amount, requests, created_at", &row).await;
        }
        let managed = if is_postgres() { "true" } else { "1" };
        let (total, allocated) = before.numbers;
        let columns = "product_id, managed, low_stock_threshold, total, allocated, by_hand, sequence, version, updated_at, \
            shown_version, shown_at";
        let row = format!(
            "{}, {managed}, 0, {total}, {allocated}, 0, {}, 50, {TIME}, 50, {TIME}",
            id(PRODUCT),
            before.sequence
        );
        before.insert("stock", columns, &row).await;
        before.db.close().await.expect("an end");
    }

    async fn insert(&self, table: &str, columns: &str, row: &str) {
        let text = format!("INSERT INTO \"{table}\" ({columns}) VALUES ({row})");
        self.db.execute_unprepared(&text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    async fn product(&mut self) {
        let columns =
            "id, sku, sku_key, slug, name, name_key, price_amount, price_currency, status, created_at, updated_at";
        let row = format!("{}, 'MUG', 'mug', 'mug', 'Mug', 'mug', 1000, 'EUR', 'active', {TIME}, {TIME}", id(PRODUCT));
        self.insert("product", columns, &row).await;
        self.row("create", 20, "initial", None).await;
    }

    /// A row of the log.
    async fn row(&mut self, action: &str, quantity: i32, reason: &str, order: Option<u128>) {
        let (total, allocated) = match action {
            "create" => (quantity, 0),
            "allocate" => (0, quantity),
            "deallocate" => (0, -quantity),
            _ => (-quantity, -quantity),
        };
        self.numbers = (self.numbers.0 + total, self.numbers.1 + allocated);
        self.sequence += 1;
        let columns = "id, product_id, sequence, action, quantity, total_delta, allocated_delta, available_delta, total_after, \
            allocated_after, available_after, reason, actor, order_id, operation_id, created_at";
        let row = format!(
            "{}, {}, {}, '{action}', {quantity}, {total}, {allocated}, {}, {}, {}, {}, '{reason}', 'system', {}, {}, {TIME}",
            id(10_000 + u128::from(self.sequence.unsigned_abs())),
            id(PRODUCT),
            self.sequence,
            total - allocated,
            self.numbers.0,
            self.numbers.1,
            self.numbers.0 - self.numbers.1,
            order.map_or("NULL".to_owned(), id),
            id(20_000),
        );
        self.insert("stock_transaction", columns, &row).await;
    }

    async fn order(&mut self, at: usize, [status, paid, shipping]: [&str; 3], payments: &[&str]) {
        let (order, cart) = (order(at), 200 + at as u128);
        let row = format!("{}, 'checked_out', {TIME}, {TIME}", id(cart));
        self.insert("cart", "id, status, created_at, updated_at", &row).await;
        let columns = "id, number, status, payment, shipping, cart_id, total_amount, total_currency, cancel_reason, version, \
            placed_at, updated_at";
        let reason = if status == "cancelled" { "'other'" } else { "NULL" };
        let states = format!("'{status}', '{paid}', '{shipping}'");
        let row =
            format!("{}, 'ORDER{at}', {states}, {}, 2000, 'EUR', {reason}, 3, {TIME}, {TIME}", id(order), id(cart));
        self.insert("order", columns, &row).await;
        for state in payments {
            self.row("allocate", 2, "order_payment", Some(order)).await;
            if matches!(*state, "declined" | "voided") {
                self.row("deallocate", 2, "payment_failed", Some(order)).await;
            }
        }
        let is_shipped = shipping == "fulfilled";
        if is_shipped {
            self.row("ship", 2, "order_shipped", Some(order)).await;
        }
        if status == "cancelled" && paid == "paid" {
            self.row("deallocate", 2, "order_cancelled", Some(order)).await;
        }
        let (shipped, cancelled) = (if is_shipped { 2 } else { 0 }, if status == "cancelled" { 2 } else { 0 });
        let held = if paid == "unpaid" { 0 } else { 2 - shipped - cancelled };
        let columns = "id, order_id, line, product_id, sku, name, unit_amount, quantity, allocated, shipped, cancelled";
        let item = id(300 + at as u128);
        let row =
            format!("{item}, {}, 0, {}, 'MUG', 'Mug', 1000, 2, {held}, {shipped}, {cancelled}", id(order), id(PRODUCT));
        self.insert("order_item", columns, &row).await;
        for (attempt, state) in payments.iter().enumerate() {
            self.payment(payment(at, attempt), order, state).await;
        }
        if is_shipped {
            let shipment = id(400 + at as u128);
            let row = format!("{shipment}, {}, 'DHL', {TIME}", id(order));
            self.insert("shipment", "id, order_id, carrier, shipped_at", &row).await;
            let row = format!("{shipment}, {item}, 0, 2");
            self.insert("shipment_item", "shipment_id, order_item_id, line, quantity", &row).await;
        }
    }

    async fn payment(&self, payment: u128, order: u128, state: &str) {
        let action =
            if state == "requires_action" { format!("'REDIRECT', {FOR_EVER}") } else { "NULL, NULL".to_owned() };
        let columns = "id, order_id, gateway, method, status, amount, currency, action_kind, action_expires_at, leased_until, \
            look_at, looks, created_at, updated_at";
        let (id, order) = (id(payment), id(order));
        let row = format!(
            "{id}, {order}, 'gone', 'purchase', '{state}', 2000, 'EUR', {action}, {FOR_EVER}, {FOR_EVER}, 0, {TIME}, {TIME}"
        );
        self.insert("payment", columns, &row).await;
    }
}

/// A shop of release 0.1 that this release has taken over.
async fn upgraded() -> Shop {
    let place = Place::new().await;
    Before::fill(&place).await;
    let url = place.url.clone();
    Shop::open_by(place, &url).await
}

fn order_id(at: usize) -> String {
    OrderId(uuid(order(at))).to_string()
}

#[tokio::test]
async fn orders_of_the_release_before_are_what_they_were() {
    let shop = upgraded().await;
    for (at, (status, paid, shipping, payments)) in ORDERS.iter().enumerate() {
        let found = shop.read_order(&order_id(at)).await;
        let states =
            ["status", "payment", "shipping"].map(|name| found[name].as_str().unwrap_or_default().to_lowercase());
        assert_eq!(states, [*status, *paid, *shipping], "{found}");
        let of: Vec<String> = found["payments"].as_array().expect("payments").iter().map(state).collect();
        assert_eq!(of, *payments, "{found}");
        assert_eq!(found["items"][0]["quantity"], 2, "{found}");
    }
    assert_eq!(shop.read_order(&order_id(5)).await["shipments"][0]["carrier"], "DHL");
    let log = shop.log(&domain::id::ProductId(uuid(PRODUCT)).to_string()).await;
    assert_eq!(log.len(), 14, "{log:?}");
    shop.close().await;
}

fn state(payment: &Value) -> String {
    payment["status"].as_str().unwrap_or_default().to_lowercase()
}

#[tokio::test]
async fn orders_of_the_release_before_go_on() {
    let shop = upgraded().await;
    assert_eq!(shop.pay(&order_id(0)).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.pay(&order_id(1)).await.codes, ["PAYMENT_IN_PROGRESS"]);
    assert_eq!(shop.pay(&order_id(3)).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(codes(&shop.cancel(&order_id(3)).await), [""; 0]);
    assert_eq!(codes(&shop.ship(&order_id(4)).await), [""; 0]);
    assert_eq!(codes(&shop.cancel(&order_id(5)).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&order_id(6)).await), ["INVALID_STATE"]);
    shop.close().await;
}

/// What the tables refused before, and what they are to refuse now.
#[tokio::test]
async fn the_tables_still_refuse_what_must_not_be() {
    let shop = upgraded().await;
    let mut options = ConnectOptions::new(shop.place().url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    let (orders, paid_payment) = ([0, 1, 4].map(|at| id(order(at))), id(payment(4, 1)));
    let copy = |status: &str| {
        let columns =
            "order_id, gateway, method, amount, currency, leased_until, look_at, looks, created_at, updated_at";
        format!(
            "INSERT INTO payment (id, status, {columns}) SELECT {}, '{status}', {columns} FROM payment WHERE id = {paid_payment}",
            id(7)
        )
    };
    for refused in [
        format!("UPDATE \"order\" SET status = 'nonsense' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET payment = 'nonsense' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET shipping = 'nonsense' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET status = 'complete' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET status = 'processing' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET payment = 'authorized' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET status = 'cancelled', cancel_reason = 'other' WHERE id = {}", orders[1]),
        format!("UPDATE order_item SET returned = 1 WHERE order_id = {}", orders[2]),
        "UPDATE payment SET status = 'nonsense'".to_owned(),
        "UPDATE payment SET refunded = 2001".to_owned(),
        "UPDATE payment SET status = 'requires_action' WHERE action_kind IS NULL".to_owned(),
        "UPDATE sandbox_charge SET fate = 'nonsense'".to_owned(),
        "UPDATE stock_transaction SET quantity = quantity".to_owned(),
        "DELETE FROM stock_transaction".to_owned(),
        format!("DELETE FROM \"order\" WHERE id = {}", orders[2]),
        copy("in_progress"),
        copy("authorized"),
        copy("succeeded"),
    ] {
        assert!(db.execute_unprepared(&refused).await.is_err(), "{refused}");
    }
    for allowed in [
        format!("UPDATE \"order\" SET status = 'processing', payment = 'authorized' WHERE id = {}", orders[0]),
        format!("UPDATE \"order\" SET payment = 'refunded', shipping = 'partially_fulfilled' WHERE id = {}", orders[2]),
        format!("UPDATE payment SET refunded = 2000 WHERE id = {paid_payment}"),
    ] {
        db.execute_unprepared(&format!("BEGIN; {allowed}; ROLLBACK"))
            .await
            .unwrap_or_else(|error| panic!("{allowed}: {error}"));
    }
    let unsound = if is_postgres() {
        "SELECT conname FROM pg_constraint WHERE NOT convalidated UNION SELECT indexrelid::regclass::text FROM pg_index \
         WHERE NOT indisvalid"
    } else {
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict \
         AND name IN ('order', 'order_item', 'payment', 'payment_operation', 'sandbox_charge')"
    };
    let unsound = sea_orm::Statement::from_string(db.get_database_backend(), unsound);
    assert!(db.query_all_raw(unsound).await.expect("an answer").is_empty());
    db.close().await.expect("an end");
    shop.close().await;
}

/// The last change of the schema has steps, each of which is there or not: one that was broken off is made again.
#[tokio::test]
async fn a_change_that_was_broken_off_is_made_again() {
    let place = Place::new().await;
    Before::fill(&place).await;
    let db = Database::connect(&place.url).await.expect("the database");
    Migrator::up(&db, Some(1)).await.expect("the change before the last one");
    let index = "CREATE UNIQUE INDEX payment_one_running ON payment (order_id) \
        WHERE status IN ('in_progress', 'requires_action', 'authorized', 'succeeded')";
    db.execute_unprepared(index).await.expect("its first step");
    db.close().await.expect("an end");
    let url = place.url.clone();
    let shop = Shop::open_by(place, &url).await;
    assert!(Migrator::get_pending_migrations(shop.database()).await.is_ok_and(|pending| pending.is_empty()));
    let node = json!({ "id": PaymentId(uuid(payment(4, 1))).to_string() });
    let node = shop.data("query($id: ID!) { node(id: $id) { id } }", node).await;
    assert!(node["node"]["id"].is_string(), "{node}");
    shop.close().await;
}

/// A state that a later release may have written is no fault of ours: a server of that release can answer.
#[tokio::test]
async fn a_state_of_a_later_release_is_unavailable_and_not_an_internal_error() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let (order, other) = (shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await);
    let mut options = ConnectOptions::new(shop.place().url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    let free = if is_postgres() {
        "ALTER TABLE \"order\" DROP CONSTRAINT order_shipping_known"
    } else {
        "PRAGMA ignore_check_constraints = ON"
    };
    db.execute_unprepared(free).await.expect(free);
    let id = order.parse::<OrderId>().expect("an id").0;
    let id = if is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
    let set = |state: &str| format!("UPDATE \"order\" SET shipping = '{state}' WHERE id = {id}");
    db.execute_unprepared(&set("teleported")).await.expect("a state of later");
    let read = "query($id: ID!) { order(id: $id) { id } }";
    assert_eq!(shop.code(read, json!({ "id": order })).await, "UNAVAILABLE");
    let pay = "mutation($o: ID!) { payOrder(input: { orderId: $o }) { userErrors { code } } }";
    assert_eq!(shop.code(pay, json!({ "o": order })).await, "UNAVAILABLE");
    assert_eq!(shop.pay(&other).await, paid("SUCCEEDED", "PAID", &[]), "others go on");
    db.execute_unprepared(&set("unfulfilled")).await.expect("the state of before");
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    db.close().await.expect("an end");
    shop.close().await;
}
