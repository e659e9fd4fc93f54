//! Reads the values of limits as people write them, and says what would make sense where one does not. It decides nothing
//! about what they bound.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

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
    number(text, &LEAST, &MOST)
}

/// The same for numbers with 32 bits.
pub fn within_u32<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    number(text, &LEAST, &MOST)
}

/// The same for numbers with 64 bits.
pub fn within_u64<const LEAST: u64, const MOST: u64>(text: &str) -> Result<u64, String> {
    number(text, &LEAST, &MOST)
}

fn number<N: FromStr + PartialOrd + Display>(text: &str, least: &N, most: &N) -> Result<N, String> {
    let number = digits(text).and_then(|digits| digits.parse().ok()).filter(|number| (least..=most).contains(&number));
    number.ok_or_else(|| format!("this is a whole number from {least} to {most}"))
}

/// Digits, which may have `_` between them, as in `262_144`.
pub fn digits(text: &str) -> Option<String> {
    let is_grouped = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    (!text.is_empty() && is_grouped && is_digits).then(|| text.replace('_', ""))
}

/// Reads yes or no.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("this is true or false (1 or 0, yes or no)".to_owned()),
    }
}

/// Reads what to log.
pub fn log_filter(text: &str) -> Result<String, String> {
    let read = EnvFilter::builder().parse(text).map_err(|error| error.to_string());
    read.map(|_| text.to_owned()).map_err(|error| {
        format!("this is a level (error, warn, info, debug or trace), or modules with theirs, such as onhand=debug,warn ({error})")
    })
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
