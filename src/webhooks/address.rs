//! Which addresses webhooks are sent to: public ones, over `https`. Whoever registers a webhook must not reach through this
//! server what only the server can reach.
//!
//! A name is resolved when a connection is made, and the connection goes to an address that was checked: what the name
//! stands for a moment later does not matter. Addresses that tell machines about themselves are refused whatever is set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use domain::webhook::MAX_URL_LENGTH;

/// Metadata services at addresses that could otherwise be somebody's own.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anybody's.
    Public,
    /// This machine's, or its network's: for those who allow it.
    Private,
    /// Nobody's to send to.
    Never,
}

impl Reach {
    /// Returns what an address is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Never;
        }
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(address) => Self::of(IpAddr::V4(address)),
                None => Self::of_v6(address),
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        match (a, b, c) {
            (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Self::Private,
            // This network, link-local, IETF protocols, documentation, 6to4 relays, benchmarks, multicast, reserved.
            (0 | 224..=255, ..)
            | (169, 254, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113) => Self::Never,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let [a, b, ..] = address.segments();
        match (a, b) {
            _ if address.is_loopback() => Self::Private,
            (0xfc00..=0xfdff, _) => Self::Private,
            // IETF protocols (Teredo, benchmarks, ORCHID), documentation, 6to4.
            (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff) => Self::Never,
            (0x2000..=0x3fff, _) => Self::Public,
            // Unspecified, link-local, multicast, and what nobody has been given.
            _ => Self::Never,
        }
    }

    /// Returns whether it may be connected to.
    #[must_use]
    pub fn is_allowed(self, private_networks: bool) -> bool {
        self == Self::Public || (self == Self::Private && private_networks)
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, or translated by the network.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let is_translated = address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
    let [.., a, b, c, d] = address.octets();
    address.to_ipv4_mapped().or_else(|| is_translated.then(|| Ipv4Addr::new(a, b, c, d)))
}

/// Checks the address of a webhook, before it is registered and again before each request. Names are not resolved here.
///
/// # Errors
/// When it is never sent to; the message is for people and does not repeat it.
pub fn check(url: &str, private_networks: bool) -> Result<Url, &'static str> {
    if url.chars().count() > MAX_URL_LENGTH {
        return Err("The address of a webhook has at most 2,000 characters.");
    }
    let url = Url::parse(url.trim()).map_err(|_| "This is no address. It looks like https://shop.example/hooks.")?;
    match url.scheme() {
        "https" => {}
        "http" if private_networks => {}
        _ => return Err("The address of a webhook begins with https://."),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The address of a webhook has no user name and no password; check the signature instead.");
    }
    if url.fragment().is_some() {
        return Err("The address of a webhook has no fragment.");
    }
    let is_allowed = match url.host() {
        Some(Host::Ipv4(address)) => Reach::of(address.into()).is_allowed(private_networks),
        Some(Host::Ipv6(address)) => Reach::of(address.into()).is_allowed(private_networks),
        Some(Host::Domain(name)) => private_networks || !is_local(name),
        None => false,
    };
    if is_allowed { Ok(url) } else { Err("Webhooks are sent to public addresses only.") }
}

/// Whether a name stands for this machine wherever it is resolved.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str) -> Reach {
        Reach::of(address.parse().expect("an address"))
    }

    #[test]
    fn every_address_that_is_not_public_is_known() {
        for public in ["1.1.1.1", "93.184.215.14", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]
        {
            assert_eq!(reach(public), Reach::Public, "{public}");
        }
        assert_eq!(reach("64:ff9b::1.1.1.1"), Reach::Public);
        for private in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.0.1",
            "64:ff9b::10.0.0.1",
        ] {
            assert_eq!(reach(private), Reach::Private, "{private}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "::1.2.3.4",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "4000::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
        ] {
            assert_eq!(reach(never), Reach::Never, "{never}");
        }
    }

    #[test]
    fn urls_are_checked() {
        for good in [
            "https://shop.example/hooks",
            "https://shop.example:8443/a?b=c",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "shop.example",
            "http://shop.example/",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "https://user@shop.example/",
            "https://:secret@shop.example/",
            "https://shop.example/#part",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        for private in ["http://127.0.0.1:9000/", "http://localhost:9000/", "http://shop.example/", "https://10.0.0.1/"]
        {
            assert!(check(private, true).is_ok(), "{private}");
        }
        for never in ["http://169.254.169.254/", "http://0.0.0.0/", "http://[fe80::1]/", "ftp://10.0.0.1/"] {
            assert!(check(never, true).is_err(), "{never}");
        }
        assert!(check(&format!("https://shop.example/{}", "a".repeat(2_000)), false).is_err());
    }
}
