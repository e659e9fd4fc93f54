//! The README is true: its order is played as it stands there, and its tables are compared with the code.
//!
//! Every failure says what to change, and where. Nothing here tells how the server must behave: that is for the stories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use onhand::cli::demo;
use onhand::config::CommandLine;
use onhand::payment::sandbox::Behaviour;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, Socket};

/// How each request of the README begins, so that all of them can be pasted into a terminal.
const CURL: &str = "curl -s http://127.0.0.1:8000/graphql -H 'content-type: application/json' -d '";

#[tokio::test]
async fn its_order_is_answered_as_it_says_and_seen_by_a_badge() {
    let readme = Readme::read();
    let order = readme.section("One order in five requests");
    let (requests, answers, rows) = (order.blocks("sh"), order.blocks("json"), order.table("Step"));
    assert_eq!(
        (requests.len(), answers.len(), rows.len()),
        (5, 5, 6),
        "README.md must have five ```sh requests, a ```json answer after each, and a table with a row for subscribing and \
         one for each request"
    );
    let times = CommandLine::parse_from(["onhand"]).serve.payment;
    let shop = Shop::open_with(times).await;
    demo::fill(&shop.app).await.expect("a demo catalogue");

    let mut badge = Badge::subscribe(&shop, &readme.section("Subscribing")).await;
    badge.sees(&rows[0]).await;
    let mut names = Names::default();
    for ((request, told), row) in requests.iter().zip(&answers).zip(&rows[1..]) {
        let step = &row[0];
        let told: Value = serde_json::from_str(told)
            .unwrap_or_else(|error| panic!("README.md, step \"{step}\": its answer is not JSON: {error}"));
        let found = send(&shop, step, request, &names).await;
        names.learn("", &told, &found);
        let shown = serde_json::to_string_pretty(&found).expect("JSON");
        assert_eq!(
            names.carry(&told),
            found,
            "README.md, step \"{step}\": the server answers otherwise. If the server is right, put its answer there:\n{shown}"
        );
        badge.sees(row).await;
    }
    assert!(
        badge.socket.is_silent_for(Duration::from_millis(50)).await,
        "a badge is sent something after the last step"
    );

    let report = shop.close().await;
    let verdict = format!("checked {} products, {} stock", report.products, report.transactions);
    let command_line = readme.section("Command line");
    assert!(
        command_line.0.lines().filter(|line| line.starts_with("checked ")).all(|line| line.starts_with(&verdict)),
        "README.md, \"Command line\": after the order `onhand verify` says \"{verdict} ...\"; put it there"
    );
}

#[test]
fn its_sandbox_tokens_are_those_of_the_sandbox() {
    let rows = Readme::read().section("The sandbox").table("Token");
    let documented: BTreeSet<String> = rows.iter().map(|row| code(&row[0])).collect();
    for token in &documented {
        let accepted = Behaviour::from_token(Some(&token.replace("MS", "1")));
        assert!(
            accepted.is_ok(),
            "README.md, \"The sandbox\": no such token: `{token}`. Mend it, or `Behaviour::from_token`"
        );
    }
    let source = read("src/payment/sandbox/behaviour.rs");
    let behaviours = source.split("pub enum Behaviour {").nth(1).and_then(|rest| rest.split("\n}").next());
    let described = spans(behaviours.expect("src/payment/sandbox/behaviour.rs has `pub enum Behaviour`"));
    let missing: Vec<_> = described.iter().filter(|token| !documented.contains(**token)).collect();
    assert!(
        missing.is_empty(),
        "README.md, \"The sandbox\": add a row for each of {missing:?}, which `Behaviour` in src/payment/sandbox/behaviour.rs describes"
    );
}

#[test]
fn its_folders_are_there_and_none_of_src_is_left_out() {
    let rows = Readme::read().section("Folders").table("Folder");
    let documented: BTreeSet<String> = rows.iter().map(|row| code(&row[0])).collect();
    for folder in &documented {
        assert!(
            root().join(folder).is_dir(),
            "README.md, \"Folders\": there is no folder `{folder}`; take its row out"
        );
    }
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let path = entry.expect("an entry").path();
        let folder = format!("src/{}", path.file_name().unwrap_or_default().to_string_lossy());
        assert!(
            !path.is_dir() || documented.contains(&folder),
            "README.md, \"Folders\": add a row for `{folder}` that says what is in it"
        );
    }
}

#[test]
fn the_files_it_names_exist() {
    let readme = Readme::read();
    let is_path =
        |span: &&str| ["src/", "entity/", "migration/", "tests/", "web/"].iter().any(|at| span.starts_with(at));
    for path in spans(&readme.0).into_iter().filter(is_path) {
        let path = path.split(' ').next().unwrap_or_default();
        assert!(root().join(path).exists(), "README.md names `{path}`, which is not there; name what took its place");
    }
}

/// What an element of a page shows that follows the README's subscription.
struct Badge {
    socket: Socket,
    shown: [i64; 4],
}

