//! Limits the open websockets and event streams of each client. It counts and refuses; it knows nothing of what is sent
//! over them.
//!
//! A client is remembered only while one of its sockets is open, so there are never more entries than sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::client::ClientKey;

/// Counts the open sockets of each client. Clones count together.
#[derive(Debug, Clone)]
pub struct SocketLimiter {
    per_customer: usize,
    per_address: usize,
    per_staff: Option<usize>,
    open: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

/// A counted socket. It is counted until this is dropped.
#[derive(Debug)]
pub struct SocketPermit {
    client: ClientKey,
    open: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

impl SocketLimiter {
    /// Returns a limiter with these maximum numbers of sockets of a customer, of the guests at one address, and of a
    /// member of staff (`None`: unlimited).
    #[must_use]
    pub fn new(per_customer: usize, per_address: usize, per_staff: Option<usize>) -> Self {
        Self { per_customer, per_address, per_staff, open: Arc::default() }
    }

    /// Counts one more socket of a client.
    ///
    /// # Errors
    /// The maximum, if the client has as many sockets already.
    pub fn acquire(&self, client: &ClientKey) -> Result<SocketPermit, usize> {
        let most = match client {
            ClientKey::Customer(_) => self.per_customer,
            ClientKey::Guests(_) => self.per_address,
            ClientKey::System | ClientKey::Staff(_) => self.per_staff.unwrap_or(usize::MAX),
        };
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.get(client).copied().unwrap_or_default();
        if open >= most {
            return Err(most);
        }
        all.insert(client.clone(), open + 1);
        Ok(SocketPermit { client: client.clone(), open: Arc::clone(&self.open) })
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.client) {
            Some(open) if *open > 1 => *open -= 1,
            Some(_) | None => {
                all.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_counted_apart_and_forgotten_without_a_socket() {
        let limiter = SocketLimiter::new(2, 1, None);
        let (ada, bob) = (ClientKey::Customer("ada".into()), ClientKey::Customer("bob".into()));
        let first = limiter.acquire(&ada).unwrap();
        let all = [limiter.acquire(&ada), limiter.acquire(&bob), limiter.acquire(&ClientKey::Staff("ada".into()))];
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(limiter.acquire(&ada).unwrap_err(), 2);
        drop(first);
        assert!(limiter.acquire(&ada).is_ok(), "and it is free again at once");
        drop(all);
        assert!(limiter.open.lock().unwrap().is_empty());
    }
}
