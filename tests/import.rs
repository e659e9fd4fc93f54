//! Import and export by the real binary: round trips, dry runs, bad rows, and runs that were interrupted.

use std::fs;
use std::process::Stdio;

use entity::idempotency_key;
use sea_orm::{ActiveModelTrait, Database, EntityTrait, IntoActiveModel, ModelTrait, Set};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::support::process::{command, run};
use crate::support::{Place, Process, Shop, Socket, is_postgres};

const CATALOGUE: &str = "sku,name,price_amount,price_currency,stock,slug,description,low_stock_threshold,manage_stock\n\
    A1,\"Mug, blue\",1290,EUR,5,mug-blue,\"Two\nlines, \"\"quoted\"\"\",2,true\n\
    B2,'=1+1,0,JPY,0,formula,'@evil,0,TRUE\n\
    C3,Gift card,2500,EUR,,gift-card,,0,false\n\
    Δ4,'-5 \u{1f469}\u{200d}\u{1f373},9007199254740991,KWD,1000000000,minus-five,''twas,1000000000,true\n";

/// Writes a file and imports it; returns the exit code and the output, with every row.
async fn import(place: &Place, name: &str, text: impl AsRef<[u8]>, options: &[&str]) -> (i32, String) {
    fs::write(place.folder().join(name), text).expect("a file");
    run(place, &[&["import", name, "--all"], options].concat()).await
}

