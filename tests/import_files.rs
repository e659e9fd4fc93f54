//! Malformed files: no malformed row is done, and no row is skipped without a result.

use std::fs;
use std::process::Stdio;

use sea_orm::{ActiveModelTrait, Database, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::process::{command, run};
use crate::support::{Client, Place, Process, is_postgres};

const CATALOGUE: &str = "sku,name,price_amount,price_currency,stock\nMUG-BLUE,Mug,100,EUR,10\nTEAPOT,Pot,100,EUR,10\n\
    MUG-GREEN,Mug,100,EUR,10\nMUG BLUE,Mug,100,EUR,10\nTV-42,TV,100,EUR,10\n";

async fn shop() -> Place {
    let place = Place::new().await;
    let (code, told) = import(&place, "catalogue.csv", CATALOGUE, &["--mode", "create"]).await;
    assert_eq!((code, told.as_str()), (0, "5 rows, 5 created\n"));
    place
}

async fn import(place: &Place, name: &str, text: impl AsRef<[u8]>, options: &[&str]) -> (i32, String) {
    fs::write(place.folder().join(name), text).expect("a file");
    run(place, &[&["import", name], options].concat()).await
}

/// Returns the rows of an export, by SKU.
async fn exported(place: &Place) -> Vec<Value> {
    let (code, text) = run(place, &["export", "--archived", "--format", "jsonl"]).await;
    assert_eq!(code, 0, "{text}");
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    rows.sort_by_key(|row| row["sku"].as_str().map(str::to_owned));
    rows
}

async fn total(place: &Place, sku: &str) -> Value {
    exported(place).await.into_iter().find(|row| row["sku"] == sku).map_or(Value::Null, |row| row["stock"].clone())
}

#[tokio::test]
async fn a_quotation_mark_out_of_place_swallows_no_row() {
    let place = shop().await;
    let before = exported(&place).await;
    let head = "sku,stock,description";
    for (rows, line) in [
        ("MUG-BLUE,24,\"5 inch\nTEAPOT,7,pot\nMUG-GREEN,12,green\n", "line 2 is never closed"),
        (
            "MUG-BLUE,24,\"5\nTEAPOT,7,pot\nMUG-GREEN,12,\"x\"\n",
            "begins on line 2, and goes on after its closing mark on line 4",
        ),
        ("MUG-BLUE,24,a\nTV-42,3,\"42\" TV\"\nMUG-GREEN,12,green\n", "begins on line 3"),
        ("MUG-BLUE,24,a\nTEAPOT,7,\"pot", "line 3 is never closed"),
        ("MUG-BLUE,1,5\" pipe,\"x\nTEAPOT,2,foo 5\"\nMUG-GREEN,3,green\n", "begins on line 2"),
        ("MUG-BLUE,24, \"5 inch\nTEAPOT,7,pot\"\n", "begins on line 2"),
    ] {
        for line_break in ["\n", "\r\n", "\r"] {
            let text = format!("{head}\n{rows}").replace('\n', line_break);
            for mode in ["add", "set"] {
                for options in [&["--mode", mode][..], &["--mode", mode, "--dry-run"]] {
                    let (code, told) = import(&place, "bad.csv", &text, options).await;
                    assert_eq!((code, told.contains(line)), (2, true), "{text:?}, {options:?}: {told}");
                }
            }
        }
    }
    assert_eq!(exported(&place).await, before, "the file is refused before anything changes");

    // Where such a row ends is known, so the others are done.
    let rows = "TEAPOT,1,5\" pot\nMUG-GREEN,2,\"a\" b\nTV-42,3,\"42\"\"\nwide\"\n\nMUG-BLUE,4,x";
    let right = "line,sku,result,code,reason,total_before,available_before,total_after,available_after\n\
        2,,refused,BAD_LINE,";
    for (options, sums) in [
        (&["--mode", "add", "--dry-run"][..], "4 rows, 2 added, 2 refused; a dry run: nothing was changed\n"),
        (&["--mode", "add"], "4 rows, 2 added, 2 refused\nfix the refused lines"),
    ] {
        let (code, told) = import(&place, "marks.csv", format!("{head}\n{rows}"), options).await;
        assert!(code == 1 && told.starts_with(right) && told.contains("\n3,,refused,BAD_LINE,"), "{told}");
        assert!(told.contains(sums) && !told.contains("\n4,"), "{told}");
    }
    assert_eq!(total(&place, "TEAPOT").await, 10);
    assert_eq!((total(&place, "TV-42").await, total(&place, "MUG-BLUE").await), (json!(13), json!(14)));
    // The rows are fixed in place; what was done has its line, also after a row of two lines.
    let id = run(&place, &["import", "marks.csv", "--mode", "add"]).await.1;
    let id = id
        .split_once("--id ")
        .and_then(|(_, rest)| rest.split_once(':'))
        .map(|(id, _)| id.to_owned())
        .expect("its name");
    let mended = rows.replace("5\" pot", "5 pot").replace("\"a\" b", "a b");
    let (code, told) = import(&place, "marks.csv", format!("{head}\n{mended}"), &["--mode", "add", "--id", &id]).await;
    assert_eq!((code, told.as_str()), (0, told.as_str()));
    assert!(told.starts_with("4 rows, 2 added, 2 unchanged, 2 of these done by an earlier run"), "{told}");
}

#[tokio::test]
async fn numbers_have_one_reading() {
    let place = shop().await;
    let before = exported(&place).await;
    let numbers =
        ["+5", "-5", "5.0", "1e3", "\"1,000\"", "1 000", "\u{ff15}", "\u{665}", "0x5", "\u{2212}5", "'+5", "'5"];
    let csv = numbers.map(|number| format!("MUG-BLUE,{number}\n")).concat();
    let bare = || numbers.iter().map(|number| number.trim_matches('"'));
    let json_numbers = bare().map(|number| json!(number).to_string()).chain(bare().map(str::to_owned));
    let jsonl: Vec<_> = json_numbers.map(|number| format!("{{\"sku\":\"MUG-BLUE\",\"stock\":{number}}}\n")).collect();
    for mode in ["add", "set"] {
        let (code, told) = import(&place, "plus.csv", format!("sku,stock\n{csv}"), &["--mode", mode]).await;
        for (line, number) in (2..).zip(numbers) {
            let refused = format!("\n{line},MUG-BLUE,refused,INVALID_QUANTITY,");
            assert!(code == 1 && told.contains(&refused), "{mode} {number}: {told}");
        }
        let (code, told) = import(&place, "plus.jsonl", jsonl.concat(), &["--mode", mode]).await;
        for line in 1..=2 * numbers.len() {
            let mut of_line = told.lines().filter(|told| told.starts_with(&format!("{{\"line\":{line},")));
            let is_refused = |told: &str| told.contains("\"INVALID_QUANTITY\"") || told.contains("\"BAD_LINE\"");
            assert!(code == 1 && of_line.next().is_some_and(is_refused), "{mode} {line}: {told}");
        }
    }
    assert_eq!(exported(&place).await, before);
    let (code, told) = import(&place, "set.csv", "sku,stock\nMUG-BLUE, 007 \n", &["--mode", "set"]).await;
    assert_eq!((code, total(&place, "MUG-BLUE").await), (0, json!(7)), "{told}");
}

#[tokio::test]
async fn a_sku_is_never_altered_on_its_way() {
    let place = shop().await;
    let row = |sku: &str| format!("{{\"sku\":{sku},\"name\":\"N\",\"price_amount\":100,\"price_currency\":\"EUR\"}}\n");
    let numbers = ["12345678901234567890123", "1.10", "1E10", "4006381333931", "true", "0", "-1"];
    let rows: String = numbers.iter().map(|sku| row(sku)).chain([row("\"1.10\""), row("\"0042\"")]).collect();
    let (code, told) = import(&place, "numeric.jsonl", rows, &["--mode", "create"]).await;
    assert_eq!((code, told.matches("BAD_LINE").count()), (1, numbers.len()), "{told}");
    assert!(told.contains("9 rows, 2 created, 7 refused"), "{told}");
    let skus: Vec<_> = exported(&place).await.iter().map(|row| row["sku"].clone()).collect();
    assert_eq!(skus.len(), 7);
    assert!(skus.contains(&json!("1.10")) && skus.contains(&json!("0042")), "{skus:?}");
    // Every text comes back as it was, in both forms.
    let texts = json!({ "sku": "=T-1", "name": "'+ \"a\",\tb".replace('\t', " "), "price_amount": 1, "price_currency": "EUR",
        "description": "'=1+1\r\n  two  spaces\n\n\u{1f469}\u{200d}\u{1f373} end'" });
    let (code, told) = import(&place, "texts.jsonl", format!("{texts}\n"), &["--mode", "create"]).await;
    assert_eq!(code, 0, "{told}");
    let there = Place::new().await;
    for name in ["out.csv", "out.jsonl"] {
        let file = place.folder().join(name).display().to_string();
        assert_eq!(run(&place, &["export", "--output", &file]).await.0, 0);
        for (place, mode, what) in [(&place, "set", "8 unchanged"), (&there, "create", "8 ")] {
            let (code, told) = run(place, &["import", &file, "--mode", mode]).await;
            assert!(code == 0 && told.contains(what), "{name}, {mode}: {told}");
        }
        assert_eq!(exported(&there).await, exported(&place).await, "{name}");
    }
}

#[tokio::test]
async fn what_looks_alike_is_one_sku() {
    let place = shop().await;
    let alike = [
        "MUG\u{a0}BLUE",
        "MUG\u{202f}BLUE",
        "MUG\u{3000}BLUE",
        "MUG  BLUE",
        "MUG-BLUE\u{fe0f}",
        "MUG\u{34f}-BLUE",
        "MUG-BLUE\u{e0100}",
        "MUG\u{2011}BLUE",
        "MUG-\u{412}LUE",
        "\u{ff2d}UG-BLUE",
        "\u{3164}",
        "\u{2800}",
        "\u{115f}\u{1160}",
    ];
    let row =
        |sku: &str| json!({ "sku": sku, "name": sku, "price_amount": 1, "price_currency": "EUR" }).to_string() + "\n";
    let rows: String = alike.iter().map(|sku| row(sku)).collect();
    for options in [&["--mode", "create", "--dry-run"][..], &["--mode", "create"]] {
        let (code, told) = import(&place, "skus.jsonl", &rows, options).await;
        assert!(code == 1 && told.contains("13 rows, 13 refused"), "{told}");
        assert_eq!(told.matches("INVALID_INPUT").count(), 13, "{told}");
    }
    // What was pasted from a page finds the plain one.
    let (code, told) =
        import(&place, "scan.csv", "sku,stock\nMUG\u{a0}BLUE,3\nmug\u{2011}blue,4\n", &["--mode", "add"]).await;
    assert_eq!((code, told.as_str()), (0, "2 rows, 2 added\n"));
    assert_eq!((total(&place, "MUG BLUE").await, total(&place, "MUG-BLUE").await), (json!(13), json!(14)));
    // A word of another alphabet that looks like one of ours.
    let (code, told) = import(&place, "twin.jsonl", row("COK-1") + &row("СОК-1"), &["--mode", "create"]).await;
    assert!(
        code == 1 && told.contains("\"line\":2,\"sku\":\"СОК-1\",\"result\":\"refused\",\"code\":\"ALREADY_EXISTS\""),
        "{told}"
    );
    let (_, told) =
        import(&place, "twin.jsonl", row("COK-1") + &row("СОК-1"), &["--mode", "create", "--dry-run", "--id", "x"])
            .await;
    assert!(told.contains("\"line\":2,\"sku\":\"СОК-1\",\"result\":\"refused\",\"code\":\"ALREADY_EXISTS\""), "{told}");
}

/// A release before these rules took such SKUs. Their products are reached as ever, and neither they nor others are lost.
#[tokio::test]
async fn what_older_releases_stored_stays_reachable() {
    let place = shop().await;
    let old = ["MUG\u{a0}BLUE", "MUG-GREEN\u{fe0f}", "\u{3164}", "TEA  POT", "\u{ff34}V-42"];
    let rows = old.iter().enumerate().map(|(at, _)| {
        json!({ "sku": format!("OLD-{at}"), "name": format!("Old {at}"), "price_amount": 1,
            "description": format!("Of {at}"), "price_currency": "EUR", "stock": 1 })
    });
    let rows: String = rows.map(|row| row.to_string() + "\n").collect();
    assert_eq!(import(&place, "old.jsonl", rows, &["--mode", "create"]).await.0, 0);
    let db = Database::connect(place.url.as_str()).await.expect("the database");
    for (at, sku) in old.iter().enumerate() {
        for row in entity::product::Entity::find().all(&db).await.expect("the products") {
            if row.sku == format!("OLD-{at}") {
                let description = Some("\u{2800}".to_owned());
                let row =
                    entity::product::Model { sku: (*sku).to_owned(), sku_key: sku.to_lowercase(), description, ..row };
                row.into_active_model().reset_all().update(&db).await.expect("an old row");
            }
        }
    }
    db.close().await.expect("an end");
    let exported_before = exported(&place).await;
    for mode in ["set", "create"] {
        let file = place.folder().join(format!("{mode}.csv")).display().to_string();
        assert_eq!(run(&place, &["export", "--output", &file]).await.0, 0);
        let (code, told) = run(&place, &["import", &file, "--mode", mode]).await;
        assert_eq!((code, told.as_str()), (0, "10 rows, 10 unchanged\n"), "{mode}");
    }
    assert_eq!(exported(&place).await, exported_before);
    let add: String = old.iter().map(|sku| json!({ "sku": sku, "stock": 5 }).to_string() + "\n").collect();
    let (code, told) = import(&place, "add.jsonl", add, &["--mode", "add"]).await;
    assert_eq!((code, told.as_str()), (0, "5 rows, 5 added\n"));
    for sku in old {
        assert_eq!(total(&place, sku).await, 6, "{sku:?}");
    }
    for sku in ["MUG BLUE", "MUG-GREEN", "TV-42"] {
        assert_eq!(total(&place, sku).await, 10, "{sku:?} is another one");
    }
    let server = Process::start(&place).await;
    let (url, http) = server.another();
    let client = Client { url, authorization: None, http };
    let by = "query($sku: String!) { product(by: { sku: $sku }) { id name sku } }";
    for (at, sku) in old.iter().enumerate() {
        let found = client.data(by, json!({ "sku": sku })).await;
        assert_eq!(found["product"]["name"], format!("Old {at}"), "{sku:?}");
        let rename = "mutation($id: ID!, $name: String!) { updateProduct(input: { id: $id, name: $name }) { userErrors { code } } }";
        let renamed = client.data(rename, json!({ "id": found["product"]["id"], "name": format!("New {at}") })).await;
        assert_eq!(renamed["updateProduct"]["userErrors"], json!([]), "{sku:?} keeps its key");
        let found = client.data(by, json!({ "sku": sku })).await;
        assert_eq!(found["product"]["name"], format!("New {at}"), "{sku:?}");
    }
    let found = client.data(by, json!({ "sku": "TEA POT" })).await;
    assert_eq!(found["product"], Value::Null, "only what was stored finds what nobody could type");
    let found = client.data("{ products(search: \"mug\u{a0}b\") { nodes { sku } } }", json!({})).await;
    assert_eq!(found["products"]["nodes"].as_array().map(Vec::len), Some(2), "{found}");
    assert!(server.stop("TERM").await.success());
}

#[tokio::test]
async fn archived_products_are_named() {
    let place = shop().await;
    let server = Process::start(&place).await;
    let read = "{ product(by: { sku: \"TEAPOT\" }) { id } }";
    let id = server.ask(read, json!({})).await.expect("an answer")["data"]["product"]["id"].clone();
    let archive = "mutation($id: ID!) { archiveProduct(input: { id: $id }) { userErrors { code } } }";
    let archived = server.ask(archive, json!({ "id": id })).await.expect("an answer");
    assert_eq!(archived["data"]["archiveProduct"]["userErrors"], json!([]), "{archived}");
    assert!(server.stop("TERM").await.success());
    for (mode, text, result) in [
        ("create", CATALOGUE.replace("Mug,100,EUR,10\nTE", "Mug,100,EUR,10\nte"), "3,teapot,unchanged,,"),
        ("add", "sku,stock\nMUG-BLUE,1\nteapot,1\n".to_owned(), "3,teapot,added,,"),
        ("set", "sku,stock\nMUG-BLUE,11\nteapot,20\n".to_owned(), "3,teapot,set,,"),
    ] {
        let text = text.replace("teAPOT", "teapot");
        for options in [&["--mode", mode, "--dry-run"][..], &["--mode", mode]] {
            let (code, told) = import(&place, "archived.csv", &text, options).await;
            let named = told.lines().nth(1).unwrap_or_default();
            assert!(code == 0 && named.starts_with(result) && named.contains("archived"), "{options:?}: {told}");
            assert!(told.contains(", 1 of an archived product") && !told.contains("MUG-BLUE"), "{told}");
        }
        let (_, again) = run(&place, &["import", "archived.csv", "--mode", mode]).await;
        assert!(again.contains("The product is archived"), "an earlier run did it: {again}");
    }
}

/// Imports standard input where no temporary files can be written.
async fn piped(place: &Place, temporary: &str, text: &[u8], options: &[&str]) -> (i32, String) {
    let mut child = command(place)
        .args(["import", "-", "--format", "csv"])
        .args(options)
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut stdin = child.stdin.take().expect("its input");
    // It may end before it has read everything.
    let written = async {
        let _ = stdin.write_all(text).await;
        drop(stdin);
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), written);
    let output = output.expect("its end");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(told).expect("text"))
}

