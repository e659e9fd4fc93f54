//! A shop per test: a server of its own on a free port, on a database of its own, with a clock that can be set forward.

mod actions;
pub mod cluster;
mod gateway;
mod place;
pub mod process;
pub mod providers;
mod proxy;
mod receiver;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::stock::PublicStock;
use onhand::app::{App, Settings};
use onhand::cli::verify;
use onhand::clock::Clock;
use onhand::config::{Access, GatewaySettings, HoldSettings, PaymentTimeouts, Role, WebhookSettings};
use onhand::database::{Databases, FeedConnection, Kind, migrate, open};
use onhand::graphql::Limits;
use onhand::payment;
use onhand::server::{Authenticator, HttpConfig, Startup, Timeouts, TransportConfig, issue_token};
use onhand::writer::{MAX_QUEUED, MAX_WAIT};
use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use actions::{Paid, codes, paid, short};
pub use gateway::Provider;
pub use place::{Place, is_postgres};
pub use process::Process;
pub use proxy::Proxy;
pub use receiver::{Answer, Received, Receiver};
pub use socket::Socket;

/// How long a test waits for something that must come: so long that no busy machine exceeds it. Only a test that fails
/// waits to its end.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Payment times that no busy machine exceeds: whoever pays is answered with the outcome.
pub const fn patient_times() -> PaymentTimeouts {
    PaymentTimeouts {
        pay_answer: PATIENCE,
        pay_gateway: PATIENCE,
        pay_lease: Duration::from_secs(90),
        pay_retry: Duration::from_millis(50),
        pay_retry_max: Duration::from_millis(200),
        pay_give_up: Duration::from_hours(1),
    }
}

/// Payment times that are short enough to wait for: for stories in which a gateway does not answer.
pub const fn short_times() -> PaymentTimeouts {
    PaymentTimeouts {
        pay_answer: Duration::from_secs(1),
        pay_gateway: Duration::from_millis(1_500),
        pay_lease: Duration::from_secs(2),
        ..patient_times()
    }
}

/// Settings of webhooks with short pauses, for receivers on this machine. No busy machine exceeds the timeout.
pub const fn webhook_settings() -> WebhookSettings {
    WebhookSettings {
        webhook_private_networks: true,
        webhook_timeout: PATIENCE,
        webhook_retry: Duration::from_millis(50),
        webhook_retry_max: Duration::from_hours(1),
        webhook_give_up: Duration::from_hours(72),
    }
}

/// The default limits with timeouts for clients that no busy machine exceeds: a test that is itself slow to send, to read
/// or to answer a ping is not taken for a client that is gone.
pub fn patient_transport() -> TransportConfig {
    let long = Duration::from_mins(10);
    let times = Timeouts { head: PATIENCE, init: PATIENCE, silence: long, write: long, ..Timeouts::default() };
    TransportConfig { timeouts: times, ..TransportConfig::default() }
}

/// The secret of shops that check tokens.
pub const SECRET: &str = "a secret that only these tests know";

/// Access by tokens that are signed with it.
pub fn with_tokens() -> Access {
    Access {
        secret: Some(SECRET.to_owned()),
        issuer: Some("tests".to_owned()),
        audience: Some("shop".to_owned()),
        sandbox: Some(true),
        ..Access::default()
    }
}

/// How a shop is to be.
pub struct Wanted {
    /// Payment times.
    pub times: PaymentTimeouts,
    /// Which orders hold their units before they are paid.
    pub holds: HoldSettings,
    /// Who may do what; development unless changed.
    pub access: Access,
    /// What comes in, and how long it may take.
    pub transport: TransportConfig,
    /// What one document may ask for.
    pub documents: Limits,
    /// How long a command may wait for its turn.
    pub max_wait: Duration,
    /// Which gateways there are besides the sandbox.
    pub gateways: GatewaySettings,
    /// Whether servers of release 0.1 may run beside it.
    pub compatible: bool,
    /// How webhooks are sent, if they are.
    pub webhooks: Option<WebhookSettings>,
}

impl Default for Wanted {
    fn default() -> Self {
        let (access, transport, documents) = (Access::default(), patient_transport(), Limits::default());
        Self {
            times: patient_times(),
            holds: HoldSettings::default(),
            access,
            transport,
            documents,
            max_wait: MAX_WAIT,
            gateways: GatewaySettings::default(),
            webhooks: None,
            compatible: false,
        }
    }
}

/// Somebody who sends requests: with a token, or without.
#[derive(Clone)]
pub struct Client {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What is sent as `Authorization`.
    pub authorization: Option<String>,
    /// What requests are sent with.
    pub http: reqwest::Client,
}

/// A running shop. It is also a client of itself: in development staff, otherwise a guest.
pub struct Shop {
    /// The app inside, for what no client can see.
    pub app: App,
    access: Access,
    client: Client,
    ahead: Arc<AtomicI64>,
    stop: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
    writer: JoinHandle<()>,
    databases: Databases,
    // Dropped last: it goes when everything that uses it is gone.
    place: Arc<Place>,
}