/// Returns the lines of an export, sorted.
async fn exported(place: &Place, options: &[&str]) -> Vec<String> {
    let (code, text) = run(place, &[&["export"], options].concat()).await;
    assert_eq!(code, 0, "{text}");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn verified(place: &Place) {
    let (code, report) = run(place, &["verify"]).await;
    assert_eq!(code, 0, "{report}");
}

/// Returns the total of each product, by SKU, from an export.
async fn totals(place: &Place) -> Vec<(String, i64)> {
    let rows = exported(place, &["--format", "jsonl"]).await;
    let row = |row: &String| serde_json::from_str::<Value>(row).expect("JSON");
    let mut totals: Vec<(String, i64)> = rows
        .iter()
        .map(row)
        .map(|row| (row["sku"].as_str().expect("a SKU").to_owned(), row["stock"].as_i64().unwrap_or(-1)))
        .collect();
    totals.sort();
    totals
}

#[tokio::test]
async fn what_is_exported_is_imported_as_it_was() {
    let (here, there) = (Place::new().await, Place::new().await);
    let (code, told) = import(&here, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.ends_with("4 rows, 4 created\n"), "{told}");
    let is_guarded = |line: &String| line.split(',').all(|cell| !cell.starts_with(['=', '+', '-', '@']));
    let as_csv = exported(&here, &[]).await;
    assert!(as_csv.iter().all(is_guarded), "{as_csv:#?}");
    for ending in ["csv", "jsonl"] {
        let file = here.folder().join(format!("out.{ending}"));
        let name = file.to_str().expect("a path");
        let (code, told) = run(&here, &["export", "--output", name]).await;
        assert_eq!((code, told.as_str()), (0, ""));
        let text = fs::read(&file).expect("a file");
        let (code, told) = import(&here, &format!("same.{ending}"), &text, &["--mode", "set"]).await;
        assert_eq!((code, told.ends_with("4 rows, 4 unchanged\n")), (0, true), "{told}");
        let mode = if ending == "csv" { "create" } else { "set" };
        let (code, told) = import(&there, &format!("new.{ending}"), &text, &["--mode", mode]).await;
        assert_eq!(code, 0, "{told}");
        assert_eq!(exported(&there, &[]).await, as_csv);
    }
    let log = exported(&here, &["log"]).await;
    assert_eq!(log.len(), 4, "a header, and a row for each product whose stock is managed: {log:#?}");
    assert!(log.iter().any(|row| row.contains(",CREATE,5,5,5,0,INITIAL,,catalogue.csv,system,")), "{log:#?}");
    verified(&here).await;
    verified(&there).await;
}

#[tokio::test]
async fn a_dry_run_shows_everything_and_changes_nothing() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let (before, log) = (exported(&place, &[]).await, exported(&place, &["log"]).await);
    let delivery = "sku,stock\na1,3\nA1,4\nΔ4,1\nB2,1\nX,1\n";
    let (code, told) = import(&place, "delivery.csv", delivery, &["--mode", "add", "--dry-run"]).await;
    let told: Vec<&str> = told.lines().collect();
    let right = [
        "line,sku,result,code,reason,total_before,available_before,total_after,available_after",
        "2,a1,added,,,5,5,8,8",
        "3,A1,added,,,8,8,12,12",
        "4,Δ4,refused,INVALID_QUANTITY,stock: No more than 1000000000 units can be counted.,,,,",
        "5,B2,added,,,0,0,1,1",
        "6,X,refused,NOT_FOUND,sku: There is no such product.,,,,",
        "5 rows, 3 added, 2 refused; a dry run: nothing was changed",
    ];
    assert_eq!((code, told), (1, right.to_vec()));
    let rows = "{\"sku\":\"N\",\"name\":\"New\",\"price_amount\":1,\"price_currency\":\"EUR\",\"stock\":2}";
    let (code, told) = import(&place, "new.jsonl", rows, &["--mode", "create", "--dry-run"]).await;
    let first: Value = serde_json::from_str(told.lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!((code, &first["result"], &first["total_after"]), (0, &json!("created"), &json!(2)), "{told}");
    assert_eq!((exported(&place, &[]).await, exported(&place, &["log"]).await), (before, log));
    // The same rows, done: exactly what was shown.
    let (code, told) = import(&place, "delivery.csv", delivery, &["--mode", "add"]).await;
    assert_eq!((code, told.lines().take(6).collect::<Vec<_>>()), (1, right[..6].to_vec()));
    verified(&place).await;
}

#[tokio::test]
async fn each_mode_does_what_it_says_and_refuses_row_by_row() {
    let place = Place::new().await;
    let products = "sku,name,price_amount,price_currency,stock\nA,Mug,100,EUR,5\nB,Cup,200,EUR,\na,Mug,100,EUR,5\nC,Pot,1.5,EUR,1\n\"D\n\",Pan,1,EUR,1\n\nE,Jar,1,EUR\n";
    let (code, told) = import(&place, "new.csv", products, &["--mode", "create"]).await;
    assert_eq!(code, 1);
    assert!(told.contains("4,a,refused,ALREADY_EXISTS,sku: This SKU is on line 2 already."), "{told}");
    assert!(told.contains("5,C,refused,INVALID_INPUT,price_amount:"), "{told}");
    assert!(told.contains("9,,refused,BAD_LINE,\"The line has 4 cells, and there are 5 columns.\""), "{told}");
    assert!(told.contains("\n6 rows, 3 created, 3 refused\nfix the refused lines"), "a SKU is trimmed: {told}");

    // Under another name the same file meets what is there.
    let again = ["--mode", "create", "--id", "again"];
    let changed = products.replace("Cup", "Glass");
    let (code, told) = import(&place, "new.csv", changed, &again).await;
    assert_eq!(code, 1);
    assert!(told.contains("2,A,unchanged,,,5,5,5,5"), "{told}");
    assert!(told.contains("3,B,refused,ALREADY_EXISTS,") && told.contains("differs from this row: name."), "{told}");

    let set = "sku,name,price_amount,price_currency,stock,low_stock_threshold\nA,Big mug,150,CHF,9,\nB,,,,,2\nD,,7,,,\nB,,,,1,\nZ,,,,1,\n";
    let (code, told) = import(&place, "set.csv", set, &["--mode", "set", "--actor", "ada", "--reference", "L-7"]).await;
    assert_eq!(code, 1);
    assert!(told.contains("2,A,set,,,5,5,9,9") && told.contains("3,B,set,,,0,0,0,0"), "{told}");
    assert!(told.contains("4,D,refused,INVALID_INPUT,price_amount:"), "{told}");
    assert!(told.contains("5,B,refused,ALREADY_EXISTS,sku: This SKU is on line 3 already."), "{told}");
    assert!(told.contains("6,Z,refused,NOT_FOUND,"), "{told}");
    let rows = exported(&place, &[]).await;
    assert!(rows.contains(&"A,Big mug,150,CHF,9,mug,,0,true".to_owned()), "{rows:#?}");
    assert!(rows.contains(&"B,Cup,200,EUR,0,cup,,2,true".to_owned()), "{rows:#?}");
    let log = exported(&place, &["log"]).await;
    assert!(log.iter().any(|row| row.contains(",SET,9,9,9,0,IMPORT,,L-7,ada,")), "{log:#?}");
    verified(&place).await;
}

#[tokio::test]
async fn stock_is_never_set_below_what_is_allocated() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let server = Process::start(&place).await;
    let read = "{ product(by: { sku: \"A1\" }) { id } }";
    let answer = server.ask(read, json!({})).await.expect("an answer");
    let id = answer["data"]["product"]["id"].clone();
    let allocate = "mutation($p: ID!) { adjustStock(input: { changes: [{ productId: $p, action: ALLOCATE, quantity: 3 }] }) { userErrors { code } } }";
    server.ask(allocate, json!({ "p": id })).await.expect("an answer");
    assert!(server.stop("TERM").await.success());
    let (code, told) = import(&place, "count.csv", "sku,stock\nA1,2\n", &["--mode", "set"]).await;
    assert_eq!(code, 1);
    assert!(told.contains("2,A1,refused,INSUFFICIENT_STOCK,stock: Of 5 units 3 are allocated;"), "{told}");
    let (code, told) = import(&place, "count.csv", "sku,stock\nA1,3\n", &["--mode", "set"]).await;
    assert_eq!((code, told.contains("2,A1,set,,,5,2,3,0")), (0, true), "{told}");
    verified(&place).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_is_refused_before_anything_changes() {
    let place = Place::new().await;
    let long = format!("sku,stock,description\nA,1,\"{}", "x\n".repeat(100_000));
    for (name, text, why) in [
        ("a.csv", "sku,stock,color\nA,1,red\n", "there is no column \"color\""),
        ("a.csv", "sku,stock,sku\n", "the column sku is there twice"),
        ("a.csv", "sku\nA\n", "this is missing: stock"),
        ("a.csv", "", "this is missing"),
        ("a.csv", "A,1\n", "there is no column \"a\""),
        ("a.csv", long.as_str(), "line 2 has more than"),
        ("a.txt", "sku,stock\n", "--format"),
    ] {
        let (code, told) = import(&place, name, text, &["--mode", "add"]).await;
        assert_eq!(code, 2, "{told}");
        assert!(told.contains(why), "{why}: {told}");
    }
    for arguments in [
        &["import", "nowhere.csv", "--mode", "add"][..],
        &["import", ".", "--mode", "add", "--format", "csv"],
        &["import", "a.csv"],
        &["import", "a.csv", "--mode", "add", "--actor", " "],
        &["import", "a.csv", "--mode", "add", "--id", "a\nb"],
    ] {
        let (code, told) = run(&place, arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {told}");
    }
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_where_it_was() {
    const PRODUCTS: usize = 3_000;
    let place = Place::new().await;
    let rows = (0..PRODUCTS).map(|at| format!("P{at},Product {at},100,EUR,1\n"));
    let text = format!("sku,name,price_amount,price_currency,stock\n{}", rows.collect::<String>());
    let (code, told) = import(&place, "new.csv", text, &["--mode", "create", "--results", "new.jsonl"]).await;
    assert_eq!(code, 0, "{told}");
    let results = fs::read_to_string(place.folder().join("new.jsonl")).expect("results");
    assert_eq!(results.lines().count(), PRODUCTS);
    assert!(results.lines().all(|line| line.contains("\"result\":\"created\"")), "{results}");

    // Each product twice: with units of its own.
    let rows = (0..2 * PRODUCTS).map(|at| format!("P{},{}\n", at % PRODUCTS, 1 + at / PRODUCTS * 10));
    fs::write(place.folder().join("add.csv"), format!("sku,stock\n{}", rows.collect::<String>())).expect("a file");
    for _ in 0..2 {
        let mut child = command(&place)
            .args(["import", "add.csv", "--mode", "add", "--all"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut added = 0;
        while added < 300 {
            let line = lines.next_line().await.expect("its output").expect("it is not at its end");
            added += usize::from(line.contains(",added,"));
        }
        child.kill().await.expect("it was running");
        verified(&place).await;
    }
    let (code, told) = run(&place, &["import", "add.csv", "--mode", "add"]).await;
    assert_eq!(code, 0);
    let sums = told.lines().last().unwrap_or_default();
    assert!(sums.starts_with("6000 rows, ") && sums.contains("of these done by an earlier run"), "{sums}");
    let all = totals(&place).await;
    assert_eq!(all.len(), PRODUCTS);
    assert!(all.iter().all(|(_, total)| *total == 1 + 1 + 11), "{all:?}");
    let (_, told) = run(&place, &["import", "add.csv", "--mode", "add"]).await;
    assert!(told.contains("6000 unchanged, 6000 of these done by an earlier run"), "nothing is added twice");

    // Another name is another import; a line that changed under the same name is refused.
    let (code, told) = import(&place, "more.csv", "sku,stock\nP0,7\nP1,7\n", &["--mode", "add", "--id", "x"]).await;
    assert_eq!((code, told.contains("2,P0,added,,,13,13,20,20")), (0, true), "{told}");
    let (code, told) = import(&place, "more.csv", "sku,stock\nP0,7\nP1,8\n", &["--mode", "add", "--id", "x"]).await;
    assert_eq!(code, 1);
    assert!(told.contains("3,P1,refused,IDEMPOTENCY_KEY_REUSED,"), "{told}");
    verified(&place).await;
}

#[tokio::test]
async fn refused_lines_are_fixed_in_place() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let (code, told) = import(&place, "add.csv", "sku,stock\nA1,1\nB3,1\nA1,2\n", &["--mode", "add"]).await;
    assert_eq!(code, 1);
    let id = told.split_once("--id ").and_then(|(_, rest)| rest.split_once(':')).map(|(id, _)| id).expect("its name");
    let mended = "sku,stock\nA1,1\nB2,1\nA1,2\n";
    let (code, told) = import(&place, "add.csv", mended, &["--mode", "add", "--id", id]).await;
    assert_eq!((code, told.contains("3,B2,added,,,0,0,1,1")), (0, true), "{told}");
    assert!(told.contains("3 rows, 1 added, 2 unchanged, 2 of these done by an earlier run"), "{told}");
    let right = [("A1", 8), ("B2", 1), ("C3", -1), ("Δ4", 1_000_000_000)];
    assert_eq!(totals(&place).await, right.map(|(sku, total)| (sku.to_owned(), total)));
    verified(&place).await;
}

#[tokio::test]
async fn standard_input_and_output_are_files_too() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let mut child = command(&place)
        .args(["import", "-", "--mode", "set", "--format", "jsonl", "--all"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let mut stdin = child.stdin.take().expect("its input");
    let text =
        b"{\"sku\":\"A1\",\"stock\":6}\r\n\r\nnonsense\n{\"sku\":\"B2\",\"size\":1}\n{\"sku\":\"B2\",\"stock\":1.0}\n";
    tokio::io::AsyncWriteExt::write_all(&mut stdin, text).await.expect("its input");
    drop(stdin);
    let mut told = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut told).await.expect("text");
    assert_eq!(child.wait().await.expect("its end").code(), Some(1));
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let short = |row: &Value| format!("{} {} {}", row["line"], row["result"], row["code"]);
    let right = [
        r#"1 "set" null"#,
        r#"3 "refused" "BAD_LINE""#,
        r#"4 "refused" "BAD_LINE""#,
        r#"5 "refused" "INVALID_QUANTITY""#,
    ];
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), right);
    verified(&place).await;
}

#[tokio::test]
async fn a_reader_who_goes_away_stops_no_import_and_ends_an_export() {
    let place = Place::new().await;
    let rows = (0..2_000).map(|at| format!("P{at},A product,100,EUR,1\n"));
    let text = format!("sku,name,price_amount,price_currency,stock\n{}", rows.collect::<String>());
    fs::write(place.folder().join("new.csv"), text).expect("a file");
    for arguments in [&["import", "new.csv", "--mode", "create"][..], &["export"], &["export", "--format", "jsonl"]] {
        let mut child = command(&place)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        drop(child.stdout.take());
        let end = child.wait_with_output().await.expect("its end");
        let told = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success() && !told.contains("onhand:"), "{arguments:?}: {told}");
    }
    assert_eq!(totals(&place).await.len(), 2_000);
    verified(&place).await;
}

#[tokio::test]
async fn beside_a_server_on_sqlite_it_reads_but_does_not_write() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let server = Process::start(&place).await;
    let (code, told) = import(&place, "add.csv", "sku,stock\nMUG-BLUE,5\n", &["--mode", "add"]).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("stop the server first, or use its API"), "{told}");
    let (code, told) = run(&place, &["import", "add.csv", "--mode", "add", "--dry-run", "--all"]).await;
    assert_eq!((code, told.contains("2,MUG-BLUE,added,,,10,10,15,15")), (0, true), "{told}");
    assert_eq!(totals(&place).await.len(), 12);
    assert!(server.stop("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_the_changes_of_an_import_beside_their_server() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    // Enough for every order, whichever of the two is faster.
    let mug = shop.product("MUG", 20).await;
    shop.product("CUP", 0).await;
    let archived = shop.product("OLD", 1).await;
    shop.archive(&archived).await;
    let mut socket = Socket::open(&shop).await;
    let badge = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total version } }";
    socket.subscribe("badge", badge, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("badge").await["stockChanged"], json!({ "total": 20, "version": 1 }));
    let rows = "MUG,1\nCUP,1\n".repeat(300);
    let importing = import(shop.place(), "add.csv", format!("sku,stock\n{rows}"), &["--mode", "add"]);
    let selling = async {
        for _ in 0..20 {
            let order = shop.order_of(&mug).await;
            shop.pay(&order).await;
        }
    };
    let ((code, told), ()) = tokio::join!(importing, selling);
    assert_eq!(code, 0, "{told}");
    loop {
        if socket.data("badge").await["stockChanged"]["version"] == 321 {
            break;
        }
    }
    assert_eq!(shop.stock(&mug).await, (320, 20, 300));
    assert_eq!(totals(shop.place()).await, [("CUP".to_owned(), 300), ("MUG".to_owned(), 320)]);
    assert_eq!(exported(shop.place(), &["--archived", "--format", "jsonl"]).await.len(), 3);
    shop.close().await;
}

