//! Filters of the log and of orders: whatever is asked for, a page reads a part of an index that has a bound, and all pages
//! together have just the rows that the filter takes.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::id::{OrderId, ProductId};
use entity::{cart, order, stock_transaction};
use onhand::clock::Clock;
use onhand::faults;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, IntoActiveModel, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::process::run;
use crate::support::{Shop, codes, is_postgres};

const LOG: &str = "query($f: StockTransactionFilter, $first: Int, $after: String, $last: Int, $before: String) { \
    list: stockTransactions(filter: $f, first: $first, after: $after, last: $last, before: $before) { \
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
const ORDERS: &str = "query($f: OrderFilter, $first: Int, $after: String, $last: Int, $before: String) { \
    list: orders(filter: $f, first: $first, after: $after, last: $last, before: $before) { \
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Rows that a filter looks through at most for one page, where no index answers it.
const MAX_LOOKED_AT: u64 = 10_000;

/// Rows that a page reads at most where an index answers: 21 of each action and reason, each read at most three times.
const FEW: u64 = 7 * 15 * 21 * 3;

/// More orders than are looked through for two pages.
const MANY: usize = 25_000;

/// So many rows that PostgreSQL, which does not know how many a product has, would rather not sort them all.
const MANY_ROWS: usize = 155_000;

const READ: &str = "query($id: ID!) { stock(productId: $id) { updatedAt } }";

/// A row of the log as the tests make it: its product, the milliseconds since the first, action and reason.
type Made<'a> = (&'a str, i64, &'static str, &'static str);

