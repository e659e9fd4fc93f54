//! Signatures of messages between this server, payment providers and receivers of webhooks: HMAC-SHA256 over a time and the raw
//! body, in the form that Stripe made common: `t=SECONDS,v1=HEX`. It knows nothing of what is signed.

use std::fmt::Write;
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::Secret;
use domain::Time;

/// Maximum difference between the time of a signature and now, in either direction.
const MAX_AGE: Duration = Duration::from_mins(5);

/// Maximum number of signatures in one header: one per secret, while secrets are replaced.
const MAX_SIGNATURES: usize = 16;

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// There is none, or it has another form.
    Malformed,
    /// It was made too long ago, or in the future.
    Age,
    /// No secret of ours made it.
    Mismatch,
}

/// Signs a body with a secret. Returns the value of the header.
pub fn sign(secret: &str, body: &[u8], now: Time) -> Option<String> {
    let seconds = now.timestamp();
    let code = mac(secret, seconds, body)?.finalize().into_bytes();
    let hex = code.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Some(format!("t={seconds},v1={hex}"))
}

/// Signs a body with the first of several secrets, which is the new one while one is replaced.
pub fn sign_with_first(secrets: &Secret, body: &[u8], now: Time) -> Option<String> {
    sign(secrets.parts().next()?, body, now)
}

/// Checks the signature of a body: any of its `v1` codes may be by any of the secrets. The comparison takes the same time
/// wherever they differ.
///
/// # Errors
/// Why it is not accepted.
pub fn verify(secret: &Secret, header: Option<&str>, body: &[u8], now: Time) -> Result<(), SignatureError> {
    let header = header.ok_or(SignatureError::Malformed)?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let mut times = parts().filter(|(name, _)| *name == "t").map(|(_, time)| time);
    let (Some(time), None) = (times.next(), times.next()) else { return Err(SignatureError::Malformed) };
    let seconds: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let codes: Vec<Vec<u8>> =
        parts().filter(|(name, _)| *name == "v1").take(MAX_SIGNATURES).filter_map(|(_, code)| bytes(code)).collect();
    if codes.is_empty() {
        return Err(SignatureError::Malformed);
    }
    if now.timestamp().abs_diff(seconds) > MAX_AGE.as_secs() {
        return Err(SignatureError::Age);
    }
    let is_by = |secret: &str| {
        // The body is read once for each secret, however many codes came.
        let Some(mac) = mac(secret, seconds, body) else { return false };
        codes.iter().any(|code| mac.clone().verify_slice(code).is_ok())
    };
    if secret.parts().any(is_by) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn mac(secret: &str, seconds: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    Some(mac)
}

/// Reads a code in hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(seconds, 0).expect("a time")
    }

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    /// Computed with Python's `hmac`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let expected = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        let signed =
            sign_with_first(&secret("whsec_test other"), br#"{"id":"evt_1"}"#, at(1_700_000_000)).expect("a signature");
        assert_eq!(signed, expected);
    }

    #[test]
    fn both_secrets_are_accepted_while_one_is_replaced() {
        let (body, now) = (b"body", at(1_000_000));
        let by_old = sign_with_first(&secret("old"), body, now).expect("a signature");
        assert_eq!(verify(&secret("new old"), Some(&by_old), body, now), Ok(()));
        assert_eq!(verify(&secret("new"), Some(&by_old), body, now), Err(SignatureError::Mismatch));
        let zeros = "0".repeat(64);
        let several = by_old.replace("v1=", &format!("v1={zeros},v0=x,v1="));
        assert_eq!(verify(&secret("old"), Some(&several), body, now), Ok(()));
    }

    #[test]
    fn age_form_and_body_are_checked() {
        let (key, body) = (secret("key"), b"body");
        let signed = sign_with_first(&key, body, at(1_000_000)).expect("a signature");
        for (now, expected) in [
            (1_000_300, Ok(())),
            (1_000_301, Err(SignatureError::Age)),
            (999_700, Ok(())),
            (999_699, Err(SignatureError::Age)),
        ] {
            assert_eq!(verify(&key, Some(&signed), body, at(now)), expected, "{now}");
        }
        assert_eq!(verify(&key, Some(&signed), b"bodY", at(1_000_000)), Err(SignatureError::Mismatch));
        for bad in ["", "t=1", "v1=00", "t=x,v1=00", "t=1000000,t=1000000,v1=00", "t=1000000,v1=é"] {
            let verified = verify(&key, Some(bad), body, at(1_000_000));
            assert_eq!(verified, Err(SignatureError::Malformed), "{bad:?}");
        }
        assert_eq!(verify(&key, None, body, at(1_000_000)), Err(SignatureError::Malformed));
    }
}
