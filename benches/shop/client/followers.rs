//! Many websockets that follow the stock of one product, and who changes it meanwhile.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::frames::Frames;
use super::{Timing, last_version, percentile};
use crate::api;
use crate::http::{Connection, find, number};
use crate::usage::{Cpu, Watched};

/// Websockets that are being opened at the same time.
const AT_ONCE: usize = 100;

/// Connections over which the stock is changed.
const WRITERS: usize = 16;

/// Timeout for the opening of one websocket, and for the last value to reach all.
const TIMEOUT: Duration = Duration::from_mins(2);

/// How often is looked whether all have the last value.
const POLL: Duration = Duration::from_millis(10);

/// Websockets to open.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "the only unsafe code is inside macros of tokio")]
pub struct Follow {
    /// `HOST:PORT` of the websockets.
    pub host: String,
    /// Number of websockets.
    pub subscribers: usize,
    /// The product that is changed.
    pub product: String,
    /// The id of its stock record.
    pub stock: String,
    /// Other products: each websocket follows another selection of these, too.
    pub others: Vec<String>,
    /// Who changes the stock; none: somebody else does, until the benchmark says what the last version is.
    pub changes: Option<Changes>,
    /// Whose processor time is counted.
    pub watched: Watched,
}

/// Changes of the product, one unit each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changes {
    /// `HOST:PORT` of the server that makes them.
    pub host: String,
    /// Changes per second.
    pub rate: f64,
    /// Seconds that are not counted.
    pub warm_up: f64,
    /// Seconds that are counted.
    pub measured: f64,
}

/// What all websockets share.
struct Shared {
    start: Instant,
    stock: String,
    /// Websockets that have received a first value of each of their products.
    complete: AtomicUsize,
    /// The newest version that each has received; 0 for none.
    newest: Vec<AtomicU64>,
    is_counting: AtomicBool,
    events: AtomicU64,
    stop: CancellationToken,
}

/// A version and when something happened to it, in microseconds since the start.
type Seen = (u64, u64);

/// The websockets, and what each has received.
type Followers = JoinSet<Result<Vec<Seen>>>;

/// How many other products each websocket follows: a page of 20 has one that everybody wants.
const OTHERS: usize = 19;

impl Follow {
    /// Opens them all and waits until every one has the last value.
    pub async fn run(self) -> Result<Timing> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            stock: format!("\"{}\"", self.stock),
            complete: AtomicUsize::new(0),
            newest: (0..self.subscribers).map(|_| AtomicU64::new(0)).collect(),
            is_counting: AtomicBool::new(false),
            events: AtomicU64::new(0),
            stop: CancellationToken::new(),
        });
        let mut followers = self.open(&shared).await?;
        let incomplete = || self.subscribers - shared.complete.load(Ordering::Relaxed);
        shared.wait("a first value of everything", incomplete, &mut followers).await?;
        let Some(changes) = &self.changes else {
            let last = last_version().await?;
            shared.wait_for(last, &mut followers).await?;
            return Ok(Timing::default());
        };
        let (mut timing, sent) = self.measure(changes, &shared).await?;
        let last = sent.keys().max().copied().context("no change was made")?;
        shared.wait_for(last, &mut followers).await?;
        shared.stop.cancel();
        let mut micros = Vec::new();
        while let Some(seen) = followers.join_next().await {
            micros.extend(latencies(&sent, &seen??)?);
        }
        (timing.p50, timing.p99) = (percentile(&mut micros, 50), percentile(&mut micros, 99));
        Ok(timing)
    }

    async fn open(&self, shared: &Arc<Shared>) -> Result<Followers> {
        let opened = stream::iter(0..self.subscribers).map(|number| async move {
            let products = self.list(number);
            let frames = timeout(TIMEOUT, Frames::subscribe(&self.host, &products)).await;
            anyhow::Ok((number, products.len(), frames.context("a socket was not opened in time")??))
        });
        let mut opened = std::pin::pin!(opened.buffer_unordered(AT_ONCE));
        let mut followers = JoinSet::new();
        while let Some((number, products, frames)) = opened.try_next().await? {
            followers.spawn(follow(frames, number, products, Arc::clone(shared)));
        }
        Ok(followers)
    }

    /// The products that this websocket follows; no two have the same list if there are others.
    fn list(&self, number: usize) -> Vec<&str> {
        let count = self.others.len();
        let mut products = vec![self.product.as_str()];
        if count > OTHERS {
            let (first, gap) = (number % count, 1 + number / count);
            let others = (0..OTHERS).map(|place| self.others[(first + place * gap) % count].as_str());
            products.extend(others);
            products.sort_unstable();
            products.dedup();
        }
        products
    }

    /// Makes the changes, and counts deliveries after the first ones.
    async fn measure(&self, changes: &Changes, shared: &Arc<Shared>) -> Result<(Timing, HashMap<u64, u64>)> {
        let end = CancellationToken::new();
        let counted = async {
            sleep(Duration::from_secs_f64(changes.warm_up)).await;
            shared.is_counting.store(true, Ordering::SeqCst);
            let (cpu, begin) = (Cpu::read(self.watched), Instant::now());
            sleep(Duration::from_secs_f64(changes.measured)).await;
            let seconds = begin.elapsed().as_secs_f64();
            let cores = Cpu::read(self.watched).since(cpu, seconds);
            shared.is_counting.store(false, Ordering::SeqCst);
            end.cancel();
            let succeeded = shared.events.load(Ordering::Relaxed);
            Timing { succeeded, seconds, cores, ..Timing::default() }
        };
        let (timing, sent) = tokio::join!(counted, change(changes, &self.product, shared.start, &end));
        Ok((timing, sent?))
    }
}