/// Writes rows past the server, and returns them as they are stored. What `verify` would say of them is not of interest.
async fn write_rows(shop: &Shop, made: &[Made<'_>]) -> Vec<stock_transaction::Model> {
    const AT_ONCE: usize = 1_000;
    let begin = Clock::system().now();
    let mut sequences = std::collections::BTreeMap::<&str, i32>::new();
    let mut rows = Vec::new();
    for (product, millis, action, reason) in made {
        let sequence = sequences.entry(product).or_insert(1);
        *sequence += 1;
        let (total, allocated) = match *action {
            "allocate" => (0, 1),
            "ship" => (-1, -1),
            "decrement" => (-1, 0),
            _ => (1, 0),
        };
        rows.push(stock_transaction::Model {
            position: 0,
            id: Uuid::now_v7(),
            product_id: product.parse::<ProductId>().expect("an id").0,
            sequence: *sequence,
            action: (*action).to_owned(),
            quantity: 1,
            total_delta: total,
            allocated_delta: allocated,
            available_delta: total - allocated,
            total_after: 9,
            allocated_after: 4,
            available_after: 5,
            reason: (*reason).to_owned(),
            note: None,
            reference: None,
            actor: "somebody".to_owned(),
            order_id: None,
            operation_id: Uuid::now_v7(),
            created_at: begin + TimeDelta::milliseconds(*millis),
        });
    }
    for some in rows.chunks(AT_ONCE) {
        let some = some.iter().map(|row| {
            let mut row = row.clone().into_active_model();
            row.position = sea_orm::ActiveValue::NotSet;
            row
        });
        stock_transaction::Entity::insert_many(some).exec_without_returning(shop.database()).await.expect("rows");
    }
    rows
}

/// Writes a delivery of one unit every millisecond, past the server.
async fn write_deliveries(shop: &Shop, product: &str) {
    let product = product.parse::<ProductId>().expect("an id").0;
    let columns = "id, product_id, sequence, action, quantity, total_delta, allocated_delta, available_delta, total_after, \
        allocated_after, available_after, reason, actor, operation_id, created_at";
    let (numbers, id, product, time) = if is_postgres() {
        let time = "stock.updated_at + n * interval '1 millisecond'";
        (format!("generate_series(1, {MANY_ROWS}) AS numbers (n)"), "gen_random_uuid()", format!("'{product}'"), time)
    } else {
        let count = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ";
        let time = "strftime('%Y-%m-%dT%H:%M:%f', stock.updated_at, (n / 1000.0) || ' seconds') || '+00:00'";
        let numbers = format!("({count}{MANY_ROWS}) SELECT n FROM c) AS numbers");
        (numbers, "randomblob(16)", format!("x'{}'", product.simple()), time)
    };
    let insert = format!(
        "INSERT INTO stock_transaction ({columns}) SELECT {id}, stock.product_id, stock.sequence + n, 'increment', 1, 1, 0, \
         1, n, 0, n, 'received', 'somebody', {id}, {time} FROM {numbers}, stock WHERE product_id = {product} ORDER BY n"
    );
    own_connection(shop).await.execute_unprepared(&insert).await.expect("rows");
}

/// Lets the database know what it has.
async fn analyze(shop: &Shop) {
    shop.database().execute_unprepared("ANALYZE").await.expect("statistics");
}

/// All nodes of a list, page by page, and how many pages there were.
async fn pages(shop: &Shop, query: &str, filter: &Value, size: usize, is_backward: bool) -> (Vec<String>, usize) {
    let (mut found, mut cursor, mut count) = (Vec::new(), Value::Null, 0);
    loop {
        let variables = if is_backward {
            json!({ "f": filter, "last": size, "before": cursor })
        } else {
            json!({ "f": filter, "first": size, "after": cursor })
        };
        let list = shop.data(query, variables).await["list"].take();
        let nodes = list["nodes"].as_array().expect("nodes").iter();
        let ids: Vec<String> = nodes.map(|node| node["id"].as_str().expect("an id").to_owned()).collect();
        count += 1;
        let (more, next) = if is_backward { ("hasPreviousPage", "startCursor") } else { ("hasNextPage", "endCursor") };
        if is_backward {
            found.splice(0..0, ids);
        } else {
            found.extend(ids);
        }
        if list["pageInfo"][more] == false {
            return (found, count);
        }
        assert!(list["pageInfo"][next].is_string() && list["pageInfo"][next] != cursor, "it goes on: {list}");
        cursor = list["pageInfo"][next].clone();
    }
}

fn ids<T: std::fmt::Display>(ids: impl IntoIterator<Item = T>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// Small pages of every kind of filter, in both directions, beside what a reader of all rows finds. Many rows have the same
/// time.
#[tokio::test]
async fn all_pages_together_have_what_a_filter_takes() {
    const KINDS: [(&str, &str); 5] = [
        ("increment", "received"),
        ("increment", "return"),
        ("decrement", "damaged"),
        ("allocate", "order_payment"),
        ("ship", "order_shipped"),
    ];
    let shop = Shop::open().await;
    let mut products = Vec::new();
    for n in 0..3 {
        products.push(shop.product(&format!("P{n}"), 9).await);
    }
    let mut made = Vec::new();
    for n in 0..150_usize {
        let (action, reason) = KINDS[n * 7 % 11 % KINDS.len()];
        made.push((products[n * 5 % 7 % 3].as_str(), i64::try_from(n / 9).expect("few") * 1_000, action, reason));
    }
    write_rows(&shop, &made).await;
    let mut rows = stock_transaction::Entity::find().all(shop.database()).await.expect("rows");
    rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.product_id, row.sequence)));
    let (since, until) = (rows[120].created_at, rows[30].created_at);
    assert!(rows[119].created_at == since && rows[31].created_at == until, "others have the same time");

    let code = |code: &str| code.to_lowercase();
    let takes = |filter: &Value, row: &stock_transaction::Model| {
        let any = |name: &str, found: &str| {
            filter[name].as_array().is_none_or(|all| all.iter().any(|one| code(one.as_str().expect("a code")) == found))
        };
        let time = |name: &str| filter[name].as_str().map(|time| time.parse::<DateTime<Utc>>().expect("a time"));
        any("productIds", &ProductId(row.product_id).to_string())
            && any("actions", &row.action)
            && any("reasons", &row.reason)
            && time("since").is_none_or(|since| row.created_at >= since)
            && time("until").is_none_or(|until| row.created_at <= until)
    };
    let mut found_by = BTreeSet::new();
    for of_products in [json!(null), json!([products[1]]), json!([products[2], products[0], products[2]])] {
        for actions in [json!(null), json!(["INCREMENT", "SHIP"]), json!(["SET"])] {
            for reasons in [json!(null), json!(["ORDER_SHIPPED", "RETURN", "COUNT"])] {
                for (since, until) in [(json!(null), json!(null)), (json!(since), json!(until))] {
                    let filter = json!({ "productIds": of_products, "actions": actions, "reasons": reasons,
                        "since": since, "until": until });
                    let right = ids(rows
                        .iter()
                        .filter(|row| takes(&filter, row))
                        .map(|row| domain::id::StockTransactionId(row.id)));
                    for is_backward in [false, true] {
                        let (found, _) = pages(&shop, LOG, &filter, 7, is_backward).await;
                        assert_eq!(found, right, "{filter}, backward: {is_backward}");
                    }
                    found_by.insert(right.len());
                }
            }
        }
    }
    assert!(found_by.len() > 10 && found_by.contains(&0), "the filters differ: {found_by:?}");
}

