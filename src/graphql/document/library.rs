//! The document as the executing library parses it. It works on text that has been through the guard and a parser.
//!
//! Its parser is stricter than the compiler's about what is missing, and wants a variable's `$` beside its name.

use std::borrow::Cow;

use apollo_compiler::parser::LineColumn;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::parser::{Error, parse_query};

use crate::graphql::Code;

use super::fault::{Faults, located, shorten};
use super::guard::{Kind, token};

/// Parses a document.
pub fn parse(text: &str) -> Result<ExecutableDocument, Error> {
    parse_query(close_up(text))
}

/// Why it could not be parsed, as `GRAPHQL_PARSE_FAILED`.
pub fn told(error: &Error) -> Faults {
    let place = error.positions().next().map(|place| LineColumn { line: place.line, column: place.column });
    // The report is a drawing of several lines; its last one says what is missing.
    let text = error.to_string();
    let mut message = match text.rsplit_once("= ") {
        Some((_, expected)) => format!("Syntax error: {}.", expected.trim()),
        None => "Syntax error.".to_owned(),
    };
    shorten(&mut message);
    vec![located(Code::ParseFailed, message, place)]
}

/// The text with each `$` moved to the name that belongs to it. Everything else stays in its place.
fn close_up(text: &str) -> Cow<'_, str> {
    let is_apart = |pair: &[u8]| pair[0] == b'$' && matches!(pair[1], b' ' | b'\t' | b'\n' | b'\r' | b',');
    if !text.as_bytes().windows(2).any(is_apart) {
        return Cow::Borrowed(text);
    }
    let mut moved = text.as_bytes().to_vec();
    let (mut at, mut dollar) = (0, None);
    while let Some((kind, length)) = token(&text.as_bytes()[at..]) {
        match (kind, dollar) {
            // A comment ends with its line, so that the end of a line must stay where it is.
            (Kind::Word, Some(from)) if matches!(moved[at - 1], b' ' | b'\t' | b',') => {
                moved[from] = b' ';
                moved[at - 1] = b'$';
                dollar = None;
            }
            (Kind::Nothing, _) => {}
            _ => dollar = (text.as_bytes()[at] == b'$').then_some(at),
        }
        at = (at + length).min(text.len());
    }
    String::from_utf8(moved).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_goes_to_its_name() {
        for (text, closed) in [
            ("query($a: Int)", "query($a: Int)"),
            ("query($ a: Int $  b: Int)", "query( $a: Int   $b: Int)"),
            ("($ ,\tab)", "(  ,$ab)"),
            ("\"$ a\" # $ b\n$ é", "\"$ a\" # $ b\n$ é"),
            ("$ # b\n c $", "  # b\n$c $"),
            ("$ $ a", "$  $a"),
        ] {
            assert_eq!(close_up(text), closed, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_told_on_one_line() {
        let faults = told(&parse("{ a(b c: 1) }").unwrap_err());
        assert!(faults[0].message.starts_with("Syntax error: expected "), "{faults:?}");
        assert!(!faults[0].message.contains('\n'), "{faults:?}");
        assert_eq!((faults[0].locations[0].line, faults[0].locations[0].column), (1, 5));
    }
}
