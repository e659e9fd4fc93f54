//! The public keys that tokens are signed with: a JWK set from a file or from a web address, kept in memory.
//!
//! A token that names a key which is not there makes the set be read again, in the background and not too often, so
//! that keys can be rotated and nobody can make us read at will. A set that cannot be read leaves the old one in place.
//! What goes on under a key, a socket or a stream of events, ends when a set without that key is read.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

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

/// A key that signatures are checked with. The algorithm is the key's, never the token's.
#[derive(Clone)]
pub struct Key {
    /// What tokens call it.
    pub id: Option<String>,
    /// The one algorithm that it is good for.
    pub algorithm: Algorithm,
    /// The key itself.
    pub decodes: DecodingKey,
    /// A digest of the key itself: another key of the same name is another key. `None` for a secret, which is never withdrawn.
    pub thumbprint: Option<String>,
}

/// A set of keys that keeps itself fresh for as long as it lives.
pub struct KeySet {
    source: String,
    keys: watch::Sender<Vec<Key>>,
    wanted: Arc<Notify>,
}

impl KeySet {
    /// Reads a set for the first time, from a path or an address.
    ///
    /// # Errors
    /// When it cannot be read, or has no key for RS256, ES256 or EdDSA.
    pub async fn open(source: &str) -> anyhow::Result<Arc<Self>> {
        let (keys, wanted) = (watch::Sender::new(read(source).await?), Arc::new(Notify::new()));
        let set = Arc::new(Self { source: source.to_owned(), keys, wanted: Arc::clone(&wanted) });
        let weak = Arc::downgrade(&set);
        tokio::spawn(async move {
            loop {
                sleep(MIN_AGE).await;
                // Either somebody names a key that is not there, or the set has grown old.
                let _ = timeout(MAX_AGE, wanted.notified()).await;
                let Some(set) = weak.upgrade() else { break };
                set.read_again().await;
            }
        });
        Ok(set)
    }

    /// The key of this name, or the only one when there is no name.
    pub fn find(&self, id: Option<&str>) -> Option<Key> {
        let keys = self.keys.borrow();
        let found = match id {
            Some(id) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
            None => keys.first().filter(|_| keys.len() == 1).cloned(),
        };
        if found.is_none() {
            self.wanted.notify_one();
        }
        drop(keys);
        found
    }

    /// Waits until a set is read that does not have this key any more.
    pub async fn withdrawn(&self, thumbprint: &str) {
        let is_gone = |keys: &Vec<Key>| !keys.iter().any(|key| key.thumbprint.as_deref() == Some(thumbprint));
        // The sender lives as long as this set, so nothing but the key's end ends the wait.
        let _ = self.keys.subscribe().wait_for(is_gone).await;
    }

    async fn read_again(&self) {
        match read(&self.source).await {
            Ok(keys) => drop(self.keys.send_replace(keys)),
            Err(error) => tracing::error!(%error, "the key set could not be read again; the old one is kept"),
        }
    }
}

async fn read(source: &str) -> anyhow::Result<Vec<Key>> {
    let is_address = source.starts_with("http://") || source.starts_with("https://");
    let bytes = async { if is_address { fetch(source).await } else { load(source).await } };
    let bytes = timeout(MAX_READ, bytes).await.with_context(|| format!("{source} did not answer in time"))??;
    let set: JwkSet = serde_json::from_slice(&bytes).with_context(|| format!("{source} is no key set"))?;
    let keys: Vec<Key> = set.keys.iter().filter_map(key).take(MAX_KEYS).collect();
    if keys.is_empty() {
        bail!("{source} has no key for RS256, ES256 or EdDSA");
    }
    Ok(keys)
}

async fn load(path: &str) -> anyhow::Result<Vec<u8>> {
    let size = tokio::fs::metadata(path).await.with_context(|| format!("cannot read {path}"))?.len();
    if usize::try_from(size).is_ok_and(|size| size <= MAX_BYTES) {
        return tokio::fs::read(path).await.with_context(|| format!("cannot read {path}"));
    }
    bail!("{path} is larger than {MAX_BYTES} bytes")
}

async fn fetch(address: &str) -> anyhow::Result<Vec<u8>> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let response = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
    let mut body = response.with_context(|| format!("cannot read {address}"))?.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > MAX_BYTES {
            bail!("{address} is larger than {MAX_BYTES} bytes");
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
        thumbprint: Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?),
    })
}
