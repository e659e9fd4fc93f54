//! The file of an SQLite database: one reading of its address, one lock by whatever name, nobody else's eyes, and whole at the end.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Stdio;

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::json;
use tokio::process::Command;

use crate::support::process::{command, run};
use crate::support::{Client, Place, Process, codes, is_postgres};

/// Runs a command of the binary on the database at this address: its exit code and its output.
async fn at(place: &Place, url: &str, arguments: &[&str]) -> (i32, String) {
    let output = command(place).args(arguments).env("DATABASE_URL", url).output().await.expect("a process");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap_or(-1), told)
}

/// The names of the files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_percent_sign_has_one_reading() {
    if is_postgres() {
        return;
    }
    for (escaped, plain) in
        [("my%20shop", "my shop"), ("100%25", "100%"), ("why%3f", "why?"), ("a#b", "a#b"), ("50%", "50%")]
    {
        let place = Place::new().await;
        let folder = place.folder().join(plain);
        fs::create_dir(&folder).expect("a folder");
        let url = format!("sqlite://{}/{escaped}/{escaped}.db", place.folder().display());
        let (code, told) = at(&place, &url, &["migrate"]).await;
        assert_eq!(code, 0, "{told}");
        assert_eq!(names(&folder), [format!("{plain}.db"), format!("{plain}.db.lock")], "{url}");
        let (code, told) = at(&place, &url, &["verify"]).await;
        assert!(code == 0 && told.contains("no differences"), "{url}: {told}");
        assert_eq!(at(&place, &url, &["export"]).await.0, 0);
        fs::write(place.folder().join("none.csv"), "sku,stock\n").expect("a file");
        let (code, told) = at(&place, &url, &["import", "none.csv", "--mode", "add", "--dry-run"]).await;
        assert_eq!((code, told.as_str()), (0, "0 rows; a dry run: nothing was changed\n"));
    }
    let place = Place::new().await;
    for bad in [
        "sqlite://shop.db?mode=ro",
        "sqlite://",
        "sqlite://.",
        "sqlite://nowhere/shop.db",
        "sqlite://~/shop.db",
        "sqlite://:memory:",
    ] {
        for command in [&["migrate"][..], &["verify"], &["export"], &["--listen", "127.0.0.1:0"]] {
            let (code, told) = at(&place, bad, command).await;
            assert_eq!(code, 2, "{bad} {command:?}: {told}");
        }
    }
    assert_eq!(names(place.folder()), [""; 0], "nothing was made by the way");
}

#[tokio::test]
async fn a_file_has_one_lock_by_whatever_name() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let folder = place.folder();
    let server = Process::start(&place).await;
    fs::create_dir(folder.join("sub")).expect("a folder");
    symlink("shop.db", folder.join("link.db")).expect("a link");
    symlink(folder, folder.join("sub/folder")).expect("a link");
    fs::hard_link(folder.join("shop.db"), folder.join("hard.db")).expect("a link");
    let all = folder.display();
    let names = [
        format!("sqlite://{all}/shop.db"),
        format!("sqlite:{all}/shop.db"),
        format!("sqlite://{all}/sh%6Fp.db"),
        format!("sqlite://{all}/./sub/../shop.db"),
        format!("sqlite://{all}/link.db"),
        format!("sqlite://{all}/sub/folder/link.db"),
        "sqlite://shop.db".to_owned(),
        "sqlite:sub/folder/shop.db".to_owned(),
    ];
    for name in &names {
        for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate"]] {
            let (code, told) = at(&place, name, arguments).await;
            assert!(code == 2 && told.contains("another onhand is using"), "{name} {arguments:?}: {told}");
        }
        let (code, told) = at(&place, name, &["verify"]).await;
        assert!(code == 0 && told.contains("checked 12 products"), "{name}: {told}");
    }
    // SQLite keeps what was written last beside the name that the server knows.
    let hard = format!("sqlite://{all}/hard.db");
    for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate"], &["verify"], &["export"]] {
        let (code, told) = at(&place, &hard, arguments).await;
        assert!(
            code == 2 && (told.contains("another onhand") || told.contains("several names")),
            "{arguments:?}: {told}"
        );
    }
    assert!(server.stop("TERM").await.success());
    // Nobody knows any more which of them it is beside, unless it is there.
    for name in names.iter().chain([&hard]) {
        for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate"], &["verify"], &["export"]] {
            let (code, told) = at(&place, name, arguments).await;
            assert!(code == 2 && told.contains("several names"), "{name} {arguments:?}: {told}");
        }
    }
    fs::remove_file(folder.join("hard.db")).expect("a name");
    for name in &names {
        let (code, told) = at(&place, name, &["verify"]).await;
        assert!(code == 0 && told.contains("checked 12 products"), "{name}: {told}");
    }
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    let place = Place::new().await;
    let server = Process::start_by(&place, |server| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(server.as_std().get_program());
        shell
    })
    .await;
    let mode = |name: &str| fs::metadata(place.folder().join(name)).map(|file| file.mode() & 0o777);
    if !is_postgres() {
        for name in ["shop.db", "shop.db-wal", "shop.db-shm", "shop.db.lock"] {
            assert_eq!(mode(name).ok(), Some(0o600), "{name}");
        }
    }
    assert!(server.stop("TERM").await.success());
    fs::write(place.folder().join("out.jsonl.part"), "of an export that was broken off").expect("a file");
    fs::write(place.folder().join("add.csv"), "sku,stock\nMUG-BLUE,1\n").expect("a file");
    let script = "umask 0; \"$0\" export --output out.csv && \"$0\" export log --output out.jsonl && \
        \"$0\" import add.csv --mode add --results results.csv";
    let binary = command(&place);
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(binary.as_std().get_program()).current_dir(place.folder()).env_clear();
    let output = shell.env("DATABASE_URL", &place.url).stdout(Stdio::null()).output().await.expect("a process");
    assert!(output.status.success(), "{output:?}");
    for name in ["out.csv", "out.jsonl", "results.csv"] {
        assert_eq!(mode(name).ok(), Some(0o600), "{name}");
    }
}

