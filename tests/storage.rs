//! What a database can refuse and how it can fail: nothing is answered or pushed that a fresh connection would not read,
//! and work goes on when the cause is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::process::{command, run};
use crate::support::{Client, Place, Process, Shop, Socket, eventually, is_postgres};

const MUG: &str = "product_01j0000000e008000000000002";
const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total version } }";
const RECEIVE: &str = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) \
    { stocks { total } userErrors { code } } }";
const READ: &str = "query($id: ID!) { stock(productId: $id) { total version } }";

/// Size that the write-ahead log is cut to, in bytes.
const MAX_JOURNAL: u64 = 12 * 1_024 * 1_024;

/// Longest file that fills a small disk.
const FILLER: usize = 64 * 1_024 * 1_024;

/// `OK`, or the code of the first error.
async fn receive(client: &Client, product: &str) -> String {
    let answer = client.ask(RECEIVE, json!({ "id": product })).await;
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("OK").to_owned()
}

async fn total(client: &Client, product: &str) -> i64 {
    let data = client.data(READ, json!({ "id": product })).await;
    data["stock"]["total"].as_i64().unwrap_or_else(|| panic!("{data}"))
}

async fn ready(client: &Client) -> StatusCode {
    let answer = client.client().get(format!("{}/health/ready", client.url)).send().await;
    answer.expect("an answer").status()
}

/// Every total that is pushed is one that was committed: none above `most`.
async fn last_pushed(badge: &mut Socket, until: i64) {
    loop {
        let pushed = badge.data("badge").await["stockChanged"]["total"].as_i64().expect("a number");
        assert!(pushed <= until, "{pushed} was pushed, but only {until} is stored");
        if pushed == until {
            return;
        }
    }
}

fn client(server: &Process) -> Client {
    let (url, http) = server.another();
    Client { url, authorization: None, http }
}

/// The first test of a kind says that it did not run where the machine does not let it.
fn not_run(why: &str) {
    eprintln!("NOT RUN: {why}");
}

/// Whether this machine lets its users mount something, each in a namespace of its own.
async fn may_mount(folder: &Path) -> bool {
    let probe = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder).output().await;
    probe.is_ok_and(|output| output.status.success())
}

/// A server in a mount namespace of its own, with its file on a small disk, and how that disk is reached from here.
async fn on_a_small_disk(place: &mut Place) -> Option<(Process, PathBuf)> {
    let disk = place.folder().join("disk");
    fs::create_dir(&disk).expect("a folder");
    place.url = format!("sqlite://{}/shop.db", disk.display());
    if !may_mount(&disk).await {
        return None;
    }
    let script = r#"mount -t tmpfs -o size=6m tmpfs "$1" && shift && exec "$@""#;
    let server = Process::start_by(place, |server| {
        let mut wrapped = Command::new("unshare");
        wrapped.args(["-rm", "sh", "-c", script, "sh"]).arg(&disk).arg(server.as_std().get_program());
        wrapped
    })
    .await;
    let seen = format!("/proc/{}/root{}", server.id(), disk.display());
    Some((server, seen.into()))
}

