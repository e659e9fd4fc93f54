//! The address of a client, directly or as trusted proxies forward it. It decides nothing about what a client may do.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The header in which proxies forward the addresses of clients; each appends one on the right.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the address of the client: the peer's or, if the peer is a trusted proxy, the last forwarded address that is
/// not a trusted proxy's. If the header cannot be parsed, returns the peer's.
pub fn address(peer: SocketAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if is_proxy(peer, trusted_proxies) { forwarded(headers, trusted_proxies).unwrap_or(peer) } else { peer }
}

fn forwarded(headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let mut found = None;
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        // What stands left of an untrusted address may be forged, so it is not looked at.
        for part in line.as_bytes().rsplit(|byte| *byte == b',') {
            let address = hop(std::str::from_utf8(part).ok()?.trim())?;
            if !is_proxy(address, trusted_proxies) {
                return Some(address);
            }
            found = Some(address);
        }
    }
    found
}

/// Parses an address with or without a port.
fn hop(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// Returns whether an address is one of these proxies.
pub fn is_proxy(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_believed_only_where_they_are_trusted() {
        let trusted_proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()];
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
            assert_eq!(
                address(peer, &headers, &trusted_proxies),
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {lines:?}"
            );
        }
    }
}
