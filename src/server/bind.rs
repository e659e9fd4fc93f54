//! Binds the address that the server listens on, and says why if it cannot. It accepts no connections.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, anyhow, bail};
use tokio::net::{TcpListener, lookup_host};

use crate::config::{Host, ListenAddress};

/// Maximum number of ports that are tried, after one that is in use, to suggest a free one.
const MAX_TRIED: u16 = 20;

/// The lowest port that every user may listen on.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Returns the address of a host and port. If a name has several addresses, the first IPv4 address is taken, or else the
/// first.
///
/// # Errors
/// When a name has no address.
pub async fn address(listen: &ListenAddress) -> anyhow::Result<SocketAddr> {
    match &listen.host {
        Host::Address(ip) => Ok(SocketAddr::new(*ip, listen.port)),
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), listen.port)).await;
            let found = found.with_context(|| format!("ONHAND_LISTEN names {name}, which leads to no address"))?;
            let mut found: Vec<SocketAddr> = found.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            found.first().copied().with_context(|| format!("ONHAND_LISTEN names {name}, which leads to no address"))
        }
    }
}

/// Binds an address. In development everybody is staff, so that only a loopback address is accepted.
///
/// # Errors
/// When the address cannot be bound; the message is for people.
pub async fn bind(listen: &ListenAddress, is_development: bool) -> anyhow::Result<TcpListener> {
    let address = address(listen).await?;
    if is_development && !address.ip().is_loopback() {
        bail!(
            "without ONHAND_SECRET or ONHAND_JWKS everybody is staff, so only a loopback address may be listened to, not {listen}"
        );
    }
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) => Err(anyhow!("cannot listen on {listen}: {}", reason(&error, address).await)),
    }
}

async fn reason(error: &Error, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        ErrorKind::AddrInUse => {
            let taken = "another program listens there already";
            free(ip, port).await.map_or_else(
                || taken.to_owned(),
                |free| format!("{taken}; port {free} is free: --listen {}", SocketAddr::new(ip, free)),
            )
        }
        ErrorKind::PermissionDenied if port < FIRST_UNPRIVILEGED => {
            format!("ports below {FIRST_UNPRIVILEGED} need rights that this user does not have; take a higher one")
        }
        ErrorKind::AddrNotAvailable => format!("this machine does not have the address {ip}"),
        _ => error.to_string(),
    }
}

/// Returns the next free port.
async fn free(ip: IpAddr, taken: u16) -> Option<u16> {
    for port in (taken.checked_add(1)?..=u16::MAX).take(MAX_TRIED.into()) {
        if TcpListener::bind((ip, port)).await.is_ok() {
            return Some(port);
        }
    }
    None
}
