//! What lies between a server and its PostgreSQL, and can be cut: a plain relay on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    loses_commit: Arc<AtomicBool>,
}

impl Proxy {
    /// A relay to the database at this address.
    pub async fn before(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("an address");
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let here = listener.local_addr().expect("an address").to_string();
        let is_open = watch::Sender::new(true);
        let loses_commit = Arc::new(AtomicBool::new(false));
        let (open, loses) = (is_open.clone(), Arc::clone(&loses_commit));
        let from = server.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *open.borrow() {
                    tokio::spawn(relay(client, from.clone(), open.subscribe(), Arc::clone(&loses)));
                }
            }
        });
        Self { url: url.replace(&server, &here), is_open, loses_commit }
    }

    /// Cuts every connection, and lets no new one through.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }

    /// Lets the next commit through, but not its answer: the connection breaks off in between.
    pub fn lose_answer_of_commit(&self) {
        self.loses_commit.store(true, Ordering::SeqCst);
    }

    /// Whether the answer of a commit was lost since it was asked for.
    pub fn has_lost_answer(&self) -> bool {
        !self.loses_commit.load(Ordering::SeqCst)
    }
}

async fn relay(client: TcpStream, server: String, mut is_open: watch::Receiver<bool>, loses: Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = requests(from_client, to_server, loses) => {}
        () = answers(from_server, to_client) => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}

/// Ends after a commit whose answer is to be lost; the answer itself is cut off by that.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, loses: Arc<AtomicBool>) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let is_commit = bytes[..count].starts_with(b"Q") && bytes[..count].windows(6).any(|part| part == b"COMMIT");
        let is_lost = is_commit && loses.swap(false, Ordering::SeqCst);
        if to.write_all(&bytes[..count]).await.is_err() || is_lost {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