/// What a statement read, as the database says.
#[derive(Debug, Default)]
struct Read {
    /// Rows that were looked at.
    rows: u64,
    /// The indexes.
    indexes: BTreeSet<String>,
    /// Tables that were read without one.
    scanned: Vec<String>,
}

/// Reads of the log and of orders by what is asked for now.
async fn reads_of(shop: &Shop, db: &DatabaseConnection, query: &str, filter: &Value, page: &Value) -> Read {
    let mut variables = page.clone();
    variables["f"] = filter.clone();
    faults::record_statements();
    shop.data(query, variables).await;
    let mut read = Read::default();
    let asked = faults::recorded_statements();
    // The timer of holds asks about orders meanwhile.
    let asked = asked.iter().filter(|s| !s.sql.starts_with("SELECT \"order\".\"held_until\" FROM"));
    let asked = asked.filter(|s| s.sql.contains("\"stock_transaction\"") || s.sql.contains("FROM \"order\""));
    let mut count = 0;
    for statement in asked {
        count += 1;
        if is_postgres() { analyzed(db, statement, &mut read).await } else { planned(db, statement, &mut read).await }
    }
    assert!(count > 0, "{filter}: the list was read");
    read
}

/// What PostgreSQL looks at, by doing it.
async fn analyzed(db: &DatabaseConnection, statement: &Statement, read: &mut Read) {
    let mut explain = statement.clone();
    explain.sql = format!("EXPLAIN (ANALYZE, FORMAT JSON) {}", statement.sql);
    let row = db.query_one_raw(explain).await.expect("a plan").expect("a plan");
    let plan: Value = row.try_get_by_index(0).expect("JSON");
    let mut nodes = vec![&plan[0]["Plan"]];
    while let Some(node) = nodes.pop() {
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
        let table = node["Relation Name"].as_str().unwrap_or_default();
        if ["stock_transaction", "order"].contains(&table) {
            let number = |name: &str| node[name].as_f64().unwrap_or_default();
            let each =
                number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
            let rows = (each * number("Actual Loops")) as u64;
            read.rows += rows;
            match node["Index Name"].as_str() {
                Some(index) => drop(read.indexes.insert(index.to_owned())),
                None if node["Node Type"] == "Bitmap Heap Scan" => {}
                None => read.scanned.push(table.to_owned()),
            }
        }
    }
}

/// What SQLite means to do: it does not say how much it looked at.
async fn planned(db: &DatabaseConnection, statement: &Statement, read: &mut Read) {
    let mut explain = statement.clone();
    explain.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = db.query_all_raw(explain).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").expect("a step")).collect();
    for table in ["stock_transaction", "order"] {
        // A subquery has the name of the table that it reads; it is made once and read once.
        let made = steps
            .iter()
            .filter(|step| **step == format!("CO-ROUTINE {table}") || **step == format!("MATERIALIZE {table}"));
        let scans = steps.iter().filter(|step| **step == format!("SCAN {table}"));
        if scans.count() > made.count() {
            read.scanned.push(format!("{table}: {steps:#?}"));
        }
    }
    let index = |step: &String| {
        step.split_once(" INDEX ").map(|(_, rest)| rest.split(' ').next().unwrap_or_default().to_owned())
    };
    read.indexes.extend(steps.iter().filter_map(index));
}