impl Badge {
    async fn subscribe(shop: &Shop, section: &Readme) -> Self {
        let script = section.blocks("js").concat();
        let between = |before: &str, after: &str| {
            let found = script.split(before).nth(1).and_then(|rest| rest.split(after).next());
            found
                .unwrap_or_else(|| panic!("README.md, \"Subscribing\": its ```js has no {before}...{after}"))
                .to_owned()
        };
        let variables = json!({ "productIds": [between("productIds: ['", "'")] });
        let mut socket = Socket::open(shop).await;
        socket.subscribe("badge", &between("query: `", "`"), variables).await;
        Self { socket, shown: [0; 4] }
    }

    /// Compares what it is sent with a row of the table. What is sent too early shows at the next row that expects something.
    async fn sees(&mut self, row: &[String]) {
        if row[1] != "nothing" {
            let Ok(data) = timeout(PATIENCE / 2, self.socket.data("badge")).await else {
                panic!("README.md, step \"{}\": the badge is sent nothing; say \"nothing\" there", row[0]);
            };
            let number = |name: &str| data["stockChanged"][name].as_i64().unwrap_or_else(|| panic!("{data}"));
            self.shown = [number("total"), number("available"), number("allocated"), number("version")];
        }
        let told: Vec<String> = self.shown.iter().map(ToString::to_string).collect();
        assert_eq!(
            row[2..],
            told,
            "README.md, step \"{}\": the badge shows what is on the right; put it there",
            row[0]
        );
    }
}

/// Sends a request as it stands in the README, with the ids of this run.
async fn send(shop: &Shop, step: &str, request: &str, names: &Names) -> Value {
    let body = request.trim_end().strip_prefix(CURL).and_then(|rest| rest.strip_suffix('\''));
    let body = body.unwrap_or_else(|| panic!("README.md, step \"{step}\": it must begin with {CURL} and end with '"));
    let body: Value = serde_json::from_str(body)
        .unwrap_or_else(|error| panic!("README.md, step \"{step}\": its body is not JSON: {error}"));
    let request = shop.client().post(format!("{}/graphql", shop.url)).json(&names.carry(&body));
    request.send().await.expect("an answer").json().await.expect("JSON")
}

/// What the ids, order numbers and times of the README are called in this run.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// Finds out from an answer and what the README tells of it.
    fn learn(&mut self, key: &str, told: &Value, found: &Value) {
        match (told, found) {
            (Value::Object(told), Value::Object(found)) => {
                for (key, told) in told {
                    self.learn(key, told, found.get(key).unwrap_or(&Value::Null));
                }
            }
            (Value::Array(told), Value::Array(found)) => {
                told.iter().zip(found).for_each(|(told, found)| self.learn(key, told, found));
            }
            (Value::String(told), Value::String(found)) if differs_between_runs(key, told, found) => {
                self.0.entry(told.clone()).or_insert_with(|| found.clone());
            }
            _ => {}
        }
    }

    /// The same value with the names of this run.
    fn carry(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.0.get(text).unwrap_or(text)),
            Value::Array(values) => values.iter().map(|value| self.carry(value)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), self.carry(value))).collect(),
            other => other.clone(),
        }
    }
}

/// Products of the demo catalogue have fixed ids. An id of another kind than the README's is a difference that counts.
fn differs_between_runs(key: &str, told: &str, found: &str) -> bool {
    let kind = |id: &str| id.rsplit_once('_').map(|(kind, _)| kind.to_owned());
    let is_id = kind(told).is_some_and(|told| !["product", "stock"].contains(&told.as_str()));
    key == "number" || key.ends_with("At") || (is_id && kind(told) == kind(found))
}

/// The README, or a section of it.
struct Readme(String);

impl Readme {
    fn read() -> Self {
        Self(read("README.md"))
    }

    fn section(&self, title: &str) -> Self {
        let text = self.0.split("\n## ").find_map(|section| section.strip_prefix(&format!("{title}\n")));
        Self(text.unwrap_or_else(|| panic!("README.md needs a section \"## {title}\"")).to_owned())
    }

    /// The fenced blocks of one language.
    fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = self.0.split("\n```");
        let fenced = blocks.by_ref().skip(1).step_by(2);
        fenced.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(str::to_owned)).collect()
    }

    /// The cells of the table whose first heading this is, row by row.
    fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let mut lines = self.0.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
        let heading_line = lines.next().unwrap_or_else(|| panic!("README.md needs a table that begins with {heading}"));
        let columns = heading_line.matches('|').count() - 1;
        let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| -> Vec<String> {
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let rows: Vec<_> = rows.map(cells).collect();
        for row in &rows {
            assert_eq!(
                row.len(),
                columns,
                "README.md: this row has not as many cells as its table has columns: {row:?}"
            );
        }
        rows
    }
}

/// The only `code` of a cell.
fn code(cell: &str) -> String {
    let &[code] = spans(cell).as_slice() else {
        panic!("README.md: this cell must have exactly one `code`: {cell}");
    };
    code.to_owned()
}

/// What stands between single backticks. The three of a fence leave the count odd or even as it is after both of them, and
/// what they enclose has line breaks.
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|span| !span.is_empty() && !span.contains('\n')).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
