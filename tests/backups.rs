//! `backup` and `transfer`: copies that are whole, and a shop that goes on from SQLite to PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::process::run;
use crate::support::{Place, Shop, is_postgres};

/// Orders that are made before a copy.
const ORDERS: usize = 5;

/// Everything that a client can see of an order.
const ORDER: &str = "query($id: ID!) { order(id: $id) { id number status payment shipping placedAt updatedAt total { amount currency }
    customer { name email } items { id sku name quantity allocatedQuantity shippedQuantity cancelledQuantity }
    payments { id gateway method status reference declineReason createdAt } shipments { id carrier trackingNumber shippedAt }
    stockTransactions(first: 100) { nodes { id action quantity sequence reason actor operationId createdAt } } } }";

/// The log, newest first.
const LOG: &str =
    "{ stockTransactions(first: 100) { nodes { id action quantity sequence after { total allocated available }
    reason note reference actor operationId createdAt product { id sku } order { id } } } }";

/// A shop in a file of its own, also when it is PostgreSQL's turn.
async fn in_file(place: &Place) -> (String, Shop) {
    let url = format!("sqlite://{}/old.db", place.folder().display());
    let shop = Shop::open_by(Place::of(&url), &url).await;
    (url, shop)
}

/// Writes to a database past the server.
async fn write(url: &str, statement: &str) {
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    db.execute_unprepared(statement).await.expect(statement);
    db.close().await.expect("a connection that ends");
}

/// Orders in all states, and what else leaves rows.
async fn history(shop: &Shop) -> (String, Vec<String>) {
    let product = shop.product("BAG", 100).await;
    let mut orders = Vec::new();
    for number in 0..ORDERS {
        let order = shop.order(&[(&product, 2)]).await;
        match number {
            0 => {}
            1 => drop(shop.cancel(&order).await),
            2 => drop(shop.pay_sandbox(&order, "decline").await),
            _ => drop(shop.pay(&order).await),
        }
        if number == 4 {
            shop.ship(&order).await;
        }
        orders.push(order);
    }
    let key = json!({ "changes": [{ "productId": product, "action": "INCREMENT", "quantity": 3 }], "note": "\u{00fc}ber\nzwei",
        "reference": "PO-1", "reason": "RECEIVED", "idempotencyKey": "K" });
    shop.adjust_all(key).await;
    shop.cart(&[(&product, 7)]).await;
    (product, orders)
}

async fn seen(shop: &Shop, orders: &[String]) -> Vec<Value> {
    let mut all = vec![shop.data(LOG, json!({})).await];
    for order in orders {
        all.push(shop.data(ORDER, json!({ "id": order })).await);
    }
    all
}

