//! Several real server processes on one PostgreSQL: started at once, replaced one after the other under load, killed.
//! On SQLite there is one server per file, and nothing to test here.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::process::run;
use crate::support::{Client, PATIENCE, Place, Process, Socket, eventually, is_postgres};

const MUG: &str = "product_01j0000000e008000000000002";
const UNITS: usize = 24;
const STOCK: &str =
    "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total available allocated version } }";

/// What stands before the replicas: whoever comes is sent to one that is there.
#[derive(Clone)]
struct Balancer {
    urls: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicUsize>,
    http: reqwest::Client,
}

impl Balancer {
    fn before(replicas: &[Process]) -> Self {
        let urls = replicas.iter().map(|replica| replica.url.clone()).collect();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { urls: Arc::new(Mutex::new(urls)), next: Arc::default(), http }
    }

    fn replace(&self, old: &str, new: Option<&str>) {
        let mut urls = self.urls.lock().expect("no panic");
        urls.retain(|url| url != old);
        urls.extend(new.map(str::to_owned));
    }

    fn url(&self) -> String {
        let urls = self.urls.lock().expect("no panic");
        urls[self.next.fetch_add(1, Ordering::SeqCst) % urls.len()].clone()
    }

    /// Sends an operation until it is answered with data: what gets no answer, or is told to come back, is sent again
    /// to another.
    async fn insist(&self, query: &str, variables: &Value) -> Value {
        for _ in 0..1_000 {
            let body = json!({ "query": query, "variables": variables });
            let sent = self.http.post(format!("{}/graphql", self.url())).json(&body).send().await;
            if let Ok(answer) = sent
                && let Ok(mut answer) = answer.json::<Value>().await
                && answer.get("errors").is_none()
            {
                return answer["data"].take();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no answer to {query}");
    }

    fn client(&self) -> Client {
        Client { url: self.url(), authorization: None, http: self.http.clone() }
    }
}

/// Sells one unit: received, ordered, paid under a key. Returns the order, and whether paying it was acknowledged.
async fn sell(balancer: &Balancer, number: usize) -> (String, bool) {
    let key = |what: &str| format!("{what} {number}");
    let receive = "mutation($p: ID!, $k: String!) { adjustStock(input: { reason: RECEIVED, idempotencyKey: $k, \
        changes: [{ productId: $p, action: INCREMENT, quantity: 1 }] }) { stocks { version } userErrors { code } } }";
    let received = balancer.insist(receive, &json!({ "p": MUG, "k": key("receive") })).await;
    assert_eq!(received["adjustStock"]["userErrors"], json!([]));
    let cart = "mutation($p: ID!) { createCart(input: { items: [{ productId: $p, quantity: 1 }] }) { cart { id } userErrors { code } } }";
    let cart = balancer.insist(cart, &json!({ "p": MUG })).await["createCart"]["cart"]["id"].take();
    let check_out =
        "mutation($c: ID!, $k: String!) { checkOut(input: { cartId: $c, idempotencyKey: $k }) { order { id } } }";
    let order = balancer.insist(check_out, &json!({ "c": cart, "k": key("check out") })).await;
    let order = order["checkOut"]["order"]["id"].as_str().expect("an order").to_owned();
    let pay = "mutation($o: ID!, $k: String!) { payOrder(input: { orderId: $o, gateway: \"sandbox\", idempotencyKey: $k }) \
        { order { payment } userErrors { code } } }";
    let paid = balancer.insist(pay, &json!({ "o": order, "k": key("pay") })).await;
    (order, paid["payOrder"]["order"]["payment"] == "PAID")
}

/// Sells until it is told to stop.
async fn buyer(
    balancer: Balancer,
    number: usize,
    stop: Arc<AtomicBool>,
    sold: Arc<AtomicUsize>,
) -> Vec<(String, bool)> {
    let mut orders = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        orders.push(sell(&balancer, number * 100_000 + orders.len()).await);
        sold.fetch_add(1, Ordering::SeqCst);
    }
    orders
}

/// Watches the mug: it comes back when its server goes, and on one connection it never sees an older state.
async fn watcher(balancer: Balancer, newest: Arc<Mutex<Value>>) {
    loop {
        let Ok(mut socket) = Socket::try_hello(&balancer.client()).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if !socket.try_subscribe_with("badge", STOCK, json!({ "ids": [MUG] })).await {
            continue;
        }
        let mut version = 0;
        while let Some(message) = socket.try_next().await {
            let stock = message["payload"]["data"]["stockChanged"].clone();
            let Some(next) = stock["version"].as_i64() else { break };
            assert!(next > version, "{next} after {version}");
            version = next;
            *newest.lock().expect("no panic") = stock;
        }
    }
}

async fn start<const N: usize>(place: &Place) -> Vec<Process> {
    join_all((0..N).map(|_| Process::start(place))).await
}

/// Everything that was acknowledged is there, everything else comes to its end, and the watchers see it.
async fn all_is_well(place: &Place, balancer: &Balancer, orders: &[(String, bool)], watched: &[Arc<Mutex<Value>>]) {
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { payment payments { status } } } }";
    let sold = AtomicUsize::new(0);
    for some in orders.chunks(100) {
        let ids: Vec<_> = some.iter().map(|(order, _)| order).collect();
        eventually("the outcome of every payment is known", || async {
            let found = balancer.insist(query, &json!({ "ids": ids })).await["nodes"].take();
            let found = found.as_array().expect("orders").clone();
            for (order, (id, was_told)) in found.iter().zip(some) {
                assert!(order["payment"] == "PAID" || !was_told, "{id} was acknowledged: {order}");
                assert!(order["payments"].as_array().is_some_and(|payments| payments.len() == 1), "{order}");
            }
            let is_known = found.iter().all(|order| order["payment"] != "IN_PROGRESS");
            if is_known {
                let paid = found.iter().filter(|order| order["payment"] == "PAID").count();
                sold.fetch_add(paid, Ordering::SeqCst);
            }
            is_known
        })
        .await;
    }
    let stock = "query($p: ID!) { stock(productId: $p) { total available allocated version } }";
    let stock = balancer.insist(stock, &json!({ "p": MUG })).await["stock"].take();
    assert_eq!(stock["total"], json!(UNITS + orders.len()));
    assert_eq!(stock["allocated"], json!(sold.into_inner()), "what is paid is allocated, and nothing else");
    for newest in watched {
        eventually("a watcher has the last value", || async { *newest.lock().expect("no panic") == stock }).await;
    }
    let (code, report) = run(place, &["verify"]).await;
    assert_eq!(code, 0, "{report}");
}

