//! The public keys that tokens are verified with: a JWK set from a file or from a URL, kept in memory.
//!
//! A token that names an unknown key makes the set be loaded again, in the background and not too often, so that keys can be
//! rotated and nobody can make the server load at will. If loading fails, the old set stays in use, however long; a URL that
//! was never loaded is retried until it is, and meanwhile no token is valid.
//! Sockets and event streams under a key are closed when a set without that key is loaded.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::supervision::detached;
use anyhow::{Context, bail};
use futures_util::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Maximum number of keys of a set; the others are ignored.
const MAX_KEYS: usize = 32;

/// Maximum size of a set, in bytes.
const MAX_BYTES: usize = 256 * 1_024;

/// Timeout for loading a set.
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The age at which a set is loaded again.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The age before which a set is never loaded again.
const MIN_AGE: Duration = Duration::from_secs(2);

/// How long the startup waits for a set at a URL.
const START_WAIT: Duration = Duration::from_secs(2);

/// The pause after the first failure to load a set. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Maximum such pause while no set is known, so that valid tokens are accepted within 10 s of the provider's return: this
/// pause, and a load that had already begun.
const MAX_PAUSE: Duration = Duration::from_secs(3);

/// Maximum such pause while an old set is in use.
const MAX_PAUSE_WITH_KEYS: Duration = Duration::from_mins(1);

/// A public key. The algorithm is the key's, never the token's.
#[derive(Clone)]
pub struct Key {
    /// Its `kid`.
    pub id: Option<String>,
    /// The only algorithm that it verifies.
    pub algorithm: Algorithm,
    /// The key itself.
    pub decodes: DecodingKey,
    /// A digest of the key itself: another key of the same id is another key.
    pub thumbprint: String,
}

/// A key set that is kept up to date for as long as it lives.
pub struct KeySet {
    source: Source,
    /// `None` until it was loaded.
    keys: watch::Sender<Option<Vec<Key>>>,
    /// Cancelled after the first attempt to load it.
    tried: CancellationToken,
    /// Notified when a token names an unknown key.
    wanted: Arc<Notify>,
    /// When it was last loaded, or else opened.
    loaded_at: Mutex<Instant>,
    /// Number of failures to load it.
    failures: AtomicU64,
}

/// Where a set is loaded from.
enum Source {
    File(PathBuf),
    /// A URL, and the part of it that may be logged.
    Web(Url, String),
}

impl Source {
    fn of(text: &str) -> anyhow::Result<Self> {
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.context("ONHAND_JWKS is a file or a web address such as https://id.example/jwks.json")?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{host}{port}{}", url.scheme(), url.path());
        Ok(Self::Web(url, shown))
    }

    fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Web(_, shown) => shown.clone(),
        }
    }

    async fn read(&self) -> anyhow::Result<Vec<Key>> {
        let shown = self.shown();
        let bytes = async {
            match self {
                Self::File(path) => load(path).await,
                Self::Web(url, _) => fetch(url).await.with_context(|| format!("cannot read {shown}")),
            }
        };
        let bytes = timeout(LOAD_TIMEOUT, bytes).await;
        let bytes = bytes.with_context(|| format!("{shown} did not answer within {} s", LOAD_TIMEOUT.as_secs()))??;
        // Some editors write a byte order mark.
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let set: JwkSet = serde_json::from_slice(text).with_context(|| format!("{shown} is no key set"))?;
        let keys: Vec<Key> = set.keys.iter().filter_map(key).take(MAX_KEYS).collect();
        if keys.is_empty() {
            bail!("{shown} has no key for RS256, ES256 or EdDSA");
        }
        Ok(keys)
    }
}