#[tokio::test]
async fn an_export_goes_to_files_devices_and_standard_output() {
    let place = Place::new().await;
    assert_eq!(run(&place, &["migrate"]).await.0, 0);
    let (code, printed) = run(&place, &["export", "--output", "-"]).await;
    assert!(code == 0 && printed.starts_with("sku,name,"), "{printed}");
    assert_eq!(run(&place, &["export", "--output", "/dev/null"]).await, (0, String::new()));
    assert!(!Path::new("/dev/null.part").exists());
    fs::write(place.folder().join("none.csv"), "sku,stock\nNONE,1\n").expect("a file");
    let (code, told) = run(&place, &["import", "none.csv", "--mode", "add", "--results", "-"]).await;
    assert!(code == 1 && told.contains("2,NONE,refused,NOT_FOUND"), "{told}");
    let made = names(place.folder());
    assert!(!made.iter().any(|name| name.starts_with('-')), "{made:?}");
    let (code, told) = run(&place, &["export", "--output", "nowhere/out.csv"]).await;
    assert!(code == 2 && told.contains("cannot write nowhere/out.csv"), "{told}");
}

#[tokio::test]
async fn what_ends_leaves_a_whole_file() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let journal = || fs::metadata(place.folder().join("shop.db-wal")).map_or(0, |file| file.len());
    fs::write(place.folder().join("add.csv"), "sku,stock\nMUG-BLUE,1\n").expect("a file");
    let server = Process::start(&place).await;
    let id = "product_01j0000000e008000000000001";
    let add = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) { userErrors { code } } }";
    assert!(server.ask(add, json!({ "id": id })).await.is_some());
    assert!(journal() > 0);
    assert!(server.stop("TERM").await.success());
    assert_eq!(journal(), 0, "the server");
    for arguments in [&["migrate"][..], &["import", "add.csv", "--mode", "add"], &["verify"], &["export"]] {
        let (code, told) = run(&place, arguments).await;
        assert_eq!((code, journal()), (0, 0), "{arguments:?}: {told}");
    }
    // The file alone has everything.
    let other = Place::new().await;
    fs::copy(place.folder().join("shop.db"), other.folder().join("shop.db")).expect("a copy");
    let (code, told) = run(&other, &["verify"]).await;
    assert!(code == 0 && told.contains("checked 12 products, 13 stock transactions"), "{told}");
}

