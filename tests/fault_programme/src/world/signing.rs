//! Signatures of messages between a shop and others: HMAC-SHA256 over a time and the body, as `t=SECONDS,v1=HEX`. It shares no
//! code with the server.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Signs a body at a time, in seconds. Returns the value of the header.
pub fn sign(secret: &str, body: &[u8], seconds: i64) -> String {
    let hex = code(secret, body, seconds).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("t={seconds},v1={hex}")
}

/// The time of a signature, in seconds; `None` when the body is not signed with this secret.
pub fn time_of(secret: &str, header: &str, body: &[u8]) -> Option<i64> {
    let (time, _) = header.strip_prefix("t=")?.split_once(',')?;
    let seconds = time.parse().ok()?;
    (sign(secret, body, seconds) == header).then_some(seconds)
}

fn code(secret: &str, body: &[u8], seconds: i64) -> Vec<u8> {
    // A key may be of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}