impl KeySet {
    /// Loads a set from a path, or starts to from a URL.
    ///
    /// # Errors
    /// When it is a file that cannot be read or has no key for RS256, ES256 or EdDSA, or when the URL is not valid.
    pub async fn open(source: &str) -> anyhow::Result<Arc<Self>> {
        let source = Source::of(source)?;
        let keys = match &source {
            Source::File(_) => Some(source.read().await.context("ONHAND_JWKS")?),
            Source::Web(..) => None,
        };
        let wanted = Arc::<Notify>::default();
        let set = Arc::new(Self {
            source,
            keys: watch::Sender::new(keys),
            tried: CancellationToken::new(),
            wanted: Arc::clone(&wanted),
            loaded_at: Mutex::new(Instant::now()),
            failures: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&set);
        detached(async move {
            let mut failures = 0;
            while let Some((is_known, is_tried)) = weak.upgrade().map(|set| (set.is_known(), failures > 0)) {
                if is_known || is_tried {
                    pause(failures, is_known, &wanted).await;
                }
                let Some(set) = weak.upgrade() else { break };
                failures = set.reload(failures).await;
                set.tried.cancel();
            }
        });
        Ok(set)
    }

    /// Waits until a set at a URL was loaded or could not be, for a bounded time.
    pub async fn wait_until_tried(&self) {
        if !self.is_known() {
            // Without it no token is valid, and requests with tokens are told to try again.
            let _ = timeout(START_WAIT, self.tried.cancelled()).await;
        }
    }

    /// Returns whether it was ever loaded.
    pub fn is_known(&self) -> bool {
        self.keys.borrow().is_some()
    }

    /// Returns the number of its keys.
    pub fn size(&self) -> usize {
        self.keys.borrow().as_ref().map_or(0, Vec::len)
    }

    /// Returns the number of failures to load it since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Returns the time since it was last loaded, or else opened.
    pub fn age(&self) -> Duration {
        self.loaded_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Returns the key with this id; without an id, the only key.
    pub fn find(&self, id: Option<&str>) -> Option<Key> {
        let known = self.keys.borrow();
        let keys = known.as_deref().unwrap_or_default();
        let found = match id {
            Some(id) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
            None => keys.first().filter(|_| keys.len() == 1).cloned(),
        };
        if found.is_none() {
            self.wanted.notify_one();
        }
        drop(known);
        found
    }

    /// Waits until a set without this key is loaded.
    pub async fn removed(&self, thumbprint: &str) {
        let is_gone = |keys: &Option<Vec<Key>>| {
            keys.as_ref().is_some_and(|keys| !keys.iter().any(|key| key.thumbprint == thumbprint))
        };
        // The sender lives as long as this set, so the wait ends only when the key is gone.
        let _ = self.keys.subscribe().wait_for(is_gone).await;
    }

    /// Loads it again. Returns the number of failures in a row.
    async fn reload(&self, failures: u32) -> u32 {
        match self.source.read().await {
            Ok(keys) => {
                *self.loaded_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                self.keys.send_replace(Some(keys));
                if failures > 0 {
                    tracing::info!("the key set was read again");
                }
                0
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                let error = format!("{error:#}");
                match (failures, self.is_known()) {
                    (0, true) => tracing::error!(error, "the key set could not be read again; the old one is kept"),
                    (0, false) => tracing::error!(
                        error,
                        "the key set cannot be read; it is tried again, and until then no token is good"
                    ),
                    _ => {}
                }
                failures.saturating_add(1)
            }
        }
    }
}

/// Waits until the set is to be loaded again: when it has grown old, when a token names an unknown key, or a while after a
/// failure.
async fn pause(failures: u32, is_known: bool, wanted: &Notify) {
    let backoff = |most: Duration| (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(most);
    if !is_known {
        return sleep(backoff(MAX_PAUSE)).await;
    }
    sleep(MIN_AGE).await;
    let rest = if failures == 0 { MAX_AGE } else { backoff(MAX_PAUSE_WITH_KEYS) };
    // Either a token names an unknown key, or the time is over.
    let _ = timeout(rest, wanted.notified()).await;
}

async fn load(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = tokio::fs::metadata(path).await.with_context(|| format!("cannot read {shown}"))?;
    // Opening a pipe would block, and it could not be read again.
    if !file.is_file() {
        bail!("cannot read {shown}: it is no regular file");
    }
    let size = file.len();
    if usize::try_from(size).is_ok_and(|size| size <= MAX_BYTES) {
        return tokio::fs::read(path).await.with_context(|| format!("cannot read {shown}"));
    }
    bail!("{shown} is larger than {MAX_BYTES} bytes")
}

async fn fetch(address: &Url) -> anyhow::Result<Vec<u8>> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    // The query string of the URL may hold a secret, so errors must not quote it.
    let response = client.get(address.clone()).send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    if status.is_redirection() {
        bail!("it answers {status}, and redirects are not followed: name the address that it leads to");
    }
    if !status.is_success() {
        bail!("it answers {status}");
    }
    let mut body = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(reqwest::Error::without_url)?);
        if bytes.len() > MAX_BYTES {
            bail!("it is larger than {MAX_BYTES} bytes");
        }
    }
    Ok(bytes)
}

/// Returns the key of a JWK; `None` if its algorithm is not supported.
fn key(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    Some(Key {
        id: jwk.common.key_id.clone(),
        algorithm,
        decodes: DecodingKey::from_jwk(jwk).ok()?,
        thumbprint: jwk.thumbprint(ThumbprintHash::SHA256).ok()?,
    })
}