#[tokio::test]
async fn standard_input_needs_no_temporary_files() {
    let place = shop().await;
    let file = place.folder().join("catalogue.csv").display().to_string();
    for (at, temporary) in ["/nonexistent", file.as_str(), "/proc"].into_iter().enumerate() {
        let text = format!("sku,stock\nMUG-BLUE,{}\n", at + 1);
        let (code, told) = piped(&place, temporary, text.as_bytes(), &["--mode", "add", "--dry-run"]).await;
        assert_eq!((code, told.as_str()), (0, "1 row, 1 added; a dry run: nothing was changed\n"), "{temporary}");
        let (code, told) = piped(&place, temporary, text.as_bytes(), &["--mode", "add"]).await;
        assert_eq!((code, told.as_str()), (0, "1 row, 1 added\n"), "{temporary}");
        let output = command(&place).arg("export").env("TMPDIR", temporary).output().await.expect("a process");
        assert!(output.status.success() && output.stdout.split(|byte| *byte == b'\n').count() == 7, "{output:?}");
    }
    assert_eq!(total(&place, "MUG-BLUE").await, 16);
    // What does not fit into memory needs a file, and that is said before anything changes.
    let large = [&b"sku,stock\nMUG-BLUE,1\n"[..], &[&b" ".repeat(100_000)[..], b"\n"].concat().repeat(340)].concat();
    let (code, told) = piped(&place, "/nonexistent", &large, &["--mode", "add"]).await;
    assert!(code == 2 && told.contains("32 MB") && told.contains("TMPDIR"), "{told}");
    let temporary = place.folder().display().to_string();
    let (code, told) = piped(&place, &temporary, &large, &["--mode", "add"]).await;
    assert_eq!((code, told.as_str()), (0, "1 row, 1 added\n"));
}

