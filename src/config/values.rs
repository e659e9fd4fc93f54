//! Reads the values of limits as people write them, and says what would make sense where one does not. It decides nothing
//! about what they bound.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::duration;

/// Shortest and longest time that is waited for anything on the wire.
const WAITS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// Reads a time that is neither too short nor too long to wait for somebody at the other end of the wire.
pub fn wait(text: &str) -> Result<Duration, String> {
    let wait = duration(text)?;
    if WAITS.contains(&wait) { Ok(wait) } else { Err("this time is from 100ms to 1h".to_owned()) }
}

/// Reads a whole number of this range.
pub fn within<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("this is a whole number from {LEAST} to {MOST}"))
}

/// Reads an address, or a network of addresses. All addresses there are would be no network of proxies.
pub fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>());
    let network =
        network.map_err(|_| "a proxy is an address or a network, such as 10.0.0.1 or 10.0.0.0/8".to_owned())?;
    if network.prefix_len() == 0 { Err("this network has everybody in it".to_owned()) } else { Ok(network.trunc()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read() {
        assert_eq!(network("10.1.2.3/8").map(|net| net.to_string()).as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(network(" ::1").map(|net| net.to_string()).as_deref(), Ok("::1/128"));
        for bad in ["", "10.0.0.0/33", "10.0.0", "proxy.example", "0.0.0.0/0", "::/0"] {
            assert!(network(bad).is_err(), "{bad:?}");
        }
    }
}
