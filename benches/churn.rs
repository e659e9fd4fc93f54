//! What is left of sockets that vanish: nothing. `cargo bench --bench churn`, on Linux.
//!
//! The real server runs as a process of its own, so that its memory can be read. Sockets say hello, subscribe to a stock
//! and vanish without a word: half of them with a reset, as of a process that was killed, half by never reading again, as
//! of a phone that left the network. At the end nothing may be open, and the memory must be what it was after the first
//! wave. `ONHAND_CHURN_SOCKETS` says how many, 100,000 unless given.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "a bench ends with the tasks that it spawns")]

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Sockets that vanish unless said otherwise.
const SOCKETS: usize = 100_000;
/// Sockets that only listen while the memory of each is measured.
const IDLE: usize = 10_000;
/// Sockets that are being opened at the same time.
const AT_ONCE: usize = 1_000;
/// Sockets that are open and silent at the same time; each is a file on both sides.
const SILENT: usize = 8_000;
/// Files that both sides may open.
const FILES: u64 = 16_384;
/// How long a silent socket is kept: longer than the server hears silence for.
const KEPT: Duration = Duration::from_secs(45);
/// How long after the last socket has vanished something may still be open.
const GONE_WITHIN: Duration = Duration::from_secs(45);
/// How long the allocator has to give memory back.
const SETTLE: Duration = Duration::from_secs(15);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a socket may take to open.
const PATIENCE: Duration = Duration::from_secs(30);
/// The memory at the end may be so many hundredths of the memory after the first wave.
const MAX_GROWTH: u64 = 125;
/// A product of the demo catalogue.
const PRODUCT: &str = "product_01j0000000e008000000000001";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Socket = WebSocketStream<TcpStream>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let sockets = wanted()?;
    rlimit::increase_nofile_limit(FILES)?;
    let server = Server::start().await?;
    server.open().await?;
    let empty = server.memory()?;

    println!("{IDLE} sockets that only listen");
    let idle = open(&server, IDLE).await?;
    sleep(Duration::from_secs(1)).await;
    let full = server.memory()?;
    println!("  memory without any      {empty:>8} kB");
    println!("  memory with all         {full:>8} kB");
    println!("  memory of each          {:>8.1} kB", as_float(full.saturating_sub(empty)) / as_float(IDLE as u64));
    for (number, socket) in idle.into_iter().enumerate() {
        // A killed client resets; what is left is closed politely by the kernel, which no client has a say in.
        if number % 2 == 0 {
            socket.get_ref().set_zero_linger()?;
        }
    }
    server.nothing_is_open().await?;
    // The first wave of the same kind leaves behind what later waves use again.
    vanish(&server, IDLE.min(sockets)).await?;
    let before = server.settled().await?;

    println!("{sockets} sockets that vanish");
    let began = Instant::now();
    let gone = vanish(&server, sockets).await?;
    let after = server.settled().await?;
    let growth = after * 100 / before;
    println!("  all opened and gone in  {:>8.0} s", began.elapsed().as_secs_f64());
    println!("  nothing was open after  {:>8.1} s of the last", gone.as_secs_f64());
    println!("  memory before           {before:>8} kB");
    println!("  memory after            {after:>8} kB, {growth} % of before");
    if growth > MAX_GROWTH {
        return Err(format!("it kept memory of sockets that are gone: at most {MAX_GROWTH} % is accepted").into());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench has no configuration of its own")]
fn wanted() -> Outcome<usize> {
    std::env::var("ONHAND_CHURN_SOCKETS").map_or(Ok(SOCKETS), |text| Ok(text.parse()?))
}

/// Opens so many sockets.
async fn open(server: &Server, count: usize) -> Outcome<Vec<Socket>> {
    let bar = bar(count);
    let opened = stream::iter(0..count).map(|_| tokio::spawn(subscribe(server.address)));
    let opened: Vec<_> = opened.buffer_unordered(AT_ONCE).inspect(|_| bar.inc(1)).collect().await;
    bar.finish_and_clear();
    opened.into_iter().map(|socket| socket?).collect()
}

/// Opens so many sockets and has them vanish, half by a reset, half by silence. Answers how long after the last there was
/// something open.
async fn vanish(server: &Server, count: usize) -> Outcome<Duration> {
    let bar = bar(count);
    let silent = Arc::new(Semaphore::new(SILENT));
    let (over, ends) = watch::channel(());
    let vanishing = stream::iter(0..count).map(|number| {
        let (address, silent, mut ends, bar) = (server.address, Arc::clone(&silent), ends.clone(), bar.clone());
        tokio::spawn(async move {
            let place = if number % 2 == 0 { None } else { Some(silent.acquire_owned().await?) };
            let socket = subscribe(address).await?;
            bar.inc(1);
            match place {
                None => socket.get_ref().set_zero_linger()?,
                Some(place) => drop(tokio::spawn(async move {
                    // The last ones are kept until nothing is open: it is the server that has to let them go.
                    tokio::select! {
                        () = sleep(KEPT) => {}
                        _ = ends.changed() => {}
                    }
                    drop((socket, place));
                })),
            }
            Outcome::Ok(())
        })
    });
    let mut vanishing = std::pin::pin!(vanishing.buffer_unordered(AT_ONCE));
    while let Some(vanished) = vanishing.next().await {
        vanished??;
    }
    bar.finish_and_clear();
    let took = server.nothing_is_open().await?;
    over.send(())?;
    Ok(took)
}

/// Connects, says hello, subscribes, and waits for the first value.
async fn subscribe(address: SocketAddr) -> Outcome<Socket> {
    let opened = timeout(PATIENCE, async {
        let mut request = format!("ws://{address}/graphql").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let config = WebSocketConfig::default().read_buffer_size(1_024).write_buffer_size(0);
        let (mut socket, _) = client_async_with_config(request, connect(address).await?, Some(config)).await?;
        let query =
            "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { id total available allocated version } }";
        let operation = json!({ "query": query, "variables": { "ids": [PRODUCT] } });
        for (say, hear) in [
            (json!({ "type": "connection_init" }), "connection_ack"),
            (json!({ "type": "subscribe", "id": "1", "payload": operation }), "next"),
        ] {
            socket.send(Message::Text(say.to_string().into())).await?;
            let heard = socket.next().await.ok_or("the socket was closed")??;
            let heard: Value = serde_json::from_str(heard.to_text()?)?;
            if heard["type"] != hear {
                return Err(format!("not a {hear}: {heard}").into());
            }
        }
        Outcome::Ok(socket)
    });
    opened.await?
}

/// Connects from one of many addresses: each has its own ports, and there are fewer of them than sockets.
async fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let socket = TcpSocket::new_v4()?;
    let from = NEXT.fetch_add(1, Ordering::Relaxed) % 200 + 2;
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0)))?;
    Ok(socket.connect(address).await?)
}