#[tokio::test]
async fn an_import_that_is_stopped_says_how_far_it_came() {
    const ROWS: usize = 8_000;
    let place = shop().await;
    fs::write(place.folder().join("add.csv"), "sku,stock\n".to_owned() + &"MUG-BLUE,1\n".repeat(ROWS)).expect("a file");
    let mut done = 0;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = command(&place)
            .args(["import", "add.csv", "--mode", "add", "--all"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let id = child.id().expect("it is running").to_string();
        let mut lines =
            tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().expect("its output")));
        while !lines.next_line().await.expect("its output").expect("it is not at its end").contains(",added,") {}
        let sent = tokio::process::Command::new("kill").args(["-s", signal, &id]).status().await.expect("kill");
        assert!(sent.success());
        let (output, ()) = tokio::join!(child.wait_with_output(), async {
            while lines.next_line().await.expect("its output").is_some() {}
        });
        let output = output.expect("its end");
        let told = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(code), "{told}");
        let rows = told.split_once("stopped after ").and_then(|(_, rest)| rest.split_once(" of 8000 rows: "));
        let rows: usize = rows.unwrap_or_else(|| panic!("{told}")).0.parse().expect("a number");
        assert!(rows > done && rows < ROWS && told.contains("run the same command again"), "{told}");
        assert_eq!(total(&place, "MUG-BLUE").await, 10 + rows, "what it says is what it did");
        done = rows;
    }
    let (code, told) = run(&place, &["import", "add.csv", "--mode", "add"]).await;
    assert!(code == 0 && told.starts_with("8000 rows, ") && told.contains(&format!("{done} of these done")), "{told}");
    assert_eq!(total(&place, "MUG-BLUE").await, 10 + ROWS);
    if !is_postgres() {
        let journal = place.folder().join("shop.db-wal");
        assert!(fs::metadata(journal).map_or(0, |file| file.len()) == 0, "the file has everything");
    }
}

