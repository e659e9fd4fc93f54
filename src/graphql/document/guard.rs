//! Looks at a document before anything parses it: its length, its tokens, and how deep its brackets nest. A parser may
//! then use the stack without fear.

use crate::graphql::Code;

use super::Limits;
use super::fault::{Faults, fault};
use super::limits::{MAX_NESTING, MAX_WORD};

/// Refuses a document that is too large to be parsed.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn check(document: &str, limits: &Limits) -> Result<(), Faults> {
    let over = |message: String| Err(fault(Code::LimitExceeded, message));
    if document.len() > limits.length && document.chars().count() > limits.length {
        return over(format!("A document has at most {} characters.", limits.length));
    }
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut rest = document.as_bytes();
    while let Some((kind, bytes)) = token(rest) {
        tokens += usize::from(kind != Kind::Nothing);
        match kind {
            Kind::Open => nesting += 1,
            Kind::Close => nesting = nesting.saturating_sub(1),
            Kind::Word if bytes > MAX_WORD => {
                return over(format!("A name or a number has at most {MAX_WORD} characters."));
            }
            Kind::Word | Kind::Other | Kind::Nothing => {}
        }
        if tokens > limits.tokens {
            return over(format!("A document has at most {} tokens.", limits.tokens));
        }
        if nesting > MAX_NESTING {
            return over(format!("Brackets nest at most {MAX_NESTING} deep."));
        }
        rest = rest.get(bytes..).unwrap_or_default();
    }
    Ok(())
}

/// Of what kind a token is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Spaces, commas, comments: no token.
    Nothing,
    /// An opening bracket.
    Open,
    /// A closing bracket.
    Close,
    /// A name or a number.
    Word,
    /// A string, a sign, or what is no GraphQL.
    Other,
}

/// What the text begins with, and how long it is. What is no GraphQL is left to the parser.
pub fn token(text: &[u8]) -> Option<(Kind, usize)> {
    let first = *text.first()?;
    let run = |is_in: fn(&u8) -> bool| 1 + text.iter().skip(1).take_while(|byte| is_in(byte)).count();
    Some(match first {
        b'(' | b'[' | b'{' => (Kind::Open, 1),
        b')' | b']' | b'}' => (Kind::Close, 1),
        b'"' => (Kind::Other, string(text)),
        b'#' => (Kind::Nothing, run(|byte| *byte != b'\n' && *byte != b'\r')),
        b' ' | b'\t' | b'\n' | b'\r' | b',' => {
            (Kind::Nothing, run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',')))
        }
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => (Kind::Word, run(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())),
        b'-' | b'0'..=b'9' => {
            (Kind::Word, run(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')))
        }
        b'.' if text.starts_with(b"...") => (Kind::Other, 3),
        _ => (Kind::Other, 1),
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

    const MAX_LENGTH: usize = Limits::DEFAULT.length;
    const MAX_TOKENS: usize = Limits::DEFAULT.tokens;

    fn check(document: &str) -> Result<(), Faults> {
        super::check(document, &Limits::default())
    }

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
        assert!(check(&"...a".repeat(MAX_TOKENS / 2)).is_ok());
        assert!(check(&"...a".repeat(MAX_TOKENS / 2 + 1)).is_err());
    }

    #[test]
    fn names_and_numbers_are_bounded() {
        for letter in ["a", "1", "_"] {
            assert!(check(&letter.repeat(MAX_WORD)).is_ok());
            assert!(check(&letter.repeat(MAX_WORD + 1)).is_err());
        }
        assert!(check(&format!("{{ a(b: \"{}\") }} # {}", "x".repeat(1_000), "x".repeat(1_000))).is_ok());
    }
}
