//! Where a shop keeps its things: a folder and a database of its own, which go when it is dropped. With
//! `TEST_DATABASE_URL`, the address of a PostgreSQL whose role may make databases and roles, the database is one of those.

use std::path::Path;
use std::time::UNIX_EPOCH;

use onhand::database::{migrate, open};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use tempfile::TempDir;

/// What the names of databases begin with that others are copied from.
const TEMPLATE: &str = "onhand_tables";

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
        let name = new_name();
        command(&server, &format!("CREATE DATABASE {name}")).await;
        let url = in_database(&server, &name);
        Self { files, url, server: Some(server) }
    }

    /// A new one. On PostgreSQL its database has all tables already: it is copied, which is much quicker than making them.
    #[allow(dead_code, reason = "benchmarks begin with an empty one")]
    pub async fn with_tables() -> Self {
        let Some(server) = server() else { return Self::new().await };
        let name = new_name();
        let (db, template) = (connect(&server).await, template());
        let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
        if db.execute_unprepared(&copy).await.is_err() {
            make_template(&db, &server, &template).await.expect("a database to copy");
            db.execute_unprepared(&copy).await.expect(&copy);
        }
        db.close().await.expect("a connection that ends");
        let url = in_database(&server, &name);
        Self { files: tempfile::tempdir().expect("a temporary folder"), url, server: Some(server) }
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

fn new_name() -> String {
    format!("onhand_test_{}", uuid::Uuid::new_v4().simple())
}

/// The name of the database that others are copied from: another one for each build of these tests.
fn template() -> String {
    let program = std::env::current_exe().and_then(|path| path.metadata()?.modified()).expect("this program");
    let built = program.duration_since(UNIX_EPOCH).expect("a time").as_nanos();
    format!("{TEMPLATE}_{built}")
}

/// Makes that database, unless another test has made it meanwhile; those of other builds go.
async fn make_template(db: &DatabaseConnection, server: &str, template: &str) -> Result<(), DbErr> {
    // The lock goes with its connection. There is only one.
    db.execute_unprepared(&format!("SELECT pg_advisory_lock(hashtext('{TEMPLATE}'))")).await?;
    let all = format!("SELECT datname FROM pg_database WHERE datname LIKE '{TEMPLATE}\\_%'");
    let mut is_made = false;
    for row in db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), all)).await? {
        match row.try_get::<String>("", "datname")? {
            name if name == template => is_made = true,
            // Another test may be copying it: then it goes another time.
            name => drop(db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await),
        }
    }
    if !is_made {
        // It gets its name when all is in it.
        let half = format!("{TEMPLATE}_half");
        db.execute_unprepared(&format!("CREATE DATABASE {half}")).await?;
        let databases = open(&in_database(server, &half)).await.expect("the database to copy");
        migrate(&databases).await.expect("its tables");
        databases.close().await;
        db.execute_unprepared(&format!("ALTER DATABASE {half} RENAME TO {template}")).await?;
    }
    Ok(())
}

async fn connect(server: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the server of TEST_DATABASE_URL")
}

async fn command(server: &str, text: &str) {
    let db = connect(server).await;
    db.execute_unprepared(text).await.expect(text);
    db.close().await.expect("a connection that ends");
}
