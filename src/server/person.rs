//! Who is counted as one person, and the address that something comes from. It never decides how much one person may do.
//!
//! A customer is one person wherever they are, by the subject of their token. Guests are told apart by address only. An
//! IPv6 address counts by its first 64 bits: whoever has one has all that begin alike.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::domain::party::Party;

/// Where proxies say for whom they ask, each adding an address on the right.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The bits of an IPv6 address that tell one person from another.
const NETWORK: u128 = !(u64::MAX as u128);

/// Who is counted as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Person {
    /// One of the staff, by subject.
    Staff(Arc<str>),
    /// A customer, by subject.
    Customer(Arc<str>),
    /// All guests at one address.
    Guests(IpAddr),
}

impl Person {
    /// Who this is, at this address.
    #[must_use]
    pub fn of(party: &Party, address: IpAddr) -> Self {
        match party {
            Party::System => Self::Staff(party.actor().into()),
            Party::Staff(subject) => Self::Staff(subject.as_str().into()),
            Party::Customer(subject) => Self::Customer(subject.as_str().into()),
            Party::Guest => Self::guests(address),
        }
    }

    /// Whoever is at this address.
    #[must_use]
    pub fn guests(address: IpAddr) -> Self {
        Self::Guests(network(address))
    }
}

/// Returns what tells an address from those of others: itself, or the network of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// The address that a request comes from: that of the peer or, when the peer is a trusted proxy, the last that is none
/// in what the proxies say. What cannot be read is not believed, and then it is the peer's.
pub fn address(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if is_proxy(peer, proxies) { forwarded(headers, proxies).unwrap_or(peer) } else { peer }
}

fn forwarded(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut found = None;
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        // Whatever stands left of what we believe may be made up; it does not matter what that is.
        for part in line.as_bytes().rsplit(|byte| *byte == b',') {
            let address = hop(std::str::from_utf8(part).ok()?.trim())?;
            if !is_proxy(address, proxies) {
                return Some(address);
            }
            found = Some(address);
        }
    }
    found
}

/// An address with a port or without.
fn hop(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// Whether an address is one of these proxies.
pub fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_person() {
        let person = |text: &str| Person::guests(text.parse().unwrap());
        assert_eq!(person("2001:db8:1:2::1"), person("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(person("2001:db8:1:2::1"), person("2001:db8:1:3::1"));
        assert_ne!(person("192.0.2.1"), person("192.0.2.2"));
        assert_eq!(person("::ffff:192.0.2.1"), person("192.0.2.1"), "one address in two spellings");
    }

    #[test]
    fn proxies_are_believed_only_where_they_are_trusted() {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()];
        for (peer, lines, expected) in [
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", vec!["192.0.2.7"], "192.0.2.7"),
            ("2001:db8::1", vec!["2001:db8::2"], "2001:db8::2"),
            ("192.0.2.1", vec!["192.0.2.7"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.9, 192.0.2.7, 10.9.9.9"], "192.0.2.7"),
            ("10.0.0.1", vec!["198.51.100.9", "192.0.2.7,10.9.9.9"], "192.0.2.7"),
            ("10.0.0.1", vec!["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            ("10.0.0.1", vec!["[2001:db8::7]:443"], "2001:db8::7"),
            ("10.0.0.1", vec!["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", vec!["192.0.2.7:5000"], "192.0.2.7"),
            ("10.0.0.1", vec!["nonsense, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", vec!["192.0.2.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.7, \u{e9}"], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.7,"], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["unknown"], "10.0.0.1"),
        ] {
            let headers: HeaderMap =
                lines.iter().map(|line| (FORWARDED_FOR, line.as_bytes().try_into().unwrap())).collect();
            let peer = SocketAddr::new(peer.parse().unwrap(), 1);
            assert_eq!(address(peer, &headers, &proxies), expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }
}
