//! What is wrong with a request, as sentences that are short, on one line, and few. It never decides what is wrong.

use std::borrow::Cow;

use apollo_compiler::parser::LineColumn;
use apollo_compiler::validation::DiagnosticList;
use async_graphql::{Pos, ServerError};

use crate::graphql::Code;

/// Most errors in an answer about a request.
pub const MAX_ERRORS: usize = 10;
/// Longest message of an error, in bytes. Ten of them, quoted for JSON, stay below 8 kB.
pub const MAX_MESSAGE: usize = 300;
/// How much of the end of a message that is too long is kept.
const KEPT_END: usize = 80;

/// Why a request is not executed. Never empty.
pub type Faults = Vec<ServerError>;

/// One fault of the whole request.
pub fn fault(code: Code, message: impl Into<String>) -> Faults {
    vec![located(code, message, None)]
}

/// One fault with its place in the document.
pub fn located(code: Code, message: impl Into<String>, place: Option<LineColumn>) -> ServerError {
    let place = place.map(|place| Pos { line: place.line, column: place.column }).unwrap_or_default();
    let mut error = code.error(message).into_server_error(place);
    if place == Pos::default() {
        error.locations.clear();
    }
    error
}

/// The first few of what the compiler found.
pub fn found(code: Code, list: &DiagnosticList, most: usize) -> Faults {
    let tell = |diagnostic: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let place = diagnostic.line_column_range().map(|range| range.start);
        let mut error = located(code, sentence(&diagnostic.error), place);
        shorten(&mut error.message);
        error
    };
    list.iter().take(most).map(tell).collect()
}

/// The compiler writes half sentences.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return text };
    format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.'))
}

/// Bounds errors that say what is wrong with a request.
pub fn bound(errors: &mut Faults) {
    errors.truncate(MAX_ERRORS);
    for error in errors {
        error.locations.truncate(2);
        shorten(&mut error.message);
    }
}

/// Makes one line of a message, and takes its middle out when it is too long.
pub fn shorten(message: &mut String) {
    if message.contains(char::is_control) {
        *message = message.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    }
    if let Cow::Owned(short) = cut(message) {
        *message = short;
    }
}

fn cut(message: &str) -> Cow<'_, str> {
    if message.len() <= MAX_MESSAGE {
        return Cow::Borrowed(message);
    }
    let begin = message.floor_char_boundary(MAX_MESSAGE - KEPT_END - "…".len());
    let end = message.ceil_char_boundary(message.len() - KEPT_END);
    Cow::Owned(format!("{}…{}", &message[..begin], &message[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_on_one_line() {
        let mut text = "a\nb\u{0}\tc".to_owned();
        shorten(&mut text);
        assert_eq!(text, "a b c");
        for long in ["x".repeat(10_000), "é".repeat(5_000), "\u{1f9f5}".repeat(3_000)] {
            let mut text = format!("begin {long} end");
            shorten(&mut text);
            assert!(text.len() <= MAX_MESSAGE && text.starts_with("begin ") && text.ends_with(" end"), "{text}");
        }
    }
}