/// Runs a command of the binary where a server sees its disk, and returns what it prints.
async fn beside(server: &Process, place: &Place, arguments: &[&str]) -> String {
    let pid = server.id().to_string();
    let mut entered = Command::new("nsenter");
    entered.args(["-t", &pid, "-U", "-m", "--preserve-credentials"]).arg(command(place).as_std().get_program());
    entered.args(arguments).env("DATABASE_URL", &place.url).env("RUST_BACKTRACE", "0");
    let output = entered.output().await.expect("nsenter");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Fills a disk to its last byte.
fn fill(disk: &Path) {
    use std::io::Write;
    let mut filler = fs::File::options().create(true).append(true).open(disk.join("filler")).expect("a file");
    for size in [64 * 1_024, 4_096, 1] {
        let bytes = vec![1_u8; size];
        for _ in 0..FILLER / size {
            if filler.write_all(&bytes).is_err() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_certain_no_and_work_goes_on_when_there_is_space() {
    if is_postgres() {
        return;
    }
    let mut place = Place::new().await;
    let Some((server, disk)) = on_a_small_disk(&mut place).await else {
        return not_run("a small disk needs a mount namespace");
    };
    let client = client(&server);
    let mut badge = Socket::open(&client).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [MUG] })).await;
    let mut stored = badge.data("badge").await["stockChanged"]["total"].as_i64().expect("a number");
    for round in 0..2 {
        fill(&disk);
        let mut refused = 0;
        for _ in 0..40 {
            match receive(&client, MUG).await.as_str() {
                "OK" => stored += 1,
                "UNAVAILABLE" => refused += 1,
                other => panic!("round {round}: {other}"),
            }
        }
        assert!(refused >= 30, "round {round}: the disk is full, but {refused} were refused");
        assert_eq!(total(&client, MUG).await, stored);
        let fresh = beside(&server, &place, &["export", "--format", "jsonl"]).await;
        let rows = fresh.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let row = rows.into_iter().find(|row| row["sku"] == "MUG-GREEN").unwrap_or_else(|| panic!("{fresh}"));
        assert_eq!(row["stock"], stored, "what a fresh connection reads: {row}");
        assert!(beside(&server, &place, &["verify"]).await.contains("no differences"));
        eventually("it is not ready while it cannot store anything", || async {
            ready(&client).await == StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
        fs::remove_file(disk.join("filler")).expect("the filler");
        eventually("it is ready again without a request", || async { ready(&client).await == StatusCode::OK }).await;
        assert_eq!(receive(&client, MUG).await, "OK");
        stored += 1;
        assert_eq!(total(&client, MUG).await, stored, "what was refused was not stored later");
        last_pushed(&mut badge, stored).await;
    }
    let log = server.log();
    assert!(server.stop("TERM").await.success());
    assert!(log.lock().expect("a log").contains("the database takes no changes"), "an operator is told");
}

/// A server may be given no place to write to but that of its file, and is not helped by being root.
#[tokio::test]
async fn nothing_that_is_written_needs_a_temporary_file() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    if !may_mount(place.folder()).await {
        return not_run("read-only folders need a mount namespace");
    }
    let file = |name: &str, head: &str, row: fn(usize) -> String| {
        let rows: String = (0..2_000).map(row).collect();
        fs::write(place.folder().join(name), format!("{head}\n{rows}")).expect("a file");
    };
    file("new.csv", "sku,name,price_amount,price_currency,stock", |at| format!("S{at},A thing,100,EUR,5\n"));
    file("set.csv", "sku,stock", |at| format!("S{at},7\n"));
    let script = r#"exec 9<"$2" && mount --bind "$1" /mnt && shift 2
        for folder in /tmp /var/tmp /usr/tmp; do if [ -d $folder ]; then mount -t tmpfs -o ro tmpfs $folder || exit 9; fi; done
        cd /tmp && exec /proc/self/fd/9 "$@""#;
    for (arguments, says) in [
        (&["import", "/mnt/new.csv", "--mode", "create"][..], "2000 rows, 2000 created"),
        (&["import", "/mnt/set.csv", "--mode", "set"], "2000 rows, 2000 set"),
        (&["verify"], "no differences"),
    ] {
        let mut sealed = Command::new("unshare");
        sealed.args(["-rm", "sh", "-c", script, "sh"]).arg(place.folder()).arg(command(&place).as_std().get_program());
        sealed.args(arguments).env("DATABASE_URL", "sqlite:///mnt/shop.db");
        let output = sealed.output().await.expect("unshare");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(output.status.success() && told.contains(says), "{arguments:?}: {told}");
    }
}

/// A file that may not grow any more: SQLite's I/O errors at statements and at commits.
#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_loses_nothing_that_was_acknowledged() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let server = Process::start_by(&place, |server| {
        let mut wrapped = Command::new("sh");
        wrapped.args(["-c", r#"trap "" XFSZ; exec "$@""#, "sh"]).arg(server.as_std().get_program());
        wrapped
    })
    .await;
    let client = client(&server);
    let limit = async |bytes: &str| {
        let pid = server.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().await;
        assert!(set.expect("prlimit").success());
    };
    let mut stored = total(&client, MUG).await;
    for _ in 0..3 {
        assert_eq!(receive(&client, MUG).await, "OK");
        stored += 1;
        let journal = fs::metadata(place.folder().join("shop.db-wal")).expect("a write-ahead log").len();
        limit(&journal.to_string()).await;
        for _ in 0..5 {
            let code = receive(&client, MUG).await;
            assert!(["UNAVAILABLE", "TIMEOUT"].contains(&code.as_str()), "{code}");
        }
        assert_eq!(total(&client, MUG).await, stored);
        limit("unlimited").await;
        eventually("it works again", || async { receive(&client, MUG).await == "OK" }).await;
        stored += 1;
        assert_eq!(total(&client, MUG).await, stored);
    }
    server.kill().await;
    let (code, said) = run(&place, &["verify"]).await;
    assert_eq!(code, 0, "{said}");
    let server = Process::start(&place).await;
    assert_eq!(total(&self::client(&server), MUG).await, stored, "what was acknowledged is there, and nothing else");
    assert!(server.stop("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_or_removed_ends_the_server() {
    if is_postgres() {
        return;
    }
    for what in ["replaced", "removed", "its write-ahead log removed"] {
        let place = Place::new().await;
        let server = Process::start(&place).await;
        let client = client(&server);
        assert_eq!(receive(&client, MUG).await, "OK");
        let file = |name: &str| place.folder().join(name);
        match what {
            "replaced" => {
                fs::copy(file("shop.db"), file("copy")).expect("a copy");
                fs::rename(file("copy"), file("shop.db")).expect("in its place");
            }
            "removed" => fs::remove_file(file("shop.db")).expect("a file"),
            _ => fs::remove_file(file("shop.db-wal")).expect("a file"),
        }
        let answer = client.http.post(format!("{}/graphql", client.url));
        let answer = answer.json(&json!({ "query": RECEIVE, "variables": { "id": MUG } })).send().await;
        if let Ok(answer) = answer {
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{what}: {answer}");
        }
        let log = server.log();
        assert_eq!(server.ended().await.code(), Some(2), "{what}");
        let log = log.lock().expect("a log").clone();
        assert!(log.contains("was re"), "it says why: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_became_read_only_is_replaced() {
    if is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    shop.database().execute_unprepared("PRAGMA query_only = ON").await.expect("a setting");
    assert_eq!(receive(&shop, &mug).await, "OK");
    assert_eq!(shop.stock(&mug).await, (6, 0, 6));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_keeps_busy_is_unavailable_and_nothing_else() {
    if is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let stranger = sea_orm::Database::connect(format!("{}?mode=rw", shop.place().url)).await.expect("a connection");
    for _ in 0..2 {
        #[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
        let transaction = stranger.begin().await.expect("a transaction");
        let hold = "UPDATE product SET name = name";
        transaction.execute_unprepared(hold).await.expect("the write lock");
        assert_eq!(receive(&shop, &mug).await, "UNAVAILABLE");
        transaction.rollback().await.expect("an end");
    }
    assert_eq!(receive(&shop, &mug).await, "OK");
    assert_eq!(shop.stock(&mug).await, (6, 0, 6));
    stranger.close().await.expect("an end");
    shop.close().await;
}

/// A reader that takes long lets the write-ahead log grow; when it has ended, the log is cut.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_is_cut_after_a_long_reader() {
    if is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let journal = || fs::metadata(shop.place().folder().join("shop.db-wal")).expect("a write-ahead log").len();
    let reader = sea_orm::Database::connect(format!("{}?mode=rw", shop.place().url)).await.expect("a connection");
    #[expect(clippy::disallowed_methods, reason = "somebody reads for long")]
    let snapshot = reader.begin().await.expect("a transaction");
    let look = "SELECT count(*) FROM stock";
    snapshot.execute_unprepared(look).await.expect("a read");
    let mut changes = 0;
    while journal() <= MAX_JOURNAL {
        assert!(changes < 5_000, "it grows while somebody reads: {}", journal());
        let many = (0..32).map(|_| receive(&shop, &mug));
        assert!(futures_util::future::join_all(many).await.iter().all(|code| code == "OK"));
        changes += 32;
    }
    snapshot.rollback().await.expect("an end");
    reader.close().await.expect("an end");
    eventually("the log is cut", || async { receive(&shop, &mug).await == "OK" && journal() <= MAX_JOURNAL }).await;
    shop.close().await;
}

#[tokio::test]
async fn migrating_leaves_no_write_ahead_log() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let (code, said) = run(&place, &["migrate"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(fs::metadata(place.folder().join("shop.db-wal")).map_or(0, |file| file.len()) == 0);
    let (code, said) = run(&place, &["verify"]).await;
    assert_eq!(code, 0, "{said}");
}

/// What is exported is read whole before it is printed, so that nobody who takes it slowly keeps the snapshot open.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_of_an_export_keeps_nothing_open() {
    let shop = Shop::open().await;
    // More than a pipe takes.
    let description = "x".repeat(4_000);
    for at in 0..40 {
        let input = json!({ "sku": format!("S{at}"), "name": "A name", "description": description,
            "price": { "amount": 1, "currency": "EUR" } });
        assert_eq!(shop.create_product(input).await["userErrors"], json!([]));
    }
    let mut export =
        command(shop.place()).arg("export").stdout(std::process::Stdio::piped()).spawn().expect("a process");
    let mut output = export.stdout.take().expect("its output");
    let mut first = [0];
    tokio::io::AsyncReadExt::read_exact(&mut output, &mut first).await.expect("a byte");
    if is_postgres() {
        let open = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'onhand verify' \
            AND state LIKE 'idle in transaction%'";
        eventually("its snapshot has ended", || async {
            shop.database().execute_unprepared(open).await.expect("an answer").rows_affected() == 0
        })
        .await;
    } else {
        eventually("a checkpoint finds no reader", || async {
            let cut = shop.database().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await;
            let journal = fs::metadata(shop.place().folder().join("shop.db-wal")).expect("a write-ahead log").len();
            cut.is_ok() && journal == 0
        })
        .await;
    }
    assert!(export.try_wait().expect("a state").is_none(), "it waits for its reader");
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut output, &mut rest).await.expect("the rest");
    assert!(export.wait().await.expect("an end").success());
    let rest = String::from_utf8(rest).expect("text");
    assert_eq!(rest.lines().count(), 41);
    shop.close().await;
}

/// What PostgreSQL answers to a statement or to COMMIT, by the code that it raises.
#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_refuses_changes_nothing() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let (bad, good) = (shop.product("BAD", 5).await, shop.product("GOOD", 5).await);
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [bad] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["total"], 5);
    let raise = |code: &str| format!("RAISE EXCEPTION 'as the test wants' USING ERRCODE = '{code}'");
    // What concerns the whole database fails whoever is in the same transaction; what concerns one row, nobody else.
    let cases = [
        (raise("53100"), "UNAVAILABLE", false),
        (raise("53200"), "UNAVAILABLE", false),
        (raise("25006"), "UNAVAILABLE", false),
        (raise("XX000"), "INTERNAL", true),
        ("PERFORM pg_terminate_backend(pg_backend_pid())".to_owned(), "UNAVAILABLE", false),
        ("PERFORM pg_sleep(30)".to_owned(), "UNAVAILABLE", true),
    ];
    let mut received = 5;
    for (action, code, is_of_one_row) in &cases {
        // At the statement that changes the stock, and at COMMIT.
        for (table, trigger) in [
            ("stock", "CREATE TRIGGER fail AFTER UPDATE ON stock"),
            (
                "commit_token",
                "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON commit_token DEFERRABLE INITIALLY DEFERRED",
            ),
        ] {
            if table == "commit_token" && action.contains("sleep") {
                // A COMMIT is not bounded.
                continue;
            }
            let trigger = format!(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT total FROM stock WHERE \
                 product_id = (SELECT id FROM product WHERE sku = 'BAD')) > 5 THEN {action}; END IF; RETURN NULL; END $$; \
                 {trigger} FOR EACH ROW EXECUTE FUNCTION fail()"
            );
            let stranger = sea_orm::Database::connect(&shop.place().url).await.expect("a connection");
            stranger.execute_unprepared(&trigger).await.expect("a trigger");
            let (refused, accepted) = if *is_of_one_row {
                tokio::join!(receive(&shop, &bad), receive(&shop, &good))
            } else {
                (receive(&shop, &bad).await, receive(&shop, &good).await)
            };
            assert_eq!((refused.as_str(), accepted.as_str()), (*code, "OK"), "{action}, {table}");
            received += 1;
            let drop = format!("DROP TRIGGER fail ON {table}; DROP FUNCTION fail()");
            stranger.execute_unprepared(&drop).await.expect("no trigger");
            stranger.close().await.expect("an end");
            assert_eq!((total(&shop, &bad).await, total(&shop, &good).await), (5, received), "{action}, {table}");
        }
    }
    assert!(badge.is_silent_for(Duration::from_millis(700)).await, "what was refused is not pushed");
    assert_eq!(receive(&shop, &bad).await, "OK");
    shop.close().await;
}
