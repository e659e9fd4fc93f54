//! Where a shop keeps its things: a folder and a database of its own, which go when it is dropped. With
//! `TEST_DATABASE_URL`, the address of a PostgreSQL whose role may make databases and roles, the database is one of those.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;

/// A folder and a database.
pub struct Place {
    files: TempDir,
    /// The database's address, as a setting.
    pub url: String,
    server: Option<String>,
}

impl Place {
    /// A new one, with an empty database.
    pub async fn new() -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        let Some(server) = server() else {
            let url = format!("sqlite://{}/shop.db", files.path().display());
            return Self { files, url, server: None };
        };
        let name = format!("onhand_test_{}", uuid::Uuid::new_v4().simple());
        command(&server, &format!("CREATE DATABASE {name}")).await;
        let url = in_database(&server, &name);
        Self { files, url, server: Some(server) }
    }

    /// A folder beside a database that somebody else looks after.
    pub fn of(url: &str) -> Self {
        Self { files: tempfile::tempdir().expect("a temporary folder"), url: url.to_owned(), server: None }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// The database's name on its server.
    pub fn database(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default().split('?').next().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database());
        // Dropping cannot wait, and the runtime of the test may be ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(command(&server, &drop));
        });
        if dropped.join().is_err() {
            eprintln!("the database of a test is left over: {}", self.url);
        }
    }
}

/// The server that databases are made on, when it is PostgreSQL's turn.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
pub fn server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// Whether shops keep their things in PostgreSQL.
pub fn is_postgres() -> bool {
    server().is_some()
}

fn in_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let host = address.rfind('/').filter(|at| *at > "postgres://".len()).map_or(address, |at| &address[..at]);
    if parameters.is_empty() { format!("{host}/{name}") } else { format!("{host}/{name}?{parameters}") }
}

async fn command(server: &str, text: &str) {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the server of TEST_DATABASE_URL");
    db.execute_unprepared(text).await.expect(text);
    db.close().await.expect("a connection that ends");
}
