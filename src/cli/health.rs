//! `onhand health`: asks a running server whether it is ready. For health checks of containers: an image without a shell has
//! no other program for it. It opens no database and changes nothing.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Response;

use crate::config::ListenAddress;
use crate::server::bind;

/// Timeout for the answer: shorter than the usual timeout of a health check.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum length of the part of an answer that is repeated, in characters.
const MAX_REPEATED: usize = 100;

/// Whether a server is ready.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the server takes requests.
    pub is_ready: bool,
    /// The same in one sentence.
    pub sentence: String,
}

/// Asks the server that listens at this address.
pub async fn ask(listen: &ListenAddress) -> Health {
    match tokio::time::timeout(TIMEOUT, answer(listen)).await {
        Ok(Ok(address)) => Health { is_ready: true, sentence: format!("healthy: the server at {address} is ready") },
        Ok(Err(reason)) => Health { is_ready: false, sentence: format!("not healthy: {reason}") },
        Err(_) => {
            let reason = format!("the server at {listen} did not answer within {} s", TIMEOUT.as_secs());
            Health { is_ready: false, sentence: format!("not healthy: {reason}") }
        }
    }
}

/// Returns the address of a server that is ready, or why there is none.
async fn answer(listen: &ListenAddress) -> Result<SocketAddr, String> {
    let address = bind::address(listen).await.map_err(|error| format!("{error:#}"))?;
    let address = reachable(address);
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| error.to_string())?;
    let answer = client.get(format!("http://{address}/health/ready")).send().await;
    let answer = answer.map_err(|error| format!("nobody answers at {address} ({})", root(&error)))?;
    let status = answer.status();
    let text = beginning(answer).await;
    match status.as_u16() {
        200 if text == "ready" => Ok(address),
        503 if !text.is_empty() => Err(format!("the server at {address} says: {text}")),
        _ => Err(format!("what answers at {address} is no onhand (status {status})")),
    }
}

/// Returns the beginning of the first line of an answer.
async fn beginning(mut answer: Response) -> String {
    let chunk = answer.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&chunk);
    text.lines().next().unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(MAX_REPEATED).collect()
}

/// Returns the innermost cause.
fn root(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// Returns an address at which a server can be reached: one that listens at all addresses is reached at the loopback address.
fn reachable(listen: SocketAddr) -> SocketAddr {
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
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:80", "[::1]:80"), ("10.0.0.1:8000", "10.0.0.1:8000")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
