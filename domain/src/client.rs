//! Who counts as one client where something is shared out: rate limits, sockets, turns in the writer's queue. It never
//! says what a client may do.
//!
//! A customer is one client wherever they are, by the subject of their token. Guests are told apart by address only. An
//! IPv6 address counts by its first 64 bits: whoever has one has all that begin alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::actor::Actor;

/// The bits of an IPv6 address that tell one client from another.
const NETWORK: u128 = !(u64::MAX as u128);

/// Who counts as one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// This server itself.
    System,
    /// One of the staff, by subject.
    Staff(Arc<str>),
    /// A customer, by subject.
    Customer(Arc<str>),
    /// All guests at one address.
    Guests(IpAddr),
}

impl ClientKey {
    /// Returns the client that this is, at this address.
    #[must_use]
    pub fn of(actor: &Actor, address: IpAddr) -> Self {
        match actor {
            Actor::System => Self::System,
            Actor::Staff(subject) => Self::Staff(subject.as_str().into()),
            Actor::Customer(subject) => Self::Customer(subject.as_str().into()),
            Actor::Guest => Self::guests(address),
        }
    }

    /// Returns the client that all guests at this address are.
    #[must_use]
    pub fn guests(address: IpAddr) -> Self {
        Self::Guests(network(address))
    }
}

/// Returns what tells an address from those of others: itself, or the network of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Somebody whose address is not known: all such guests are one client.
impl From<&Actor> for ClientKey {
    fn from(actor: &Actor) -> Self {
        Self::of(actor, Ipv4Addr::UNSPECIFIED.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_client() {
        let client = |text: &str| ClientKey::guests(text.parse().unwrap());
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"), "one address in two spellings");
    }
}