/// The server, as a process.
struct Server {
    address: SocketAddr,
    child: Child,
    http: reqwest::Client,
    _files: TempDir,
}

impl Server {
    async fn start() -> Outcome<Self> {
        let files = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_onhand"));
        command.current_dir(files.path()).env_clear().args(["--listen", "127.0.0.1:0", "--log", "error"]);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let address = loop {
            let line = lines.next_line().await?.ok_or("it did not start")?;
            if let Some(address) = line.strip_prefix("listening  http://") {
                break address.parse()?;
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { address, child, http, _files: files })
    }

    /// Resident memory, in kB.
    fn memory(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().ok_or("it has ended")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The least memory of a while.
    async fn settled(&self) -> Outcome<u64> {
        let (mut least, until) = (self.memory()?, Instant::now() + SETTLE);
        while Instant::now() < until {
            sleep(LOOK_EVERY).await;
            // Asking also lets the allocator do what it has put off.
            self.open().await?;
            least = least.min(self.memory()?);
        }
        Ok(least)
    }

    /// How many sockets and operations are open.
    async fn open(&self) -> Outcome<(u64, u64)> {
        let text = self.http.get(format!("http://{}/metrics", self.address)).send().await?.text().await?;
        let gauge = |name: &str| -> Outcome<u64> {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            Ok(value.ok_or_else(|| format!("no {name}"))?.trim().parse()?)
        };
        Ok((gauge("onhand_sockets_open")?, gauge("onhand_operations_open")?))
    }

    /// Waits until nothing is open, and answers how long that took.
    async fn nothing_is_open(&self) -> Outcome<Duration> {
        let began = Instant::now();
        loop {
            let open = self.open().await?;
            if open == (0, 0) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > GONE_WITHIN {
                let (sockets, operations) = open;
                return Err(format!("{sockets} sockets and {operations} operations are still open").into());
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn bar(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len} {per_sec} {elapsed}");
    ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn as_float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
