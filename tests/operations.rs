//! What those who run it are given is true: docs/operations.md names settings, numbers and commands that exist, and the
//! rights that it grants suffice; the composition and its files fit together and to the code. How it works in a container
//! is for tests/container.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use onhand::config::CommandLine;
use onhand::writer::retention::{self, EXPIRED_CART_LIFETIME, KEY_LIFETIME, Lifetimes};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use serde_yaml_ng::Value;
use tokio_util::sync::CancellationToken;

use crate::support::process::run;
use crate::support::{Place, Process, Shop, is_postgres, paid};

const PAGE: &str = "docs/operations.md";

/// Files that name settings.
const NAMING: [&str; 6] = [PAGE, "compose.yaml", ".env.example", "Dockerfile", "deploy/haproxy.cfg", "tests/container"];

#[test]
fn the_settings_that_are_named_exist() {
    let command = CommandLine::command();
    let settings: BTreeSet<String> =
        command.get_arguments().filter_map(|setting| Some(setting.get_env()?.to_str()?.to_owned())).collect();
    for file in NAMING {
        for word in words(&read(file)).into_iter().filter(|word| word.starts_with("ONHAND_")) {
            assert!(settings.contains(word), "{file} names {word}, which is no setting of src/config any more");
        }
    }
}

#[test]
fn every_number_is_explained_and_none_that_is_not_there() {
    let page = read(PAGE);
    let section = page.split("\n## What to watch\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.expect("docs/operations.md needs a section \"## What to watch\"");
    let is_number = |word: &&str| word.starts_with("onhand_");
    let plain = |word: &str| {
        let ends = ["_count", "_sum", "_bucket"].iter().find_map(|end| word.strip_suffix(end));
        ends.unwrap_or(word).to_owned()
    };
    let told: BTreeSet<String> = words(section).into_iter().filter(is_number).map(plain).collect();
    let code = read("src/observability/metrics.rs");
    let there: BTreeSet<String> = words(&code).into_iter().filter(is_number).map(ToOwned::to_owned).collect();
    let missing: Vec<_> = there.difference(&told).collect();
    let stale: Vec<_> = told.difference(&there).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{PAGE}, \"What to watch\", must name the numbers of src/observability/metrics.rs.\nAdd: {missing:?}\nRemove: {stale:?}"
    );
}

#[test]
fn the_commands_and_files_that_it_names_exist() {
    let page = read(PAGE);
    let command = CommandLine::command();
    let commands: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    for span in page.split('`').skip(1).step_by(2) {
        if let Some(name) = span.strip_prefix("onhand ").and_then(|rest| rest.split_whitespace().next()) {
            assert!(commands.contains(name), "{PAGE} names `onhand {name}`, which is no command");
        }
        let is_file = ["src/", "tests/", "deploy/", "docs/"].iter().any(|folder| span.starts_with(folder));
        assert!(!is_file || root().join(span).exists(), "{PAGE} names `{span}`, which is not there");
    }
}

#[test]
fn the_composition_wants_what_its_example_lists() {
    let wanted = read("compose.yaml");
    let example = read(".env.example");
    let wanted: BTreeSet<&str> = wanted.split("${").skip(1).filter_map(|rest| rest.split(":?").next()).collect();
    let listed: BTreeSet<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert_eq!(wanted, listed, "compose.yaml and .env.example name other variables");
    assert!(!read("compose.yaml").contains(":-"), "compose.yaml has a default where it must refuse to start");
    let secret = example.lines().find_map(|line| line.strip_prefix("ONHAND_SECRET=")).expect("a secret");
    assert!(secret.len() < 32, "the secret of .env.example must be one that the server refuses");
}

#[test]
fn the_composition_is_whole() {
    let text = read("compose.yaml");
    let mut composition: Value = serde_yaml_ng::from_str(&text).expect("YAML");
    composition.apply_merge().expect("merges of mappings");
    let services = composition["services"].as_mapping().expect("services");
    let drain = CommandLine::parse_from(["onhand"]).limits.timeouts.drain.as_secs();
    for (name, service) in services {
        let name = name.as_str().expect("a name");
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let source = volume.as_str().and_then(|volume| volume.split(':').next()).expect("a source");
            let is_there = if source.starts_with('.') {
                root().join(source).is_file()
            } else {
                composition["volumes"].get(source).is_some()
            };
            assert!(is_there, "compose.yaml: {name} wants {source}");
        }
        let others: Vec<&Value> = match &service["depends_on"] {
            Value::Mapping(others) => others.keys().collect(),
            Value::Sequence(others) => others.iter().collect(),
            _ => Vec::new(),
        };
        for other in others {
            assert!(services.contains_key(other), "compose.yaml: {name} waits for {other:?}, which is no service");
        }
        if service["image"] == "onhand" {
            let grace = service["stop_grace_period"].as_str().and_then(|time| time.strip_suffix('s')?.parse().ok());
            assert!(grace > Some(drain + 5), "compose.yaml: {name} is killed before it has drained");
        }
    }
    let proxy = read("deploy/haproxy.cfg");
    let servers: BTreeSet<&str> =
        proxy.lines().filter_map(|line| line.trim().strip_prefix("server ")?.split(' ').next()).collect();
    let there: BTreeSet<&str> =
        services.keys().filter_map(Value::as_str).filter(|name| name.starts_with("onhand-")).collect();
    assert_eq!(servers, there, "deploy/haproxy.cfg and compose.yaml name other servers");
}

