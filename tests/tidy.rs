//! The rules of the layout, each with a check that fails when it is broken.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Longest file of ours, in lines.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this ending below a folder, by path.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_generated = path.ends_with("node_modules") || path.ends_with("dist");
            if path.is_dir() && !is_generated {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                let text = fs::read_to_string(&path).expect("text");
                found.push((path.strip_prefix(root()).expect("ours").display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

/// What the server is built of, above the domain.
fn sources() -> Vec<(String, String)> {
    files("src", "rs")
}

fn rust_files() -> Vec<(String, String)> {
    ["src", "domain/src", "entity/src", "migration/src", "tests", "benches"]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .collect()
}

/// The code of a file: without comments, and without its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Files that use any of these words although only these places may.
fn offenders(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let is_allowed = |path: &str| allowed.iter().any(|place| path.starts_with(place));
    let uses = |text: &str| words.iter().any(|word| code(text).contains(word));
    let outside = sources().into_iter().filter(|(path, text)| !is_allowed(path) && uses(text));
    outside.map(|(path, _)| path).collect()
}

/// What the domain is made of: values, randomness that is handed in, and what Unicode and ISO 4217 know.
const PURE: [&str; 13] = [
    "chrono",
    "fast32",
    "icu_properties",
    "iso_currency",
    "rand",
    "serde",
    "thiserror",
    "unicase",
    "unicode-normalization",
    "unicode-properties",
    "unicode-script",
    "unicode-security",
    "uuid",
];

#[test]
fn the_domain_is_pure() {
    let manifest = fs::read_to_string(root().join("domain/Cargo.toml")).expect("a manifest");
    let (_, dependencies) = manifest.split_once("[dependencies]").expect("dependencies");
    let names = dependencies.lines().filter_map(|line| line.split(['.', ' ']).next()).filter(|name| !name.is_empty());
    let others: Vec<&str> = names.filter(|name| !PURE.contains(name)).collect();
    assert_eq!(
        others,
        Vec::<&str>::new(),
        "the domain needs no database, no GraphQL, no HTTP and nothing asynchronous"
    );
    for (path, text) in files("domain/src", "rs").iter().filter(|(path, _)| !path.ends_with("/simulation/mod.rs")) {
        for word in ["std::fs", "std::env", "std::net::Tcp", "std::thread", "Instant", "::now()"] {
            assert!(!code(text).contains(word), "{path} uses {word}, but it decides without I/O and clock");
        }
    }
}

/// Modules from the bottom up: each may use those before it, and none after it. Those of one step know nothing of each
/// other.
const ORDER: [&[&str]; 12] = [
    &["filesystem", "supervision", "config", "faults"],
    &["clock", "signature"],
    &["observability"],
    &["database"],
    &["read"],
    &["live"],
    &["writer"],
    &["payment", "webhooks", "files"],
    &["app"],
    &["graphql"],
    &["server"],
    &["cli"],
];

#[test]
fn modules_use_only_those_below_them() {
    let step = |module: &str| ORDER.iter().position(|modules| modules.contains(&module));
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default().to_owned();
        if ["lib", "main"].contains(&own.as_str()) {
            continue;
        }
        let here = step(&own).unwrap_or_else(|| panic!("{path}: add `{own}` to ORDER"));
        let code = code(&text);
        for used in code.split("crate::").skip(1) {
            let used: Vec<&str> = match used.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
                None => vec![used],
            };
            for module in used {
                let name = module.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if name != own && step(name).is_none_or(|there| there >= here) {
                    wrong.push(format!("{path} uses {name}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "the arrows go down: see ORDER");
}

#[test]
fn each_library_stays_where_it_belongs() {
    let none = Vec::<String>::new();
    assert_eq!(offenders(&["axum::"], &["src/server"]), none, "only the server knows axum");
    let graphql = ["src/graphql", "src/server"];
    assert_eq!(offenders(&["async_graphql"], &graphql), none, "only graphql and the server know GraphQL");
    let compiler = ["apollo_compiler"];
    assert_eq!(offenders(&compiler, &["src/graphql/document"]), none, "only what reads documents knows the compiler");
    let queries = ["use entity::", "EntityTrait", "QueryFilter", "sea_query"];
    assert_eq!(
        offenders(&queries, &["src/database", "src/read", "src/writer"]),
        none,
        "only database, read and writer hold queries"
    );
    let sql = ["Statement::", "execute_unprepared", "query_one_raw", "SELECT ", "INSERT INTO"];
    let may_say = ["src/database/postgres", "src/database/sqlite", "src/database/bounded.rs", "src/faults/calls.rs"];
    assert_eq!(offenders(&sql, &may_say), none, "queries are SeaORM's, not text");
    assert_eq!(offenders(&["std::env", "env ="], &["src/config/"]), none, "only config reads the environment");
    let clock = ["Utc::now", "SystemTime"];
    assert_eq!(offenders(&clock, &["src/clock.rs"]), none, "the time comes from the app's clock");
    assert_eq!(offenders(&[".publish("], &["src/writer", "src/live"]), none, "only the writer publishes");
    let transactions = [".begin()", "begin_with"];
    // A snapshot only reads; a transfer fills a database that nobody uses yet.
    let may_begin = ["src/writer", "src/read/snapshot.rs", "src/database/transfer.rs"];
    assert_eq!(offenders(&transactions, &may_begin), none, "only the writer begins transactions");
}

#[test]
fn graphql_types_never_derive_on_entities() {
    for (path, text) in files("entity/src", "rs") {
        assert!(!text.contains("graphql"), "{path}: entities know nothing of GraphQL");
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in rust_files() {
        assert!(text.starts_with("//! "), "{path} does not open with //!");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{path} has {lines} lines; {MAX_LINES} is the end");
        for word in ["todo!", "unimplemented!", concat!("FIX", "ME"), concat!("TO", "DO")] {
            assert!(path.ends_with("tidy.rs") || !text.contains(word), "{path} has a {word}");
        }
    }
}

/// What browsers get is built ahead and committed, so that the server needs no Node. The build writes down what it was
/// made of.
#[test]
fn what_is_built_for_browsers_is_not_stale() {
    assert_fresh("web/graphiql", &["package-lock.json", "package.json", "index.html", "vite.config.js"]);
    assert_fresh("web/demo", &["package-lock.json", "package.json", "index.html", "tsconfig.json", "vite.config.js"]);
    assert_fresh("web/stock-badge", &["package-lock.json", "package.json", "tsconfig.json", "vite.config.js"]);
}

fn assert_fresh(folder: &str, root_files: &[&str]) {
    let page = root().join(folder);
    let mut sources: Vec<PathBuf> = root_files.iter().map(|name| page.join(name)).collect();
    let mut folders = vec![page.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { sources.push(path) }
        }
    }
    let mut named: Vec<(String, PathBuf)> =
        sources.into_iter().map(|path| (path.strip_prefix(&page).expect("ours").display().to_string(), path)).collect();
    named.sort();
    let mut digest = Sha256::new();
    for (name, path) in named {
        digest.update(name);
        digest.update("\n");
        digest.update(fs::read(path).expect("a source"));
        digest.update("\n");
    }
    let digest = digest.finalize();
    let built = fs::read_to_string(page.join("dist/sources.sha256")).unwrap_or_default();
    assert_eq!(
        built.trim(),
        format!("{digest:x}"),
        "{folder}/dist is stale: run `web/build` and commit what it builds"
    );
}