impl Shared {
    /// Waits until every websocket has received this version or a later one.
    async fn wait_for(&self, version: u64, followers: &mut Followers) -> Result<()> {
        let without = || self.newest.iter().filter(|newest| newest.load(Ordering::Relaxed) < version).count();
        self.wait("the last value", without, followers).await
    }

    /// Waits until none is without something.
    async fn wait(&self, what: &str, without: impl Fn() -> usize, followers: &mut Followers) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(ended) = followers.try_join_next() {
                ended??;
                bail!("a websocket ended early");
            }
            let count = without();
            if count == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{count} websockets never received {what}");
            sleep(POLL).await;
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Reads what comes, first a value of each product, until it is stopped. Returns what was received while it was counted.
async fn follow(mut frames: Frames, subscriber: usize, products: usize, shared: Arc<Shared>) -> Result<Vec<Seen>> {
    let (mut seen, mut received, mut newest) = (Vec::new(), 0, 0);
    loop {
        let message = tokio::select! {
            message = frames.next() => message?,
            () = shared.stop.cancelled() => return Ok(seen),
        };
        received += 1;
        if find(message, shared.stock.as_bytes()).is_some() {
            let version = number(message, "version").context("an event without a version")?;
            ensure!(version > newest, "version {version} came after version {newest}");
            newest = version;
            shared.newest[subscriber].store(version, Ordering::Relaxed);
            if shared.is_counting.load(Ordering::Relaxed) {
                shared.events.fetch_add(1, Ordering::Relaxed);
                seen.push((version, shared.micros()));
            }
        } else if find(message, b"\"errors\":").is_some() || find(message, b"\"type\":\"next\"").is_none() {
            bail!("not an event: {}", String::from_utf8_lossy(message));
        }
        if received == products {
            shared.complete.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Changes the product at the rate until the end. Returns when the request for each version was sent.
async fn change(
    changes: &Changes,
    product: &str,
    start: Instant,
    end: &CancellationToken,
) -> Result<HashMap<u64, u64>> {
    let body = api::increment(product);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / changes.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let ticks = stream::unfold(ticks, |mut ticks| async move {
        ticks.tick().await;
        Some(((), ticks))
    });
    let idle = RefCell::new(Vec::new());
    let sent = ticks.take_until(end.cancelled()).map(|()| async {
        let at = u64::try_from(start.elapsed().as_micros())?;
        let unused = idle.borrow_mut().pop();
        let mut connection = match unused {
            Some(connection) => connection,
            None => Connection::open(&changes.host).await?,
        };
        let version = number(connection.post(&body).await?, "version").context("a change was refused")?;
        idle.borrow_mut().push(connection);
        anyhow::Ok((version, at))
    });
    sent.buffer_unordered(WRITERS).try_collect().await
}

/// Times from request to receipt, in microseconds.
fn latencies(sent: &HashMap<u64, u64>, seen: &[Seen]) -> Result<Vec<u32>> {
    let micros = seen.iter().filter_map(|(version, at)| Some(at.saturating_sub(*sent.get(version)?)));
    Ok(micros.map(u32::try_from).collect::<Result<_, _>>()?)
}