async fn own_connection(shop: &Shop) -> DatabaseConnection {
    let mut options = ConnectOptions::new(shop.place().url.clone());
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the database")
}

/// A log of one product's deliveries: whatever else is asked for is not there, and most ways to look for it read everything.
#[tokio::test(flavor = "multi_thread")]
async fn every_filter_of_the_log_reads_a_part_of_an_index() {
    let shop = Shop::open().await;
    let (hot, quiet) = (shop.product("HOT", 9).await, shop.product("QUIET", 9).await);
    let begin = shop.data(READ, json!({ "id": hot })).await["stock"]["updatedAt"].as_str().expect("a time").to_owned();
    let begin: DateTime<Utc> = begin.parse().expect("a time");
    write_deliveries(&shop, &hot).await;
    analyze(&shop).await;
    let middle = json!(begin + TimeDelta::milliseconds(i64::try_from(MANY_ROWS / 2).expect("few")));
    let (time, kind, product, order) = ("by_time", "by_kind", "by_product", "by_order");
    let deep =
        shop.data(LOG, json!({ "f": { "until": middle }, "first": 1 })).await["list"]["pageInfo"]["endCursor"].clone();
    let db = own_connection(&shop).await;
    for (filter, index, most) in [
        (json!({}), time, FEW),
        (json!({ "since": middle }), time, FEW),
        (json!({ "until": middle }), time, FEW),
        (json!({ "actions": ["SHIP"] }), kind, FEW),
        (json!({ "actions": ["INCREMENT", "SHIP"], "until": middle }), kind, FEW),
        (json!({ "reasons": ["LOST"] }), kind, FEW),
        (json!({ "actions": ["INCREMENT"], "reasons": ["LOST", "RECEIVED"] }), kind, FEW),
        (json!({ "productIds": [hot] }), product, FEW),
        (json!({ "productIds": [quiet] }), product, FEW),
        (json!({ "productIds": [quiet, hot], "since": middle }), product, FEW),
        (json!({ "productIds": [hot], "actions": ["SHIP"] }), product, 2 * MAX_LOOKED_AT + FEW),
        (json!({ "productIds": [hot, quiet], "reasons": ["LOST"], "until": middle }), product, 2 * MAX_LOOKED_AT + FEW),
        (json!({ "orderId": OrderId(Uuid::from_u128(7)).to_string() }), order, FEW),
        (json!({ "orderId": OrderId(Uuid::from_u128(7)).to_string(), "actions": ["SHIP"] }), order, FEW),
    ] {
        for page in [json!({}), json!({ "after": deep }), json!({ "last": 20 }), json!({ "last": 20, "before": deep })]
        {
            let read = reads_of(&shop, &db, LOG, &filter, &page).await;
            let index = BTreeSet::from([format!("stock_transaction_{index}")]);
            assert!(read.scanned.is_empty() && read.indexes == index, "{filter} {page}: {read:#?}");
            assert!(read.rows <= most, "{filter} {page}: {read:#?}");
        }
    }
    for (filter, most) in [
        (json!({ "actions": ["SHIP"] }), 1),
        (json!({ "productIds": [hot], "actions": ["SHIP"] }), MANY_ROWS / 10_000 + 1),
        (json!({ "productIds": [quiet], "actions": ["CREATE"] }), 1),
    ] {
        for is_backward in [false, true] {
            let (found, count) = pages(&shop, LOG, &filter, 20, is_backward).await;
            let right = usize::from(filter["actions"] == json!(["CREATE"]));
            assert_eq!((found.len(), count), (right, most), "{filter}, backward: {is_backward}");
        }
    }
}