impl std::ops::Deref for Shop {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Client {
    /// Sends an operation and returns the whole response.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let mut request = self.http.post(format!("{}/graphql", self.url)).json(&body);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// Sends an operation that must succeed and returns its data.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut response = self.ask(query, variables).await;
        assert!(response.get("errors").is_none(), "{query}: {response}");
        response["data"].take()
    }

    /// Sends an operation that must fail, and returns the code of its first error.
    pub async fn code(&self, query: &str, variables: Value) -> String {
        let response = self.ask(query, variables).await;
        let code = response["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{query}: {response}")).to_owned()
    }

    /// A client for requests that are not GraphQL.
    pub const fn client(&self) -> &reqwest::Client {
        &self.http
    }
}

impl Shop {
    /// An empty shop.
    pub async fn open() -> Self {
        Self::open_as(Wanted::default()).await
    }

    /// An empty shop with these payment times.
    pub async fn open_with(times: PaymentTimeouts) -> Self {
        Self::open_as(Wanted { times, ..Wanted::default() }).await
    }

    /// An empty shop with this transport.
    pub async fn open_with_transport(transport: TransportConfig) -> Self {
        Self::open_as(Wanted { transport, ..Wanted::default() }).await
    }

    /// An empty shop that checks tokens and shows counts to the public as this says.
    pub async fn open_public(public_stock: PublicStock) -> Self {
        let access = Access { public_stock, ..with_tokens() };
        Self::open_as(Wanted { access, ..Wanted::default() }).await
    }

    /// An empty shop that sends webhooks.
    pub async fn open_with_webhooks() -> Self {
        Self::open_as(Wanted { webhooks: Some(webhook_settings()), ..Wanted::default() }).await
    }

    /// An empty shop.
    pub async fn open_as(wanted: Wanted) -> Self {
        let place = Arc::new(Place::with_tables().await);
        let url = place.url.clone();
        Self::open_at(place, &url, wanted).await
    }

    /// An empty shop whose way to its database is this address.
    pub async fn open_by(place: Place, url: &str) -> Self {
        Self::open_at(Arc::new(place), url, Wanted::default()).await
    }

    /// An empty shop whose way to its database can be cut or silenced; `None` on SQLite.
    pub async fn behind_a_proxy() -> Option<(Proxy, Self)> {
        if !is_postgres() {
            return None;
        }
        let place = Place::with_tables().await;
        let proxy = Proxy::before(&place.url).await;
        let shop = Self::open_by(place, &proxy.url).await;
        Some((proxy, shop))
    }

    /// One more replica of this shop. Only PostgreSQL can have several.
    pub async fn replica(&self, wanted: Wanted) -> Self {
        Self::open_at(Arc::clone(&self.place), &self.place.url, wanted).await
    }

    async fn open_at(place: Arc<Place>, url: &str, wanted: Wanted) -> Self {
        let Wanted { times, holds, access, transport, documents, max_wait, gateways, webhooks, compatible } = wanted;
        let databases = open(url).await.expect("a database");
        migrate(&databases).await.expect("migrations");
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = Arc::clone(&ahead);
        let clock = Clock::from_fn(move || {
            Clock::system().now() + chrono::Duration::milliseconds(offset.load(Ordering::SeqCst))
        });
        let authenticator = Authenticator::new(&access).await.expect("sound settings");
        authenticator.wait_for_keys().await;
        let is_development = authenticator.is_development();
        let settings = Settings {
            times,
            holds,
            webhooks: webhooks.unwrap_or(webhook_settings()),
            public_stock: access.public_stock,
            has_sandbox: gateways.has_sandbox(access.sandbox, is_development),
            gateways,
            is_compatible_with_0_1: compatible,
            max_queued: MAX_QUEUED,
            max_wait,
        };
        let (app, writer) = App::start(&databases, settings, clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        app.follow_replicas(&databases.kind, &stop).await.expect("a database");
        tokio::spawn(payment::recover(app.payments.clone(), stop.clone()));
        tokio::spawn(payment::holds::end_holds(app.holds.clone(), stop.clone()));
        if webhooks.is_some() {
            tokio::spawn(onhand::webhooks::send(app.webhooks.clone(), stop.clone()));
        }
        let config =
            HttpConfig { authenticator, explore: access.explore.unwrap_or(is_development), documents, transport };
        let startup = Startup::open(listener, &config.transport, stop.clone());
        let server = tokio::spawn(startup.serve(app.clone(), config).expect("a sound schema").until_drained());
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let client = Client { url, authorization: None, http };
        Self { app, access, client, ahead, stop, server, writer, databases, place }
    }

    /// Somebody with a token that is good for an hour.
    pub async fn signed_in(&self, role: Role, subject: &str) -> Client {
        self.signed_in_for(role, subject, Duration::from_hours(1)).await
    }

    /// Somebody with a token that is good for so long.
    pub async fn signed_in_for(&self, role: Role, subject: &str, lifetime: Duration) -> Client {
        let token = issue_token(&self.access, role, subject, lifetime, Clock::system().now()).await.expect("a token");
        Client { authorization: Some(format!("Bearer {token}")), ..self.client.clone() }
    }

    /// Somebody whose token expired a minute ago.
    pub async fn expired(&self, role: Role, subject: &str) -> Client {
        let made_at = Clock::system().now() - Duration::from_mins(1);
        let token = issue_token(&self.access, role, subject, Duration::ZERO, made_at).await.expect("a token");
        Client { authorization: Some(format!("Bearer {token}")), ..self.client.clone() }
    }

    /// Sets the shop's clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a short time");
        self.ahead.fetch_add(millis, Ordering::SeqCst);
    }