#[tokio::test]
async fn verify_looks_at_the_file_itself() {
    if is_postgres() {
        return;
    }
    let place = Place::new().await;
    let server = Process::start_with(&place, &["--webhook-private-networks", "true"]).await;
    // Something in every index: an empty page may lose its end unnoticed, because nothing is there.
    let (url, http) = server.another();
    let shop = Client { url, authorization: None, http };
    shop.webhook("http://127.0.0.1:9/", &["ORDER_CANCELLED"]).await;
    let order = shop.order(&[("product_01j0000000e008000000000001", 1)]).await;
    assert_eq!(codes(&shop.cancel(&order).await), Vec::<&str>::new());
    let cart = shop.cart(&[("product_01j0000000e008000000000001", 1)]).await;
    let held = shop.check_out_with(json!({ "cartId": cart, "hold": true })).await;
    assert!(codes(&held).is_empty(), "{held}");
    assert!(server.stop("TERM").await.success());
    let file = place.folder().join("shop.db");
    // The first page of each: the number of a page that is just somewhere may be one without which the file cannot be opened.
    let db = Database::connect(format!("{}?mode=ro", place.url)).await.expect("the database");
    let roots =
        "SELECT rootpage AS page FROM sqlite_schema WHERE name IN ('product', 'stock_transaction', 'order_by_time')";
    let roots = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, roots)).await.expect("rows");
    let roots: Vec<i64> = roots.iter().map(|row| row.try_get("", "page").expect("a number")).collect();
    db.close().await.expect("an end");
    assert_eq!(roots.len(), 3);
    let sound = fs::read(&file).expect("a file");
    for page in roots {
        let page = usize::try_from(page - 1).expect("a page");
        let mut damaged = sound.clone();
        damaged[page * 4096..page * 4096 + 512].fill(0xaa);
        fs::write(&file, damaged).expect("a file");
        let (code, told) = run(&place, &["verify"]).await;
        assert!(code == 1 && told.contains("the file: ") && !told.contains("no differences"), "page {page}: {told}");
    }
    for length in
        [4096, 3 * 4096, sound.len() / 2, sound.len() / 4096 / 2 * 4096, sound.len() - 4096, sound.len() - 100]
    {
        fs::write(&file, &sound[..length]).expect("a file");
        let (code, told) = run(&place, &["verify"]).await;
        assert!(code == 1 && told.contains("the file: "), "cut to {length} bytes: {told}");
    }
    fs::write(&file, &sound).expect("a file");
    let (code, told) = run(&place, &["verify"]).await;
    assert_eq!(code, 0, "{told}");
    let db = Database::connect(format!("{}?mode=rw", place.url)).await.expect("the database");
    let orphans = "PRAGMA foreign_keys = OFF; DELETE FROM product WHERE sku = 'TEAPOT'";
    db.execute_unprepared(orphans).await.expect("rows without their product");
    db.close().await.expect("an end");
    let (code, told) = run(&place, &["verify"]).await;
    assert!(
        code == 1 && told.contains("the file: rows of stock refer to rows of product that are not there"),
        "{told}"
    );
    fs::write(
        &file,
        "This is no database, but text that is long enough to be taken for a header by a reader".repeat(99),
    )
    .expect("a file");
    let (code, told) = run(&place, &["verify"]).await;
    assert!(code != 0 && !told.contains("no differences"), "{told}");
}

/// A process that is ended while it makes the tables leaves all of a change or nothing of it, and the next one goes on.
#[tokio::test]
async fn a_migration_that_is_broken_off_is_done_by_the_next() {
    if is_postgres() {
        return;
    }
    for signal in ["TERM", "KILL"] {
        // So many pages are in the write-ahead log when it is ended.
        for pages in [0, 1, 4, 8, 16, 24, 32, 48, 64] {
            let place = Place::new().await;
            let journal = place.folder().join("shop.db-wal");
            let mut child = command(&place).arg("migrate").stdout(Stdio::null()).spawn().expect("a process");
            let id = child.id().expect("it is running").to_string();
            let is_far = || fs::metadata(&journal).is_ok_and(|found| found.len() >= pages * 4096);
            while !is_far() && child.try_wait().expect("its state").is_none() {
                tokio::task::yield_now().await;
            }
            // It may have ended meanwhile.
            let _ = Command::new("kill").args(["-s", signal, &id]).stderr(Stdio::null()).status().await;
            child.wait().await.expect("its end");
            let (code, told) = run(&place, &["migrate"]).await;
            assert_eq!(code, 0, "{signal} at {pages} pages: {told}");
            let (code, told) = run(&place, &["verify"]).await;
            assert_eq!(code, 0, "{signal} at {pages} pages: {told}");
        }
    }
}
