//! The id of a request: what the client or a proxy sent in `X-Request-Id` if it is short and plain, otherwise a random one.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// The header that carries the id, in requests and in responses.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of an id that is taken from a request, in bytes.
const MAX_LENGTH: usize = 64;

/// Length of a UUID in text, in bytes.
const UUID_LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;

/// Returns the id of a request with these headers.
pub fn of(headers: &HeaderMap) -> HeaderValue {
    let is_fit =
        |id: &&HeaderValue| (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    headers.get(&HEADER).filter(is_fit).cloned().unwrap_or_else(random)
}

/// Returns a random UUID. It comes from the generator of the thread, which costs no system call.
fn random() -> HeaderValue {
    let mut text = [0; UUID_LENGTH];
    let id: &str = Builder::from_random_bytes(rand::random()).into_uuid().hyphenated().encode_lower(&mut text);
    // A UUID in text is ASCII, so this is never the empty value.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_id_is_kept_and_any_other_replaced() {
        let of = |id: &[u8]| of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_bytes(id).unwrap())]));
        assert_eq!(of(b"mine-7"), "mine-7");
        assert_eq!(of(&[b'a'; MAX_LENGTH]).len(), MAX_LENGTH);
        for unfit in [&[b'a'; MAX_LENGTH + 1][..], b"two words", "\u{e9}".as_bytes()] {
            assert!(of(unfit).to_str().unwrap().parse::<uuid::Uuid>().is_ok());
        }
        let [one, other] = [(), ()].map(|()| super::of(&HeaderMap::new()));
        assert_ne!(one, other);
    }
}
