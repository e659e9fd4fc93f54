//! Where the server listens, as people write it: an address and a port, or one of the two. It binds nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The port unless one is given.
const PORT: u16 = 8000;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// An address, or a name that leads to one.
    pub host: Host,
    /// The port; 0 is any that is free.
    pub port: u16,
}

/// An address, or a name that leads to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{address}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Reads "127.0.0.1:8000", "8000", ":8000", "localhost", "\[::1\]:8000" and the like.
pub fn listen(text: &str) -> Result<ListenAddress, String> {
    let example = || "this is an address and a port, such as 127.0.0.1:8000, 0.0.0.0:8000 or 8000".to_owned();
    if text.contains("://") || text.contains('/') {
        return Err(example() + ", without a scheme or a path");
    }
    let at = |host: IpAddr, port| Ok(ListenAddress { host: Host::Address(host), port });
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return at(Ipv4Addr::LOCALHOST.into(), port(text)?);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return at(address, PORT);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or_else(example)?;
        let address: Ipv6Addr = address.parse().map_err(|_| example())?;
        return at(
            address.into(),
            if rest.is_empty() { PORT } else { port(rest.strip_prefix(':').ok_or_else(example)?)? },
        );
    }
    let (host, port) = match text.split_once(':') {
        Some((host, number)) => (host, port(number)?),
        None => (text, PORT),
    };
    if host.is_empty() || host == "*" {
        return at(Ipv4Addr::UNSPECIFIED.into(), port);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return at(address, port);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    // What ends in a number is an address that was mistyped, as browsers see it, too.
    let is_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if !host.chars().all(is_name) || host.starts_with(['.', '-']) || is_number {
        return Err(example());
    }
    Ok(ListenAddress { host: Host::Name(host.to_owned()), port })
}

fn port(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| "a port is a number from 0 to 65535".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, read) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("8001", "127.0.0.1:8001"),
            (":8001", "0.0.0.0:8001"),
            ("*:80", "0.0.0.0:80"),
            ("0.0.0.0", "0.0.0.0:8000"),
            ("localhost", "localhost:8000"),
            ("localhost:9000", "localhost:9000"),
            ("[::]:8000", "[::]:8000"),
            ("[::1]", "[::1]:8000"),
            ("::1", "[::1]:8000"),
            ("stock.internal:0", "stock.internal:0"),
        ] {
            assert_eq!(listen(text).map(|listen| listen.to_string()).as_deref(), Ok(read), "{text}");
        }
        for bad in [
            "http://127.0.0.1:8000",
            "unix:/run/onhand.sock",
            "/run/onhand.sock",
            "65536",
            "127.0.0.1:65536",
            "127.0.0.1:",
            "127.0.0.256:80",
            "[::1",
            "[::1]8000",
            "[127.0.0.1]:80",
            "a b:80",
            "localhost:+1",
            "localhost:http",
            "-1",
        ] {
            assert!(listen(bad).is_err(), "{bad:?}");
        }
    }
}