#[tokio::test]
async fn a_backup_beside_a_server_that_sells_is_whole() {
    let place = Place::new().await;
    let (url, shop) = in_file(&place).await;
    let (product, orders) = history(&shop).await;
    let before = seen(&shop, &orders).await;
    let from = Place::of(&url);
    let output = place.folder().join("copies/backup.db");
    fs::create_dir(output.parent().expect("a folder")).expect("a folder");
    let stop = CancellationToken::new();
    let selling = async {
        let mut sold = 0;
        while !stop.is_cancelled() {
            let order = shop.order(&[(&product, 1)]).await;
            shop.pay(&order).await;
            shop.adjust(&product, "INCREMENT", 1).await;
            sold += 1;
        }
        sold
    };
    let copying = async {
        let done = run(&from, &["backup", output.to_str().expect("a path")]).await;
        stop.cancel();
        done
    };
    let (sold, (code, told)) = tokio::join!(selling, copying);
    assert!(code == 0 && told.contains("no differences"), "{told}");
    assert!(sold > 0, "nobody sold meanwhile");
    assert_eq!(fs::metadata(&output).expect("a file").permissions().mode() & 0o777, 0o600);
    let files: Vec<_> = fs::read_dir(output.parent().expect("a folder")).expect("files").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(shop.close().await.differences, Vec::<String>::new());

    let copy = format!("sqlite://{}", output.display());
    let restored = Shop::open_by(Place::of(&copy), &copy).await;
    let again = seen(&restored, &orders).await;
    assert_eq!(again[1..], before[1..]);
    restored.adjust(&product, "INCREMENT", 1).await;
    assert_eq!(restored.close().await.differences, Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_replaces_the_last_one_only_when_it_is_sound() {
    let place = Place::new().await;
    let (url, shop) = in_file(&place).await;
    let (product, _) = history(&shop).await;
    let from = Place::of(&url);
    let output = place.folder().join("backup.db");
    let path = output.to_str().expect("a path").to_owned();
    for _ in 0..2 {
        let (code, told) = run(&from, &["backup", &path]).await;
        assert_eq!(code, 0, "{told}");
        shop.adjust(&product, "INCREMENT", 1).await;
    }
    let last = fs::read(&output).expect("a backup");
    write(&url, "UPDATE stock SET total = total + 1").await;
    let (code, told) = run(&from, &["backup", &path]).await;
    assert!(code == 1 && told.contains("no backup was written"), "{told}");
    assert_eq!(fs::read(&output).expect("a backup"), last);
    assert!(!place.folder().join("backup.db.part").exists());
}

#[tokio::test]
async fn a_backup_is_written_over_no_database_and_of_a_file_only() {
    let place = Place::new().await;
    let (url, shop) = in_file(&place).await;
    history(&shop).await;
    let from = Place::of(&url);
    let folder = place.folder();
    fs::write(folder.join("other.db-wal"), "of another").expect("a file");
    for (name, why) in [
        ("old.db", "belongs to the database"),
        ("old.db-wal", "belongs to the database"),
        ("other.db", "belongs to a database of the name"),
        (".", "a backup is a file"),
        ("/dev/null", "a backup is a file"),
        ("nowhere/backup.db", "cannot write"),
    ] {
        let (code, told) = run(&from, &["backup", folder.join(name).to_str().expect("a path")]).await;
        assert!(code == 2 && told.contains(why), "{name}: {told}");
    }
    let missing = Place::of(&format!("sqlite://{}/nobody.db", folder.display()));
    let (code, told) = run(&missing, &["backup", "backup.db"]).await;
    assert!(code == 2 && told.contains("there is no database"), "{told}");
    assert!(!folder.join("nobody.db").exists());
    if is_postgres() {
        let (code, told) = run(&place, &["backup", "backup.db"]).await;
        assert!(code == 2 && told.contains("pg_dump"), "{told}");
    }
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}

#[tokio::test]
async fn a_shop_goes_on_from_sqlite_to_postgresql() {
    let place = Place::new().await;
    let (url, shop) = in_file(&place).await;
    let (product, orders) = history(&shop).await;
    let before = seen(&shop, &orders).await;
    let stock = shop.stock(&product).await;
    let from = Place::of(&url);
    let to = ["transfer", "--to", &place.url];
    // Its server is still there.
    let (code, told) = run(&from, &to).await;
    if !is_postgres() {
        assert!(code == 2 && told.contains("from SQLite (DATABASE_URL) to PostgreSQL"), "{told}");
        assert_eq!(shop.close().await.differences, Vec::<String>::new());
        return;
    }
    assert!(code == 2 && told.contains("another onhand is using"), "{told}");
    assert_eq!(shop.close().await.differences, Vec::<String>::new());

    let (code, told) = run(&from, &to).await;
    assert!(code == 0 && told.contains("no differences") && !told.contains("password"), "{told}");
    let (code, again) = run(&from, &to).await;
    assert!(code == 2 && again.contains("is not empty"), "{again}");

    let moved = Shop::open_by(Place::of(&place.url), &place.url).await;
    assert_eq!(seen(&moved, &orders).await, before);
    assert_eq!(moved.stock(&product).await, stock);
    // The key of before is known, and the log goes on.
    let key = json!({ "changes": [{ "productId": product, "action": "INCREMENT", "quantity": 3 }], "note": "\u{00fc}ber\nzwei",
        "reference": "PO-1", "reason": "RECEIVED", "idempotencyKey": "K" });
    moved.adjust_all(key).await;
    assert_eq!(moved.stock(&product).await, stock);
    moved.pay(&orders[0]).await;
    moved.ship(&orders[3]).await;
    assert_eq!(moved.close().await.differences, Vec::<String>::new());
}

/// What has differences is not spread, and what arrives in a database that is in use does not stay.
#[tokio::test]
async fn a_transfer_is_all_or_nothing() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let (url, shop) = in_file(&place).await;
    history(&shop).await;
    write(&url, "CREATE TABLE stranger (id INTEGER)").await;
    shop.close().await;
    let from = Place::of(&url);
    let to = ["transfer", "--to", &place.url];
    let (code, told) = run(&from, &to).await;
    assert!(code == 2 && told.contains("\"stranger\""), "{told}");
    let (code, told) = run(&place, &["verify"]).await;
    assert!(code == 0 && told.contains("checked 0 products, 0 stock transactions and 0 orders"), "{told}");
}