/// Orders that wait to be paid, and one that was cancelled long ago.
#[tokio::test(flavor = "multi_thread")]
async fn every_filter_of_orders_reads_a_part_of_an_index() {
    let shop = Shop::open().await;
    let begin = Clock::system().now();
    let mut orders: Vec<order::Model> = Vec::new();
    for n in 0..MANY {
        let placed_at = begin + TimeDelta::milliseconds(i64::try_from(n).expect("few"));
        let (status, reason) = if n == 3 { ("cancelled", Some("other".to_owned())) } else { ("incomplete", None) };
        orders.push(order::Model {
            id: Uuid::new_v4(),
            number: format!("N{n}"),
            status: status.to_owned(),
            payment: "unpaid".to_owned(),
            shipping: "unfulfilled".to_owned(),
            cart_id: Uuid::new_v4(),
            owner: None,
            customer_name: None,
            customer_email: None,
            total_amount: 0,
            total_currency: "EUR".to_owned(),
            cancel_reason: reason,
            cancel_note: None,
            held_until: None,
            version: 1,
            placed_at,
            updated_at: placed_at,
        });
    }
    for some in orders.chunks(1_000) {
        let carts = some.iter().map(|order| {
            let (id, status) = (order.cart_id, "checked_out".to_owned());
            cart::Model { id, status, owner: None, created_at: begin, updated_at: begin }.into_active_model()
        });
        cart::Entity::insert_many(carts).exec_without_returning(shop.database()).await.expect("carts");
        let some = some.iter().cloned().map(IntoActiveModel::into_active_model);
        order::Entity::insert_many(some).exec_without_returning(shop.database()).await.expect("orders");
    }
    analyze(&shop).await;
    let db = own_connection(&shop).await;
    let deep = shop.data(ORDERS, json!({ "first": 100 })).await["list"]["pageInfo"]["endCursor"].clone();
    for filter in [
        json!({}),
        json!({ "status": ["CANCELLED"] }),
        json!({ "payment": ["PAID", "IN_PROGRESS"] }),
        json!({ "shipping": ["FULFILLED"] }),
        json!({ "status": ["INCOMPLETE"], "payment": ["UNPAID"], "shipping": ["UNFULFILLED"] }),
    ] {
        for page in [json!({}), json!({ "after": deep }), json!({ "last": 20, "before": deep })] {
            let read = reads_of(&shop, &db, ORDERS, &filter, &page).await;
            let by_time =
                read.indexes.iter().all(|index| index != "cart_by_status") && read.indexes.contains("order_by_time");
            assert!(read.scanned.is_empty() && by_time, "{filter} {page}: {read:#?}");
            assert!(read.rows <= 2 * MAX_LOOKED_AT + FEW, "{filter} {page}: {read:#?}");
        }
    }
    let cancelled = ids([OrderId(orders[3].id)]);
    for is_backward in [false, true] {
        let filter = json!({ "status": ["CANCELLED"] });
        assert_eq!(pages(&shop, ORDERS, &filter, 20, is_backward).await, (cancelled.clone(), 3));
    }
    shop.close().await;
}

/// A release that brings the indexes finds a log with rows, servers that go on writing, and what an interrupted build left.
#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_built_beside_a_running_server() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 9).await;
    let indexes = "SELECT count(*) FILTER (WHERE indisvalid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
        WHERE relname IN ('stock_transaction_by_kind', 'stock_transaction_by_product')";
    let db = own_connection(&shop).await;
    let valid = async || {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), indexes)).await;
        row.expect("an answer").expect("a row").try_get_by_index::<i64>(0).expect("a number")
    };
    assert_eq!(valid().await, 2);
    for statement in [
        "DELETE FROM seaql_migrations WHERE version = 'm20261128_000011_log_filters'",
        "DROP INDEX stock_transaction_by_product",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'stock_transaction_by_kind'::regclass",
    ] {
        db.execute_unprepared(statement).await.expect(statement);
    }
    assert_eq!(valid().await, 0);
    let (code, said) = run(shop.place(), &["migrate"]).await;
    assert_eq!((code, valid().await), (0, 2), "{said}");
    assert!(codes(&shop.adjust(&mug, "INCREMENT", 1).await).is_empty());
    shop.close().await;
}
