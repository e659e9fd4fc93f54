//! The document as the executing library parses it. It works on text that has been through the guard and a parser.
//!
//! Its parser is stricter than the compiler's about what is missing, and wants no spaces in a variable or a type.

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

/// The text with each sign beside what it belongs to: `$` and `[` before what follows, `!` and `]` after what is before
/// them. Everything else stays in its place.
fn close_up(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_apart = |pair: &[u8]| goes_right(pair[0]) && is_gap(pair[1]) || is_gap(pair[0]) && goes_left(pair[1]);
    if !bytes.windows(2).any(is_apart) {
        return Cow::Borrowed(text);
    }
    let mut moved = bytes.to_vec();
    // Where the last token is now.
    let mut last = 0..0;
    let mut at = 0;
    while let Some((kind, length)) = token(&bytes[at..]) {
        let end = (at + length).min(bytes.len());
        if kind != Kind::Nothing {
            let is_commented = moved[last.end..at].contains(&b'#');
            let is_sign_before = last.len() == 1 && goes_right(moved[last.start]);
            if goes_left(bytes[at]) && last.end < at && is_gap(moved[last.end]) {
                moved.swap(last.end, at);
                last = last.end..last.end + 1;
            } else {
                // A comment ends with its line, so that the end of that line must stay where it is.
                if is_sign_before && last.end < at && !(is_commented && matches!(moved[at - 1], b'\n' | b'\r')) {
                    moved.swap(last.start, at - 1);
                }
                last = at..end;
            }
        }
        at = end;
    }
    String::from_utf8(moved).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn goes_right(sign: u8) -> bool {
    matches!(sign, b'$' | b'[')
}

fn goes_left(sign: u8) -> bool {
    matches!(sign, b'!' | b']')
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_to_what_they_belong_to() {
        for (text, closed) in [
            ("query($a: Int)", "query($a: Int)"),
            ("query($ a: Int $  b: Int)", "query( $a: Int   $b: Int)"),
            ("($ ,\tab)", "(\t ,$ab)"),
            ("\"$ a\" # $ b\n$ a", "\"$ a\" # $ b\n $a"),
            ("$ # b\n c $", "  # b\n$c $"),
            ("$ # b\nc", "$ # b\nc"),
            ("$\nc", "\n$c"),
            ("[ ID ! ] !", " [ID!]!   "),
            ("[ID\n # x\n!]", "[ID!]# x\n\n "),
            ("[ID# !\n!] # !", "[ID# !\n!] # !"),
            ("! é !", "! é! "),
            (" ] [ ", "]  [ "),
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
