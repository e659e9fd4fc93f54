//! `onhand health`: asks a running server whether it is ready, as a container's health check does. An image without a
//! shell has no other program to ask with. It opens no database and changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;

/// How long it waits: less than those wait who run it.
const WAIT: Duration = Duration::from_secs(3);

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether requests are welcome.
    pub is_ready: bool,
    /// In its own words.
    pub text: String,
}

/// Asks the server that listens at this address.
///
/// # Errors
/// When nobody answers there.
pub async fn ask(listen: SocketAddr) -> anyhow::Result<Answer> {
    let address = within_reach(listen);
    let client = reqwest::Client::builder().no_proxy().timeout(WAIT).build()?;
    let answer = client.get(format!("http://{address}/health/ready")).send().await;
    let answer = answer.with_context(|| format!("nobody answers at {address}"))?;
    let is_ready = answer.status().is_success();
    Ok(Answer { is_ready, text: answer.text().await?.trim_end().to_owned() })
}

/// Whoever listens everywhere also listens at this machine's own address.
fn within_reach(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_machine() {
        for (listen, asked) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:80", "[::1]:80"), ("10.0.0.1:8000", "10.0.0.1:8000")]
        {
            assert_eq!(within_reach(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