#[tokio::test]
async fn a_row_that_is_refused_keeps_no_good_one_away() {
    let place = shop().await;
    let row = |name: &str| {
        json!({ "sku": "A1", "name": name, "price_amount": 1, "price_currency": "EUR" }).to_string() + "\n"
    };
    for options in [&["--mode", "create", "--dry-run"][..], &["--mode", "create"]] {
        let (code, told) = import(&place, "twice.jsonl", row("\u{200b}") + &row("good") + &row("again"), options).await;
        assert!(code == 1 && told.contains("3 rows, 1 created, 2 refused"), "{told}");
        assert!(told.contains("\"line\":3,") && told.contains("This SKU is on line 2 already."), "{told}");
    }
}

#[tokio::test]
async fn rows_that_mean_one_product_are_not_both_done() {
    let place = shop().await;
    let cyrillic = "{\"sku\":\"COK-1\",\"name\":\"C\",\"price_amount\":1,\"price_currency\":\"EUR\"}\n";
    assert_eq!(import(&place, "cok.jsonl", cyrillic, &["--mode", "create"]).await.0, 0);
    let rows = "sku,stock\nMUG-BLUE,1\nMUG\u{2013}BLUE,2\nCOK-1,3\nСОК-1,4\n";
    for options in [&["--mode", "set", "--dry-run"][..], &["--mode", "set"]] {
        let (code, told) = import(&place, "set.csv", rows, options).await;
        assert!(code == 1 && told.contains("4 rows, 2 set, 2 refused"), "{told}");
        assert!(told.contains("line 2 already") && told.contains("line 4 already"), "{told}");
    }
    assert_eq!((total(&place, "MUG-BLUE").await, total(&place, "COK-1").await), (json!(1), json!(3)));
}
