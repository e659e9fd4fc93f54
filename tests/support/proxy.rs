//! What lies between a server and its PostgreSQL, and can be cut: a plain relay on this machine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A relay to a PostgreSQL.
pub struct Proxy {
    /// The database's address by way of this relay.
    pub url: String,
    is_open: watch::Sender<bool>,
    server: watch::Sender<String>,
    next_commit: Arc<NextCommit>,
    silence: Arc<Silence>,
}

/// Which connections stay open while nothing comes over them any more, by their `application_name`.
#[derive(Default)]
struct Silence {
    connections: Mutex<Vec<(String, Arc<AtomicBool>)>>,
    /// All that are made with this name.
    forever: Mutex<Option<String>>,
}

/// What becomes of the answer to the next commit.
#[derive(Default)]
struct NextCommit {
    /// The connection breaks off before it.
    is_lost: AtomicBool,
    /// The connection stays open, and nothing comes over it any more.
    is_swallowed: AtomicBool,
    /// The connection breaks off before the commit itself gets through.
    is_dropped: AtomicBool,
    /// The client's side breaks off, and the commit gets through so many milliseconds later.
    delayed_by: AtomicU64,
}

impl Proxy {
    /// A relay to the database at this address.
    pub async fn before(url: &str) -> Self {
        let server = server_of(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let here = listener.local_addr().expect("an address").to_string();
        let is_open = watch::Sender::new(true);
        let (next_commit, silence) = (Arc::<NextCommit>::default(), Arc::<Silence>::default());
        let (open, next, silent) = (is_open.clone(), Arc::clone(&next_commit), Arc::clone(&silence));
        let url = url.replace(&server, &here);
        let server = watch::Sender::new(server);
        let leads_to = server.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *open.borrow() {
                    let links = (Arc::clone(&next), Arc::clone(&silent));
                    tokio::spawn(relay(client, leads_to.subscribe(), open.subscribe(), links));
                }
            }
        });
        Self { url, is_open, server, next_commit, silence }
    }

    /// Leads to the database at this address from now on, as a name that moves, and cuts the connections to the one before.
    #[allow(dead_code, reason = "the fault programme moves names")]
    pub fn lead_to(&self, url: &str) {
        self.server.send_replace(server_of(url));
    }

    /// Cuts every connection, and lets no new one through.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }

    /// Swallows whatever would come from now on over the connections that have this `application_name`; how many they are.
    pub fn silence(&self, name: &str) -> usize {
        let mut connections = self.silence.connections.lock().expect("no panic");
        let (named, others) = connections.drain(..).partition(|(of, _)| of == name);
        *connections = others;
        let named: Vec<(String, Arc<AtomicBool>)> = named;
        for (_, is_deaf) in &named {
            is_deaf.store(true, Ordering::SeqCst);
        }
        named.len()
    }

    /// The same, and over every new one with this name, until another or none is told.
    pub fn silence_all(&self, name: Option<&str>) {
        *self.silence.forever.lock().expect("no panic") = name.map(str::to_owned);
        name.map(|name| self.silence(name));
    }

    /// Lets the next commit through, but not its answer: the connection breaks off in between.
    pub fn lose_answer_of_commit(&self) {
        self.next_commit.is_lost.store(true, Ordering::SeqCst);
    }

    /// Lets the next commit through, but neither its answer nor anything after it, and keeps the connection open.
    pub fn swallow_answer_of_commit(&self) {
        self.next_commit.is_swallowed.store(true, Ordering::SeqCst);
    }

    /// Breaks the connection off before the next commit gets through.
    pub fn lose_commit(&self) {
        self.next_commit.is_dropped.store(true, Ordering::SeqCst);
    }

    /// Breaks the client's side off at the next commit, and lets the commit through only after this time.
    pub fn delay_commit(&self, by: Duration) {
        self.next_commit.delayed_by.store(by.as_millis().try_into().expect("a short time"), Ordering::SeqCst);
    }

    /// Whether what was asked for has been done.
    pub fn has_lost_answer(&self) -> bool {
        let NextCommit { is_lost, is_swallowed, is_dropped, delayed_by } = &*self.next_commit;
        let is_done = |wanted: &AtomicBool| !wanted.load(Ordering::SeqCst);
        [is_lost, is_swallowed, is_dropped].into_iter().all(is_done) && delayed_by.load(Ordering::SeqCst) == 0
    }
}

fn server_of(url: &str) -> String {
    let options: PgConnectOptions = url.parse().expect("an address");
    format!("{}:{}", options.get_host(), options.get_port())
}

async fn relay(
    client: TcpStream,
    mut server: watch::Receiver<String>,
    mut is_open: watch::Receiver<bool>,
    (next, silence): (Arc<NextCommit>, Arc<Silence>),
) {
    let address = server.borrow_and_update().clone();
    let Ok(connected) = TcpStream::connect(address).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = connected.into_split();
    let is_deaf = Arc::<AtomicBool>::default();
    tokio::select! {
        () = requests(from_client, to_server, (&next, &silence), &is_deaf) => {}
        () = answers(from_server, to_client, &is_deaf) => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
        Ok(()) = server.changed() => {}
    }
}

/// Ends after a commit whose answer is to be lost; the answer itself is cut off by that.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (next, silence): (&NextCommit, &Silence),
    is_deaf: &Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let Some(name) = application_name(&bytes[..count]) {
            silence.is_met(name, is_deaf);
        }
        let is_commit = bytes[..count].starts_with(b"Q") && bytes[..count].windows(6).any(|part| part == b"COMMIT");
        let is_lost = is_commit && next.is_lost.swap(false, Ordering::SeqCst);
        if is_commit && next.is_swallowed.swap(false, Ordering::SeqCst) {
            is_deaf.store(true, Ordering::SeqCst);
        }
        if is_commit && next.is_dropped.swap(false, Ordering::SeqCst) {
            return;
        }
        if let (true, by @ 1..) = (is_commit, next.delayed_by.load(Ordering::SeqCst)) {
            next.delayed_by.store(0, Ordering::SeqCst);
            bytes.truncate(count);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(by)).await;
                // The server may have ended the connection by itself.
                let _ = to.write_all(&bytes).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            });
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() || is_lost {
            return;
        }
    }
}

impl Silence {
    fn is_met(&self, name: String, is_deaf: &Arc<AtomicBool>) {
        if self.forever.lock().expect("no panic").as_ref() == Some(&name) {
            is_deaf.store(true, Ordering::SeqCst);
        }
        self.connections.lock().expect("no panic").push((name, Arc::clone(is_deaf)));
    }
}

/// The name of a connection, in the message that begins it.
fn application_name(bytes: &[u8]) -> Option<String> {
    let key = b"application_name\0";
    let at = bytes.windows(key.len()).position(|part| part == key)? + key.len();
    let name = bytes[at..].split(|byte| *byte == 0).next()?;
    String::from_utf8(name.to_vec()).ok()
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_deaf: &AtomicBool) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if !is_deaf.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