/// Keys are forgotten one by one. After its lifetime a file is another import as a whole, whatever is left of its keys.
#[tokio::test]
async fn an_import_is_forgotten_as_a_whole() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let rows: Vec<_> = (1..=40).map(|units| format!("A1,{units}")).collect();
    let rows = rows.join("\n");
    let again = async || {
        let (code, told) = import(&place, "add.csv", format!("sku,stock\n{rows}"), &["--mode", "add"]).await;
        assert_eq!(code, 0, "{told}");
        told.lines().last().unwrap_or_default().to_owned()
    };
    let age = async |hours: i64, forgotten: &str| {
        let db = Database::connect(place.url.as_str()).await.expect("the database");
        for row in idempotency_key::Entity::find().all(&db).await.expect("the keys") {
            if row.key.ends_with(forgotten) {
                row.delete(&db).await.expect("a key");
            } else {
                let created_at = row.created_at - chrono::Duration::hours(hours);
                let row = idempotency_key::ActiveModel { created_at: Set(created_at), ..row.into() };
                row.update(&db).await.expect("a key");
            }
        }
        db.close().await.expect("an end");
    };
    let earlier = "40 rows, 40 unchanged, 40 of these done by an earlier run";
    assert_eq!(again().await, "40 rows, 40 added");
    age(23, "none").await;
    assert!(again().await.starts_with(earlier), "it is remembered to the end of its time");
    age(2, "7").await;
    assert_eq!(
        again().await,
        "40 rows, 40 added",
        "25 hours later four of its lines are forgotten, and the rest with them"
    );
    assert!(again().await.starts_with(earlier), "and that is remembered");
    let (code, told) = run(&place, &["import", "add.csv", "--mode", "add", "--dry-run"]).await;
    assert!(code == 0 && told.contains("40 of these done by an earlier run"), "{told}");
    age(25, "7").await;
    let (code, told) = run(&place, &["import", "add.csv", "--mode", "add", "--dry-run"]).await;
    assert!(code == 0 && told.contains("40 rows, 40 added; a dry run"), "{told}");
    verified(&place).await;
}

/// Before imports were remembered as a whole, the key of a line was the import's name and its number.
#[tokio::test]
async fn what_an_older_release_did_is_not_done_again() {
    let place = Place::new().await;
    import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    let add = ["--mode", "add", "--id", "50%_off"];
    assert_eq!(import(&place, "add.csv", "sku,stock\nA1,1\nA1,2\n", &add).await.0, 0);
    let db = Database::connect(place.url.as_str()).await.expect("the database");
    for row in idempotency_key::Entity::find().all(&db).await.expect("the keys") {
        let old =
            row.key.rsplit_once('/').map(|(_, line)| format!("50%_off/{line}")).filter(|_| row.key.starts_with("50%"));
        idempotency_key::Entity::delete_by_id((row.scope.clone(), row.key.clone())).exec(&db).await.expect("a key");
        if let Some(key) = old {
            let row = idempotency_key::Model { key, ..row };
            row.into_active_model().reset_all().insert(&db).await.expect("a key");
        }
    }
    db.close().await.expect("an end");
    let (_, told) = import(&place, "add.csv", "sku,stock\nA1,1\nA1,2\n", &add).await;
    assert!(told.contains("2 of these done by an earlier run"), "{told}");
    verified(&place).await;
}