struct Load {
    stop: Arc<AtomicBool>,
    sold: Arc<AtomicUsize>,
    buyers: Vec<tokio::task::JoinHandle<Vec<(String, bool)>>>,
    watchers: Vec<tokio::task::JoinHandle<()>>,
    watched: Vec<Arc<Mutex<Value>>>,
}

impl Load {
    fn begin(balancer: &Balancer) -> Self {
        let (stop, sold) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let buy = |number| tokio::spawn(buyer(balancer.clone(), number, Arc::clone(&stop), Arc::clone(&sold)));
        let buyers = (0..8).map(buy).collect();
        let watched: Vec<Arc<Mutex<Value>>> = (0..6).map(|_| Arc::default()).collect();
        let watch = |newest: &Arc<Mutex<Value>>| tokio::spawn(watcher(balancer.clone(), Arc::clone(newest)));
        let watchers = watched.iter().map(watch).collect();
        Self { stop, sold, buyers, watchers, watched }
    }

    async fn goes_on(&self) {
        let before = self.sold.load(Ordering::SeqCst);
        eventually("it goes on", || async { self.sold.load(Ordering::SeqCst) >= before + 20 }).await;
    }

    async fn end(self, place: &Place, balancer: &Balancer) {
        self.stop.store(true, Ordering::SeqCst);
        let orders: Vec<_> = join_all(self.buyers).await.into_iter().flat_map(|some| some.expect("no panic")).collect();
        all_is_well(place, balancer, &orders, &self.watched).await;
        for watcher in self.watchers {
            watcher.abort();
            assert!(watcher.await.is_err_and(|end| end.is_cancelled()), "a watcher saw an older state");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_make_one_schema_and_one_catalogue() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let replicas = start::<4>(&place).await;
    for replica in &replicas {
        let answer = replica.ask("{ products(first: 100) { nodes { id } } }", json!({})).await.expect("an answer");
        assert_eq!(answer["data"]["products"]["nodes"].as_array().map(Vec::len), Some(12));
    }
    for replica in replicas {
        assert!(replica.stop("TERM").await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_nothing() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let mut replicas = start::<3>(&place).await;
    let balancer = Balancer::before(&replicas);
    let load = Load::begin(&balancer);
    load.goes_on().await;
    for _ in 0..3 {
        let old = replicas.remove(0);
        let new = Process::start(&place).await;
        balancer.replace(&old.url, Some(&new.url));
        replicas.push(new);
        assert!(old.stop("TERM").await.success());
        load.goes_on().await;
        let (code, report) = run(&place, &["verify"]).await;
        assert_eq!(code, 0, "while load runs: {report}");
    }
    load.end(&place, &balancer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_disturbs_no_other() {
    if !is_postgres() {
        return;
    }
    let place = Place::new().await;
    let mut replicas = start::<3>(&place).await;
    let balancer = Balancer::before(&replicas);
    let load = Load::begin(&balancer);
    load.goes_on().await;
    for _ in 0..2 {
        let victim = replicas.remove(0);
        let url = victim.url.clone();
        victim.kill().await;
        load.goes_on().await;
        balancer.replace(&url, None);
    }
    load.end(&place, &balancer).await;
}