#[test]
fn the_image_is_built_with_the_rust_that_is_asked_for() {
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let version = version.expect("a version");
    assert!(read("Dockerfile").contains(&format!("FROM rust:{version}-")), "Dockerfile must build with Rust {version}");
}

#[tokio::test]
async fn a_server_is_asked_whether_it_is_ready_by_its_own_binary() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let (code, said) = run(&place, &["health", "--listen", &address]).await;
    assert_eq!((code, said), (0, format!("healthy: the server at {address} is ready\n")));
    assert!(server.stop("TERM").await.success());
    let (code, said) = run(&place, &["health", "--listen", &address]).await;
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.starts_with(&format!("not healthy: nobody answers at {address}")), "{said}");
}

/// The rights of the page, granted as they stand there, to roles of this test.
#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_page_grants_are_enough_to_serve() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let (owner, role) = (format!("{}_owner", place.database()), place.database().to_owned());
    let admin = connect(&place.url).await;
    for name in [&owner, &role] {
        execute(&admin, &format!("CREATE ROLE {name} LOGIN PASSWORD 'of a test'")).await;
    }
    let page = read(PAGE);
    let mut blocks = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let named = |text: &str| text.replace("onhand_owner", &owner).replace("TO onhand;", &format!("TO {role};"));
    let schema = blocks.find(|block| block.contains("ALTER SCHEMA")).expect("a block that gives the schema away");
    execute(&admin, &named(schema)).await;
    let (code, said) = run(&place, &["migrate", "--database-url", &url(&place.url, &owner)]).await;
    assert_eq!(code, 0, "{said}");
    execute(&admin, &format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE ALL ON TABLES FROM {role}")).await;
    execute(&admin, &format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")).await;
    let fewest = blocks.find(|block| block.contains("UPDATE (xid)")).expect("a block with the fewest rights");
    execute(&admin, &named(fewest)).await;

    let url = url(&place.url, &role);
    let serving = connect(&url).await;
    let shop = Shop::open_by(place, &url).await;
    everything_happens(&shop).await;
    let (hook, _) = shop.webhook("http://127.0.0.1:9/", &["ORDER_CANCELLED"]).await;
    let pen = shop.product("WEBHOOK-PEN", 1).await;
    let order = shop.order(&[(&pen, 1)]).await;
    shop.cancel(&order).await;
    let sent = shop.deliveries(&hook).await[0]["id"].as_str().expect("a delivery").to_owned();
    assert_eq!(shop.repeat_delivery(&sent).await["userErrors"], json!([]));
    let lifetimes = Lifetimes { change: Duration::ZERO, ..Lifetimes::with_carts(Duration::ZERO) };
    shop.advance(EXPIRED_CART_LIFETIME + KEY_LIFETIME);
    retention::round((&shop.app.writer, &shop.app.store), &shop.app.clock, &lifetimes, &CancellationToken::new())
        .await
        .expect("the rights to delete what is over");
    for forbidden in ["CREATE TABLE mine ()", "TRUNCATE stock", "DELETE FROM stock_transaction", "DROP TABLE cart"] {
        assert!(serving.execute_unprepared(forbidden).await.is_err(), "{forbidden}");
    }
    serving.close().await.expect("an end");
    assert!(shop.verify().await.differences.is_empty());
    execute(&admin, &format!("REASSIGN OWNED BY {owner} TO CURRENT_USER")).await;
    execute(&admin, &format!("DROP OWNED BY {role}, {owner}")).await;
    execute(&admin, &format!("DROP ROLE {role}, {owner}")).await;
}

/// Each kind of row is made, changed and, where that happens, deleted.
async fn everything_happens(shop: &Shop) {
    let mug = shop.product("MUG", 9).await;
    shop.archive(&mug).await;
    shop.restore(&mug).await;
    shop.adjust(&mug, "INCREMENT", 1).await;
    let cart = shop.cart(&[(&mug, 2)]).await;
    shop.update_cart(&cart, &[(&mug, 0)]).await;
    let order = shop.order(&[(&mug, 3)]).await;
    assert_eq!(shop.pay_sandbox(&order, "decline").await.codes, ["PAYMENT_DECLINED"]);
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("SUCCEEDED", "PAID", &[]));
    shop.ship(&order).await;
    let other = shop.order(&[(&mug, 1)]).await;
    shop.cancel(&other).await;
    assert_eq!(shop.stock(&mug).await, (7, 0, 7));
}

/// The address with another role.
fn url(address: &str, role: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    format!("postgres://{role}:of%20a%20test@{rest}")
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

async fn execute(db: &DatabaseConnection, text: &str) {
    db.execute_unprepared(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Names: of settings, of numbers.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
