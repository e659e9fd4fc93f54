//! Where exports and results are written: never over what is read, and never blocked by a slow reader.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::process::{command, run};
use crate::support::{PATIENCE, Place, is_postgres};

async fn shop() -> Place {
    let place = Place::new().await;
    let rows = "sku,name,price_amount,price_currency,stock\nMUG-BLUE,Mug,100,EUR,10\nTEAPOT,Pot,100,EUR,10\n";
    fs::write(place.folder().join("catalogue.csv"), rows).expect("a file");
    let (code, told) = run(&place, &["import", "catalogue.csv", "--mode", "create"]).await;
    assert_eq!((code, told.as_str()), (0, "2 rows, 2 created\n"));
    place
}

/// Everything that an export has, by SKU.
async fn exported(place: &Place) -> Vec<Value> {
    let (code, text) = run(place, &["export", "--format", "jsonl"]).await;
    assert_eq!(code, 0, "{text}");
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    rows.sort_by_key(|row| row["sku"].as_str().map(str::to_owned));
    rows
}

/// What is written never takes the place of what is read.
#[tokio::test]
async fn nothing_is_written_over_what_is_read() {
    let place = shop().await;
    let before = exported(&place).await;
    let rows = "sku,stock\nMUG-BLUE,1\n";
    fs::write(place.folder().join("rows.csv"), rows).expect("a file");
    fs::hard_link(place.folder().join("rows.csv"), place.folder().join("hard.csv")).expect("a link");
    std::os::unix::fs::symlink("rows.csv", place.folder().join("link.csv")).expect("a link");
    for results in ["rows.csv", "./rows.csv", "hard.csv", "link.csv"] {
        for options in [&["--dry-run"][..], &[]] {
            let (code, told) =
                run(&place, &[&["import", "rows.csv", "--mode", "add", "--results", results], options].concat()).await;
            assert!(code == 2 && told.contains("which is imported"), "{results}: {told}");
        }
    }
    let mut from = command(&place);
    from.args(["import", "-", "--format", "csv", "--mode", "add", "--results", "rows.csv"]);
    from.stdin(fs::File::open(place.folder().join("rows.csv")).expect("a file"));
    assert_eq!(from.output().await.expect("a process").status.code(), Some(2));
    assert_eq!(fs::read_to_string(place.folder().join("rows.csv")).expect("a file"), rows);
    if !is_postgres() {
        for own in ["shop.db", "shop.db-wal", "shop.db-shm", "shop.db.lock"] {
            for arguments in
                [&["import", "rows.csv", "--mode", "add", "--results", own][..], &["export", "--output", own]]
            {
                let (code, told) = run(&place, arguments).await;
                assert!(code == 2 && told.contains("belongs to the database"), "{arguments:?}: {told}");
            }
        }
    }
    assert_eq!(exported(&place).await, before);
}

#[tokio::test]
async fn an_output_is_what_its_name_says() {
    let place = shop().await;
    let folder = place.folder().to_owned();
    // A name of the system's for what is open already.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        for arguments in [
            &["export", "--output", name][..],
            &["export", "log", "--output", name],
            &["import", "catalogue.csv", "--mode", "create", "--id", "again", "--results", name],
        ] {
            let out = folder.join("out.txt");
            fs::write(&out, "first\n").expect("a file");
            let file = fs::OpenOptions::new().append(true).open(&out).expect("a file");
            let done = command(&place).args(arguments).stdout(file).status().await.expect("a process");
            let text = fs::read_to_string(&out).expect("a file");
            assert!(done.success() && text.starts_with("first\n") && text.contains("MUG-BLUE"), "{name}: {text}");
        }
    }
    fs::create_dir(folder.join("folder")).expect("a folder");
    let (code, told) = run(&place, &["export", "--output", "folder"]).await;
    assert!(code == 2 && told.contains("is a folder") && !folder.join("folder.part").exists(), "{told}");
    // What is there keeps its mode, and its name if that is a link.
    fs::write(folder.join("shared.csv"), "").expect("a file");
    fs::set_permissions(folder.join("shared.csv"), fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("shared.csv", folder.join("link.csv")).expect("a link");
    let (code, told) = run(&place, &["export", "--output", "link.csv"]).await;
    assert_eq!(code, 0, "{told}");
    assert!(folder.join("link.csv").is_symlink());
    assert!(fs::read_to_string(folder.join("shared.csv")).expect("a file").contains("MUG-BLUE"));
    let mode = fs::metadata(folder.join("shared.csv")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // What cannot be written is no success.
    for arguments in [&["verify"][..], &["schema"], &["export"], &["export", "--output", "/dev/full"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let done = command(&place).args(arguments).stdout(full).status().await.expect("a process");
        assert_eq!(done.code(), Some(2), "{arguments:?}");
    }
    let mut empty = command(&place);
    empty.args(["import", "-", "--format", "jsonl", "--mode", "add"]).stdin(Stdio::null());
    let empty = empty.output().await.expect("a process");
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("standard input was empty"));
}

/// The first signal ends an import although nobody reads its results.
#[tokio::test]
async fn a_reader_that_stops_reading_does_not_block_the_end() {
    let place = Place::new().await;
    let row = |at| format!("SKU-{at},{},1,EUR\n", "name ".repeat(30));
    let rows = "sku,name,price_amount,price_currency\n".to_owned() + &(0..3_000).map(row).collect::<String>();
    fs::write(place.folder().join("many.csv"), rows).expect("a file");
    let mut child = command(&place);
    child.args(["import", "many.csv", "--mode", "create", "--all"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("a process");
    let mut results = child.stdout.take().expect("its output");
    // It writes, and then nobody reads any more.
    results.read_exact(&mut [0; 10]).await.expect("a beginning");
    let id = child.id().expect("it is running").to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().await.expect("kill").success());
    let done = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("its end");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(143) && told.contains("of 3000 rows"), "{told}");
    drop(results);
}
