//! Automatic persisted queries: a client sends the SHA-256 of a query in place of the query, once the server has seen it.
//!
//! Only executed queries are remembered, so nobody fills the memory with invalid documents; and never more than a fixed
//! number, of which the least recently used is forgotten first.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::graphql::Code;

/// Maximum number of queries that are remembered.
const MAX_PERSISTED: usize = 1_000;

/// The message that clients expect when a hash is not known.
const NOT_FOUND: &str = "PersistedQueryNotFound";

/// The SHA-256 of a query.
pub type Hash = [u8; 32];

/// The queries that are remembered.
#[derive(Debug)]
pub struct PersistedQueries(Mutex<LruCache<Hash, Arc<str>>>);

/// `extensions.persistedQuery`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    version: u32,
    sha256_hash: String,
}

impl Default for PersistedQueries {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(MAX_PERSISTED).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl PersistedQueries {
    /// Finds the query that an operation names by its hash. Returns the hash if it was sent along with the query, for
    /// [`PersistedQueries::remember`].
    ///
    /// # Errors
    /// When the hash is not known, or is not that of the query.
    pub fn resolve(
        &self,
        query: &mut Option<String>,
        extension: &serde_json::Value,
    ) -> async_graphql::Result<Option<Hash>> {
        let Ok(Extension { version: 1, sha256_hash }) = Extension::deserialize(extension) else {
            return Err(Code::BadUserInput.error("`persistedQuery` has a `version` of 1 and a `sha256Hash`."));
        };
        let Some(hash) = decode(&sha256_hash) else {
            return Err(Code::BadUserInput.error("`sha256Hash` is the SHA-256 of the query in 64 hexadecimal digits."));
        };
        if let Some(query) = query {
            let found: Hash = Sha256::digest(query.as_bytes()).into();
            let matches = found == hash;
            return matches.then_some(Some(hash)).ok_or_else(|| {
                Code::BadUserInput.error("`sha256Hash` is not the SHA-256 of the query that came with it.")
            });
        }
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            Some(found) => *query = Some(found.as_ref().to_owned()),
            None => return Err(Code::PersistedQueryNotFound.error(NOT_FOUND)),
        }
        Ok(None)
    }

    /// Remembers a query that was executed.
    pub fn remember(&self, hash: Hash, query: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(hash, query.into());
    }
}

fn decode(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (at, byte) in hash.iter_mut().enumerate().filter(|_| is_hex) {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    is_hex.then_some(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(query: &str) -> Hash {
        Sha256::digest(query).into()
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_used_query_is_forgotten_first() {
        let persisted = PersistedQueries::default();
        for number in 0..MAX_PERSISTED {
            persisted.remember(hash(&number.to_string()), &number.to_string());
        }
        let known = |number: usize| {
            let sent = json!({ "version": 1, "sha256Hash": format!("{:x}", Sha256::digest(number.to_string())) });
            persisted.resolve(&mut None, &sent).is_ok()
        };
        assert!(known(0) && known(1));
        persisted.remember(hash("one more"), "one more");
        assert!(known(0) && known(1) && !known(2), "what was asked for lately stays");
    }
}
