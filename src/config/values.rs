//! Reads the values of settings as people write them, and says what would make sense where one does not. It decides nothing
//! about what they bound.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

/// Longest time that can be set.
const MAX_DURATION: Duration = Duration::from_hours(30 * 24);

/// What a limit is counted in: a whole number or a time.
pub trait Limit: PartialOrd + Clone + Send + Sync + 'static {
    /// What its values are, for messages.
    const KIND: &'static str;

    /// Reads a value; `None` when it is not one.
    fn read(text: &str) -> Option<Self>;

    /// Writes a value so that it can be read again.
    fn written(&self) -> String;
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Limit for $number {
            const KIND: &'static str = "a whole number";

            fn read(text: &str) -> Option<Self> {
                digits(text)?.parse().ok()
            }

            fn written(&self) -> String {
                grouped(&self.to_string())
            }
        }
    )*};
}

whole_numbers!(u32, u64, usize);

impl Limit for Duration {
    const KIND: &'static str = "a time such as 250ms, 4s or 15m,";

    fn read(text: &str) -> Option<Self> {
        duration(text).ok()
    }

    fn written(&self) -> String {
        let millis = self.as_millis();
        let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let unit = units.into_iter().find(|(size, _)| millis.is_multiple_of(*size) && millis > 0);
        let (size, name) = unit.unwrap_or((1, "ms"));
        format!("{}{name}", millis / size)
    }
}

/// Returns a function that reads the values of a range.
pub fn within<L: Limit>(
    range: RangeInclusive<L>,
) -> impl Fn(&str) -> Result<L, String> + Clone + Send + Sync + 'static {
    move |text| {
        let value = L::read(text).filter(|value| range.contains(value));
        value
            .ok_or_else(|| format!("this is {} from {} to {}", L::KIND, range.start().written(), range.end().written()))
    }
}

/// Writes a range as the help shows it.
pub fn shown<L: Limit>(range: &RangeInclusive<L>) -> String {
    format!("{}..{}", range.start().written(), range.end().written())
}

/// Reads "250ms", "4s", "15m" or "24h".
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let (number, unit) = text.split_at(length);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time looks like 250ms, 4s, 15m or 24h".to_owned()),
    };
    let number: Option<u32> = digits(number).and_then(|digits| digits.parse().ok());
    let number = number.ok_or_else(|| "a time starts with a whole number".to_owned())?;
    let duration = Duration::from_millis(u64::from(number) * millis);
    if duration > MAX_DURATION { Err("a time is at most 30 days".to_owned()) } else { Ok(duration) }
}

/// Returns the digits of a number, which may have `_` between them, as in `262_144`.
fn digits(text: &str) -> Option<String> {
    let is_grouped = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    (!text.is_empty() && is_grouped && is_digits).then(|| text.replace('_', ""))
}

/// Writes digits in groups of three, as in `262_144`.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
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

/// Reads an address, or a network of addresses. A network of all addresses is refused: it would trust everybody.
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

    #[test]
    fn times_are_read() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        for bad in ["", "5", "s", "-1s", "1.5s", "99999999999s", "4294967295h", "1d"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        for (millis, written) in
            [(0, "0ms"), (250, "250ms"), (1_000, "1s"), (75_000, "75s"), (900_000, "15m"), (3_600_000, "1h")]
        {
            let time = Duration::from_millis(millis);
            assert_eq!((time.written().as_str(), Duration::read(written)), (written, Some(time)));
        }
        for (number, written) in [(0, "0"), (999, "999"), (1_024, "1_024"), (16_777_216, "16_777_216")] {
            assert_eq!((number.written().as_str(), usize::read(written)), (written, Some(number)));
        }
    }
}
