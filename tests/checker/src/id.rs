//! Reads the ids of the API: a kind, an underscore and 128 bits in Crockford's base32.

use uuid::Uuid;

const ALPHABET: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Bits of a digit.
const BITS: u32 = 5;

/// Digits of an id.
const DIGITS: u32 = 26;

/// Returns the UUID in an id; `None` when it is none.
#[must_use]
pub fn uuid(id: &str) -> Option<Uuid> {
    let (_, digits) = id.rsplit_once('_')?;
    let mut value: u128 = 0;
    for digit in digits.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == digit)?;
        value = value.checked_shl(BITS)? | digit as u128;
    }
    Some(Uuid::from_u128(value))
}

/// Returns the id of a thing of this kind.
#[must_use]
pub fn id(kind: &str, uuid: Uuid) -> String {
    let value = uuid.as_u128();
    let digit = |at: u32| {
        let digit = usize::try_from((value >> (at * BITS)) & 31).unwrap_or_default();
        char::from(ALPHABET[digit])
    };
    format!("{kind}_{}", (0..DIGITS).rev().map(digit).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_it_is_read() {
        for known in [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002)] {
            assert_eq!(uuid(&id("product", known)), Some(known));
        }
    }

    #[test]
    fn an_id_is_read() {
        assert_eq!(uuid("order_00000000000000000000000000"), Some(Uuid::nil()));
        assert_eq!(uuid("order_7zzzzzzzzzzzzzzzzzzzzzzzzz"), Some(Uuid::max()));
        assert_eq!(uuid("product_01j0000000e008000000000002").map(|id| id.as_u128() & 0xff), Some(2));
        assert_eq!(uuid("order_u"), None);
        assert_eq!(uuid("order"), None);
    }
}
