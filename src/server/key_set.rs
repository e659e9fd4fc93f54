//! The public keys that tokens are signed with: a JWK set from a file or from a web address, kept in memory.
//!
//! A token that names a key which is not there makes the set be read again, in the background and not too often, so
//! that keys can be rotated and nobody can make us read at will. A set that cannot be read leaves the old one in place,
//! however long; a web address that was never read is tried until it is, and meanwhile no token is good.
//! What goes on under a key, a socket or a stream of events, ends when a set without that key is read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::supervision::detached;

/// Most keys of a set; the others are not looked at.
const MAX_KEYS: usize = 32;

/// Largest set, in bytes.
const MAX_BYTES: usize = 256 * 1_024;

/// How long reading a set may take.
const MAX_READ: Duration = Duration::from_secs(5);

/// A set is read again when it is this old.
const MAX_AGE: Duration = Duration::from_mins(10);

/// A set is never read again sooner than this.
const MIN_AGE: Duration = Duration::from_secs(2);

/// How long a start waits for a set at a web address before it goes on without.
const START_WAIT: Duration = Duration::from_secs(2);

/// The pause after a set could not be read for the first time. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest such pause while no set is known, so that good tokens are taken within 10 s of the provider's return: this
/// pause, and a read that had already begun.
const MAX_PAUSE: Duration = Duration::from_secs(3);

/// The longest such pause while an old set is used.
const MAX_PAUSE_WITH_KEYS: Duration = Duration::from_mins(1);

/// A key that signatures are checked with. The algorithm is the key's, never the token's.
#[derive(Clone)]
pub struct Key {
    /// What tokens call it.
    pub id: Option<String>,
    /// The one algorithm that it is good for.
    pub algorithm: Algorithm,
    /// The key itself.
    pub decodes: DecodingKey,
    /// A digest of the key itself: another key of the same name is another key.
    pub thumbprint: String,
}

/// A set of keys that keeps itself fresh for as long as it lives.
pub struct KeySet {
    source: Source,
    /// `None` until it was read.
    keys: watch::Sender<Option<Vec<Key>>>,
    /// Cancelled when it has been read, or could not be, for the first time since the start.
    tried: CancellationToken,
    wanted: Arc<Notify>,
    /// When it was read last, or when it was asked for first.
    read_at: Mutex<Instant>,
    /// How often it could not be read.
    failures: AtomicU64,
}

/// Where a set comes from.
enum Source {
    File(PathBuf),
    /// An address, and what of it may be shown.
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
        let bytes = timeout(MAX_READ, bytes).await;
        let bytes = bytes.with_context(|| format!("{shown} did not answer within {} s", MAX_READ.as_secs()))??;
        // Some editors put a mark at the beginning of a file.
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
    /// Reads a set for the first time from a path, or begins to from an address.
    ///
    /// # Errors
    /// When it is a file that cannot be read or has no key for RS256, ES256 or EdDSA, or when it is no address.
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
            read_at: Mutex::new(Instant::now()),
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
                failures = set.read_again(failures).await;
                set.tried.cancel();
            }
        });
        Ok(set)
    }

    /// Waits until a set at a web address was read, or could not be, but not for long.
    pub async fn settled(&self) {
        if !self.is_known() {
            // Without it no token is good, which is told to whoever has one.
            let _ = timeout(START_WAIT, self.tried.cancelled()).await;
        }
    }

    /// Whether it was ever read.
    pub fn is_known(&self) -> bool {
        self.keys.borrow().is_some()
    }

    /// How many keys it has.
    pub fn size(&self) -> usize {
        self.keys.borrow().as_ref().map_or(0, Vec::len)
    }

    /// How often it could not be read since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The time since it was read, or since it was asked for first.
    pub fn age(&self) -> Duration {
        self.read_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// The key of this name, or the only one when there is no name.
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

    /// Waits until a set is read that does not have this key any more.
    pub async fn withdrawn(&self, thumbprint: &str) {
        let is_gone = |keys: &Option<Vec<Key>>| {
            keys.as_ref().is_some_and(|keys| !keys.iter().any(|key| key.thumbprint == thumbprint))
        };
        // The sender lives as long as this set, so nothing but the key's end ends the wait.
        let _ = self.keys.subscribe().wait_for(is_gone).await;
    }

    /// Reads it once more. Returns how often in a row it could not be read.
    async fn read_again(&self, failures: u32) -> u32 {
        match self.source.read().await {
            Ok(keys) => {
                *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
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

/// Waits until the set is to be read again: when it has grown old, when somebody names a key that is not there, or a while
/// after it could not be read.
async fn pause(failures: u32, is_known: bool, wanted: &Notify) {
    let grown = |most: Duration| (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(most);
    if !is_known {
        return sleep(grown(MAX_PAUSE)).await;
    }
    sleep(MIN_AGE).await;
    let rest = if failures == 0 { MAX_AGE } else { grown(MAX_PAUSE_WITH_KEYS) };
    // Either somebody names a key that is not there, or the time is over.
    let _ = timeout(rest, wanted.notified()).await;
}

async fn load(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = tokio::fs::metadata(path).await.with_context(|| format!("cannot read {shown}"))?;
    // A pipe would be waited for, and could not be read again.
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
    // What the address holds besides host and path may be a secret.
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

/// A key that we check signatures with; `None` for kinds that we do not.
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
