//! Looks at a document before anything parses it: its length, its tokens, and how deep its brackets nest. A parser may
//! then use the stack without fear.

use super::Code;

/// Longest document, in characters.
pub const MAX_LENGTH: usize = 10_000;

/// Most tokens in a document.
pub const MAX_TOKENS: usize = 2_000;

/// Deepest nesting of all kinds of brackets together.
pub const MAX_NESTING: usize = 64;

/// Refuses a document that is too large to be parsed.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn check(document: &str) -> async_graphql::Result<()> {
    if document.len() > MAX_LENGTH && document.chars().count() > MAX_LENGTH {
        return Err(Code::LimitExceeded.error(format!("A document has at most {MAX_LENGTH} characters.")));
    }
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut rest = document.as_bytes();
    while let Some((length, opens, closes)) = token(rest) {
        tokens += usize::from(length.counts);
        nesting = (nesting + usize::from(opens)).saturating_sub(usize::from(closes));
        if tokens > MAX_TOKENS {
            return Err(Code::LimitExceeded.error(format!("A document has at most {MAX_TOKENS} tokens.")));
        }
        if nesting > MAX_NESTING {
            return Err(Code::LimitExceeded.error(format!("Brackets nest at most {MAX_NESTING} deep.")));
        }
        rest = rest.get(length.bytes..).unwrap_or_default();
    }
    Ok(())
}

struct Length {
    bytes: usize,
    counts: bool,
}

/// The next token or stretch of nothing: its length, and whether it opens or closes a bracket. What is no GraphQL is
/// left to the parser.
fn token(text: &[u8]) -> Option<(Length, bool, bool)> {
    let first = *text.first()?;
    let run = |counts: bool, is_in: fn(&u8) -> bool| {
        let bytes = 1 + text.iter().skip(1).take_while(|byte| is_in(byte)).count();
        (Length { bytes, counts }, false, false)
    };
    Some(match first {
        b'(' | b'[' | b'{' => (Length { bytes: 1, counts: true }, true, false),
        b')' | b']' | b'}' => (Length { bytes: 1, counts: true }, false, true),
        b'"' => (Length { bytes: string(text), counts: true }, false, false),
        b'#' => run(false, |byte| *byte != b'\n' && *byte != b'\r'),
        b' ' | b'\t' | b'\n' | b'\r' | b',' => run(false, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',')),
        b'_' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
            run(true, |byte| matches!(byte, b'_' | b'-' | b'+' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'))
        }
        _ => (Length { bytes: 1, counts: true }, false, false),
    })
}

/// The length of a string that begins here, of either kind; an unfinished one goes to the end.
fn string(text: &[u8]) -> usize {
    let is_block = text.starts_with(b"\"\"\"");
    let mut at = if is_block { 3 } else { 1 };
    while at < text.len() {
        let rest = &text[at..];
        if is_block && rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if is_block && rest.starts_with(b"\"\"\"") {
            return at + 3;
        } else if !is_block && rest[0] == b'\\' {
            at += 2;
        } else if !is_block && matches!(rest[0], b'"' | b'\n' | b'\r') {
            return at + 1;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{{ a(b: {}{}) }}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn nesting_is_bounded_where_it_nests() {
        assert!(check(&nested(MAX_NESTING - 2)).is_ok());
        assert!(check(&nested(MAX_NESTING - 1)).is_err());
        assert!(check(&nested(4_000)).is_err());
        for harmless in [
            format!("{{ a(b: \"{}\") }}", "[".repeat(4_000)),
            format!("{{ a(b: \"\"\"{} \\\"\"\" {} \"\"\") }}", "[".repeat(2_000), "{".repeat(2_000)),
            format!("{{ a }} # {}", "[".repeat(4_000)),
        ] {
            assert!(check(&harmless).is_ok(), "{harmless}");
        }
        assert!(check(&format!("{{ a(b: \"\\\"\", c: {}) }}", "[".repeat(100))).is_err());
    }

    #[test]
    fn length_and_tokens_are_bounded() {
        assert!(check(&" ".repeat(MAX_LENGTH)).is_ok());
        assert!(check(&" ".repeat(MAX_LENGTH + 1)).is_err());
        assert!(check(&"é".repeat(MAX_TOKENS)).is_err(), "bytes that are no GraphQL count, too");
        assert!(check(&"a ".repeat(MAX_TOKENS)).is_ok());
        assert!(check(&"a ".repeat(MAX_TOKENS + 1)).is_err());
    }
}
