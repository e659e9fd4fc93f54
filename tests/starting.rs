//! The start: a permanent fault ends it at once and is named, a temporary one is logged and waited for, and a process that
//! waits ends at a signal.

use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::cluster::{Cluster, run as run_tool};
use crate::support::process::{command, run};
use crate::support::{PATIENCE, Place, Process, eventually, is_postgres};

/// A port on which nobody listens.
async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

async fn kill(id: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &id.to_string()]).status().await.expect("kill");
    assert!(sent.success());
}

#[tokio::test]
async fn a_process_that_waits_for_the_database_says_why_and_ends_at_a_signal() {
    let place = Place::new().await;
    let url = format!("postgres://shop:hidden@127.0.0.1:{}/onhand", closed_port().await);
    std::fs::write(place.folder().join("rows.csv"), "sku,stock\nMUG,1\n").expect("a file");
    for (arguments, signal, code) in [
        (&["serve", "--listen", "127.0.0.1:0"][..], "TERM", 0),
        (&["serve", "--listen", "127.0.0.1:0"], "INT", 0),
        (&["migrate"], "TERM", 143),
        (&["migrate"], "INT", 130),
        (&["verify"], "INT", 130),
        (&["export"], "TERM", 143),
        (&["import", "rows.csv", "--mode", "add"], "INT", 130),
        (&["import", "rows.csv", "--mode", "add", "--dry-run"], "TERM", 143),
    ] {
        let mut child = command(&place)
            .args(arguments)
            .env("DATABASE_URL", &url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let line =
            timeout(PATIENCE, lines.next_line()).await.expect("it says so in time").expect("text").expect("a line");
        assert!(line.contains("connection refused") && !line.contains("hidden"), "{arguments:?}: {line}");
        let asked = Instant::now();
        kill(child.id().expect("it runs"), signal).await;
        let ended = timeout(PATIENCE, child.wait()).await.unwrap_or_else(|_| panic!("{arguments:?} ends at {signal}"));
        assert_eq!(ended.expect("its end").code(), Some(code), "{arguments:?}, {signal}");
        assert!(asked.elapsed() < Duration::from_secs(15), "{arguments:?}: half of what it waits for the database");
    }
}

/// It is in the middle of a read.
#[tokio::test]
async fn an_import_that_waits_for_its_input_ends_at_a_signal() {
    let place = Place::new().await;
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let mut child = command(&place)
            .args(["import", "-", "--format", "csv", "--mode", "add"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let _input = child.stdin.take();
        let id = child.id().expect("it runs");
        eventually("it has signals handed to itself", || async {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
            caught & (1 << (number - 1)) != 0
        })
        .await;
        kill(id, name).await;
        let ended =
            timeout(PATIENCE, child.wait()).await.expect("it ends although its input does not").expect("its end");
        assert_eq!(ended.code(), Some(128 + number), "{name}");
    }
}

#[tokio::test]
async fn a_permanent_fault_ends_the_start_and_is_named() {
    let place = Place::new().await;
    let port = closed_port().await;
    let url = |parameters: &str| format!("postgres://shop:hidden@127.0.0.1:{port}/onhand?{parameters}");
    for (url, name) in [
        (url("sslmode=verify-full&sslrootcert=/no/such/ca.crt"), "/no/such/ca.crt"),
        (url("sslmode=require&sslcert=/no/such.crt&sslkey=/no/such.key"), "/no/such.crt"),
        (url("sslmode=strict"), "sslmode"),
        (url("target_session_attrs=standby"), "target_session_attrs"),
        (url("pgbouncer=true"), "pgbouncer"),
        ("postgres://shop:hidden@one,two/onhand".to_owned(), "several hosts"),
        ("postgres://shop:hid#den@127.0.0.1/onhand".to_owned(), "%40"),
    ] {
        let asked = Instant::now();
        let (code, text) = run(&place, &["migrate", "--database-url", &url]).await;
        assert_eq!(code, 2, "{url}: {text}");
        assert!(text.contains(name) && !text.contains("hidden") && !text.contains("not there yet"), "{url}: {text}");
        assert!(asked.elapsed() < PATIENCE, "{url}: it was waited for");
    }
}

#[tokio::test]
async fn a_wrong_password_or_database_is_not_waited_for() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let missing = place.url.replace(place.database(), "onhand_no_such_database");
    let (code, text) = run(&place, &["migrate", "--database-url", &missing]).await;
    assert!(code == 2 && text.contains("onhand_no_such_database"), "{text}");
    assert!(!text.contains("not there yet"), "{text}");
    let separator = if place.url.contains('?') { '&' } else { '?' };
    let stranger = format!("{}{separator}user=onhand_no_such_role&password=hidden", place.url);
    let (code, text) = run(&place, &["verify", "--database-url", &stranger]).await;
    assert!(code == 2 && text.contains("onhand_no_such_role") && !text.contains("hidden"), "{text}");
}

/// Answers like a PostgreSQL that accepts no connections at the moment, with this code.
async fn unwelcoming(code: &'static str, message: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1_024];
            // It is asked for TLS first, which has eight bytes.
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                if read == 8 {
                    let _ = stream.write_all(b"N").await;
                    continue;
                }
                let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
                let length = u32::try_from(fields.len() + 4).expect("a short message");
                let answer = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
                let _ = stream.write_all(&answer).await;
                break;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_temporary_fault_is_waited_for_and_logged_as_the_database_says_it() {
    let place = Place::new().await;
    for (code, message) in
        [("57P03", "the database system is starting up"), ("53300", "sorry, too many clients already")]
    {
        let port = unwelcoming(code, message).await;
        let mut child = command(&place)
            .args(["migrate", "--database-url", &format!("postgres://shop@127.0.0.1:{port}/onhand")])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("text").expect("a line");
        assert!(line.contains(message) && line.contains("waited for"), "{line}");
        assert!(child.try_wait().expect("a process").is_none(), "it waits");
    }
    let port = unwelcoming("28P01", "password authentication failed for user \"shop\"").await;
    let (code, text) =
        run(&place, &["migrate", "--database-url", &format!("postgres://shop@127.0.0.1:{port}/onhand")]).await;
    assert!(code == 2 && text.contains("password authentication failed") && !text.contains("waited for"), "{text}");
}

/// A PostgreSQL with a certificate that no authority has signed.
#[tokio::test]
async fn certificates_are_trusted_as_the_address_says() {
    let Some(cluster) = Cluster::start("") else { return };
    let folder = cluster.folder().join("tls");
    run_tool(cluster.tool("mkdir").arg(&folder));
    for name in ["server", "other"] {
        let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
        let mut openssl = cluster.tool("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
        run_tool(openssl.arg("-keyout").arg(key).arg("-out").arg(certificate));
    }
    cluster.stop("fast");
    for name in ["server.key", "server.crt"] {
        run_tool(cluster.tool("cp").arg(folder.join(name)).arg(cluster.data().join(name)));
    }
    std::fs::OpenOptions::new()
        .append(true)
        .open(cluster.data().join("postgresql.conf"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"\nssl = on\n"))
        .expect("settings");
    cluster.resume();
    let place = Place::of(&cluster.url("postgres"));
    let file = |name: &str| folder.join(name).display().to_string();
    for (parameters, is_trusted) in [
        ("sslmode=require".to_owned(), true),
        (format!("sslmode=verify-full&sslrootcert={}", file("server.crt")), true),
        (format!("sslmode=require&sslrootcert={}", file("server.crt")), true),
        (format!("sslmode=require&sslrootcert={}", file("other.crt")), false),
        (format!("sslmode=verify-ca&sslrootcert={}", file("other.crt")), false),
        ("sslmode=verify-full".to_owned(), false),
        ("sslmode=verify-full&sslrootcert=system".to_owned(), false),
        ("sslrootcert=system".to_owned(), false),
    ] {
        let url = format!("{}?{parameters}", place.url);
        let (code, text) = run(&place, &["migrate", "--database-url", &url]).await;
        assert_eq!(code, if is_trusted { 0 } else { 2 }, "{parameters}: {text}");
        assert!(!text.contains("waited for"), "{parameters}: waiting does not help: {text}");
        assert!(is_trusted || text.contains("certificate"), "{parameters}: {text}");
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

async fn execute(db: &DatabaseConnection, text: &str) {
    db.execute_unprepared(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_is_told_who_may() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let role = place.database().to_owned();
    let admin = connect(&place.url).await;
    execute(&admin, &format!("CREATE ROLE {role} LOGIN PASSWORD 'of a test'")).await;
    let separator = if place.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}user={role}&password=of%20a%20test", place.url);
    let (code, text) = run(&place, &["serve", "--listen", "127.0.0.1:0", "--database-url", &url]).await;
    assert!(code == 2 && text.contains("run `onhand migrate` as the owner") && text.contains(&role), "{text}");
    execute(&admin, &format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_database_without_tables_is_told_from_a_broken_one() {
    let place = Place::new().await;
    if !is_postgres() {
        std::fs::write(place.folder().join("shop.db"), "").expect("an empty file");
    }
    std::fs::write(place.folder().join("rows.csv"), "sku,stock\nMUG,1\n").expect("a file");
    for arguments in
        [&["verify"][..], &["export"], &["export", "log"], &["import", "rows.csv", "--mode", "add", "--dry-run"]]
    {
        let (code, text) = run(&place, arguments).await;
        assert!(code == 2 && text.contains("run `onhand migrate` first"), "{arguments:?}: {text}");
        assert!(!text.contains("no such table") && !text.contains("relation"), "{arguments:?}: {text}");
    }
    let (code, text) = run(&place, &["migrate"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(run(&place, &["verify"]).await.0, 0);
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_told_from_a_broken_one() {
    let place = Place::new().await;
    let (code, text) = run(&place, &["migrate"]).await;
    assert_eq!(code, 0, "{text}");
    let db = connect(&place.url).await;
    execute(&db, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)").await;
    db.close().await.expect("an end");
    for arguments in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, text) = run(&place, arguments).await;
        assert!(code == 2 && text.contains("newer release"), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_suggests_one_that_is_free() {
    let place = Place::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address");
    let (code, text) = run(&place, &["--listen", &address.port().to_string()]).await;
    assert!(code == 2 && text.contains(&format!("cannot listen on {address}: another program")), "{text}");
    if let Some((_, free)) = text.split_once("--listen ") {
        TcpListener::bind(free.trim()).await.expect("it is free");
    }
    let (code, text) =
        run(&place, &["--listen", "192.0.2.1:8000", "--secret", &"x".repeat(32), "--issuer", "i", "--audience", "a"])
            .await;
    assert!(code == 2 && text.contains("does not have the address 192.0.2.1"), "{text}");
    let (code, text) = run(&place, &["--listen", "no-such-name.invalid:8000"]).await;
    assert!(code == 2 && text.contains("no-such-name.invalid"), "{text}");
}

/// Starts a server and reads its output only up to the line that says where it listens; returns its address, too.
async fn unread(place: &Place, settings: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut child = command(place)
        .args(["--listen", "127.0.0.1:0"])
        .args(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("text").expect("a line");
        if let Some(url) = line.strip_prefix("listening  ") {
            return (child, lines, url.to_owned());
        }
    }
}

async fn ends_in_order(mut child: Child) {
    kill(child.id().expect("it runs"), "TERM").await;
    let ended = timeout(PATIENCE, child.wait()).await.expect("it ends all the same").expect("its end");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn a_log_that_is_not_read_blocks_no_request() {
    let place = Place::new().await;
    let (child, _lines, url) = unread(&place, &["--log", "trace"]).await;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let dropped = async || {
        let text = client.get(format!("{url}/metrics")).send().await.expect("an answer").text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("onhand_log_lines_dropped_total "));
        line.and_then(|count| count.parse::<f64>().ok()).unwrap_or_default()
    };
    // A pipe holds 64 kB, and the queue before it 8,192 lines and 16 MB; each request is a line with its path.
    let nowhere = format!("{url}/{}", "x".repeat(40_000));
    let mut rounds = 0;
    while dropped().await < 1.0 {
        rounds += 1;
        assert!(rounds < 200, "the queue is never full");
        for answer in join_all((0..64).map(|_| client.get(&nowhere).send())).await {
            assert_eq!(answer.expect("it answers all the same").status().as_u16(), 404);
        }
        let body = serde_json::json!({ "query": "{ products { nodes { sku } } }" });
        let answer = client.post(format!("{url}/graphql")).json(&body).send().await;
        assert!(answer.expect("it answers all the same").status().is_success());
    }
    ends_in_order(child).await;
}

#[tokio::test]
async fn a_closed_log_ends_nothing() {
    let place = Place::new().await;
    let (mut child, lines, url) = unread(&place, &["--log", "trace"]).await;
    drop((child.stderr.take(), lines));
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    for _ in 0..20 {
        assert!(client.get(format!("{url}/health/live")).send().await.expect("an answer").status().is_success());
    }
    ends_in_order(child).await;
}

#[tokio::test]
async fn start_drain_and_stop_are_lines_of_the_json_log() {
    let place = Place::new().await;
    let server = Process::start_with(&place, &["--log-format", "json"]).await;
    let (log, address) = (server.log(), server.url.trim_start_matches("http://").to_owned());
    assert!(server.stop("TERM").await.success());
    let log = log.lock().expect("no panic").clone();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect();
    let at =
        |message: &str| lines.iter().position(|line| line["message"].as_str().is_some_and(|m| m.starts_with(message)));
    let (start, drain, stop) = (at("started").expect("a start"), at("draining").expect("a drain"), at("stopped"));
    assert!(start < drain && stop.is_some_and(|stop| drain < stop), "{log}");
    assert_eq!(lines[start]["address"], address);
    assert!(lines[start]["demo_products"].as_u64() > Some(0), "{log}");
    assert_eq!(lines[start]["version"], env!("CARGO_PKG_VERSION"));
    assert!(lines[start]["database"].is_string(), "{log}");
}

#[tokio::test]
async fn health_is_one_sentence_whatever_answers() {
    let place = Place::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    // Takes connections, and says nothing.
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
        drop(kept);
    });
    let (code, said) = run(&place, &["health", "--listen", &address]).await;
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.starts_with("not healthy: ") && said.contains("did not answer within"), "{said}");
    silent.abort();

    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    let stranger = tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope").await;
        }
    });
    let (code, said) = run(&place, &["health", "--listen", &address]).await;
    assert!(code == 1 && said.starts_with("not healthy: ") && said.contains("is no onhand"), "{code}, {said}");
    stranger.abort();
    let (code, said) = run(&place, &["health", "--listen", "/run/onhand.sock"]).await;
    assert!(code == 2 && said.contains("--listen"), "{said}");
}
