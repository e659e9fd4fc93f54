//! Looks at a document before anything parses it: its length, its tokens, and how deep its brackets nest. A parser may
//! then use the stack without fear.

use crate::graphql::Code;

use super::Limits;
use super::fault::{Faults, fault};

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
    while let Some(token) = token(rest) {
        tokens += usize::from(token.counts);
        nesting = (nesting + usize::from(token.opens)).saturating_sub(usize::from(token.closes));
        if tokens > limits.tokens {
            return over(format!("A document has at most {} tokens.", limits.tokens));
        }
        if nesting > limits.nesting {
            return over(format!("Brackets nest at most {} deep.", limits.nesting));
        }
        if token.is_word && token.bytes > limits.word {
            return over(format!("A name or a number has at most {} characters.", limits.word));
        }
        rest = rest.get(token.bytes..).unwrap_or_default();
    }
    Ok(())
}

/// A token, or a stretch of nothing.
#[derive(Default)]
struct Token {
    bytes: usize,
    counts: bool,
    opens: bool,
    closes: bool,
    is_word: bool,
}

/// What the text begins with. What is no GraphQL is left to the parser.
fn token(text: &[u8]) -> Option<Token> {
    let first = *text.first()?;
    let run = |is_in: fn(&u8) -> bool| 1 + text.iter().skip(1).take_while(|byte| is_in(byte)).count();
    let one = Token { bytes: 1, counts: true, ..Token::default() };
    Some(match first {
        b'(' | b'[' | b'{' => Token { opens: true, ..one },
        b')' | b']' | b'}' => Token { closes: true, ..one },
        b'"' => Token { bytes: string(text), ..one },
        b'#' => Token { bytes: run(|byte| *byte != b'\n' && *byte != b'\r'), ..Token::default() },
        b' ' | b'\t' | b'\n' | b'\r' | b',' => {
            let bytes = run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b','));
            Token { bytes, ..Token::default() }
        }
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
            let bytes = run(|byte| matches!(byte, b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'));
            Token { bytes, is_word: true, ..one }
        }
        b'-' | b'0'..=b'9' => {
            let bytes = run(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
            Token { bytes, is_word: true, ..one }
        }
        b'.' if text.starts_with(b"...") => Token { bytes: 3, ..one },
        _ => one,
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
    use super::super::limits::{MAX_LENGTH, MAX_NESTING, MAX_TOKENS, MAX_WORD};
    use super::*;

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