    /// The database below, for what no client can do.
    pub fn database(&self) -> &sea_orm::DatabaseConnection {
        // PostgreSQL's own connection for writing is made by the writer.
        self.databases.write.as_ref().unwrap_or(&self.databases.read)
    }

    /// The databases of the server.
    pub const fn databases(&self) -> &Databases {
        &self.databases
    }

    /// A feed of its own on the shop's PostgreSQL.
    pub fn feed(&self) -> FeedConnection {
        let Kind::Postgres(postgres) = &self.databases.kind else { panic!("a file has no feed") };
        FeedConnection::new(postgres.clone())
    }

    /// A transaction of somebody else beside which nobody can write, until it is rolled back.
    pub async fn keep_busy(&self) -> sea_orm::DatabaseTransaction {
        let (options, hold) = if is_postgres() {
            ("", "LOCK TABLE product, stock, cart, \"order\", idempotency_key IN ACCESS EXCLUSIVE MODE")
        } else {
            ("?mode=rw", "UPDATE product SET sku = sku")
        };
        let stranger = Database::connect(format!("{}{options}", self.place.url)).await.expect("a connection");
        #[expect(clippy::disallowed_methods, reason = "somebody else has the database")]
        let transaction = stranger.begin().await.expect("a transaction");
        transaction.execute_unprepared(hold).await.expect("the lock");
        transaction
    }

    /// Adds so many rows to the log of each product, without its stock: for what is only read.
    pub async fn fill_log(&self, of_each: usize) {
        let columns = "id, product_id, sequence, action, quantity, total_delta, allocated_delta, available_delta, total_after, \
            allocated_after, available_after, reason, actor, operation_id, created_at";
        let (numbers, id) = if is_postgres() {
            (format!("generate_series(1, {of_each}) AS numbers (n)"), "gen_random_uuid()")
        } else {
            let count = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ";
            (format!("({count}{of_each}) SELECT n FROM c) AS numbers"), "randomblob(16)")
        };
        let insert = format!(
            "INSERT INTO stock_transaction ({columns}) SELECT {id}, stock.product_id, stock.sequence + n, 'increment', 1, 1, 0, \
             1, n, 0, n, 'received', 'somebody', {id}, stock.updated_at FROM {numbers}, stock ORDER BY n"
        );
        let db = if is_postgres() {
            // The server's own connections let no statement take so long.
            Database::connect(&self.place.url).await.expect("a connection")
        } else {
            self.database().clone()
        };
        db.execute_unprepared(&insert).await.expect("rows");
    }

    /// Closes what is read from: a database that is away for good.
    pub async fn lose_database(&self) {
        for connections in [&self.databases.read, &self.databases.scan, &self.databases.probe] {
            connections.clone().close().await.expect("an end");
        }
    }

    /// Where the shop keeps its things.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Checks every invariant of the shop, as `onhand verify` does.
    pub async fn verify(&self) -> verify::Report {
        let report = verify::verify(&self.databases.read, false).await.expect("a report");
        assert!(report.differences.is_empty(), "{:#?}", report.differences);
        report
    }

    /// Verifies and closes the shop.
    pub async fn close(self) -> verify::Report {
        let report = self.verify().await;
        let Self { app, stop, server, writer, databases, place, .. } = self;
        stop.cancel();
        server.await.expect("no panic").expect("a clean end");
        // The writer ends when nobody can hand anything in any more, and gives the lock of a file back.
        drop(app);
        timeout(PATIENCE, writer).await.expect("nobody holds the writer").expect("no panic");
        drop((databases, place));
        report
    }
}

impl cluster::Cluster {
    /// A new one with these settings; `None` when it is not PostgreSQL's turn.
    pub fn start(settings: &'static str) -> Option<Self> {
        is_postgres().then(|| Self::new(settings))
    }
}

/// Tries until something holds. It fails after [`PATIENCE`].
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
