//! What is wrong with a request, as sentences that are short, on one line, and few. It never decides what is wrong.

use std::borrow::Cow;

use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::parser::{LineColumn, SourceMap, SourceSpan};
use apollo_compiler::validation::DiagnosticData;
use async_graphql::{Pos, ServerError};

use crate::graphql::Code;

/// Most errors in an answer.
pub const MAX_ERRORS: usize = 10;
/// Longest list of errors in an answer, as JSON, in bytes: with what is around it, less than 8 kB.
pub const MAX_SIZE: usize = 7 * 1_024;
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

/// The line and the column at which something begins, counted from 1: columns in characters, as the library that executes
/// counts them, and lines as the language ends them. The compiler counts bytes, and more characters that end lines.
pub fn place_of(span: Option<SourceSpan>, sources: &SourceMap) -> Option<LineColumn> {
    let span = span?;
    let before = sources.get(&span.file_id())?.source_text().get(..span.offset())?;
    let mut place = LineColumn { line: 1, column: 1 };
    let mut letters = before.chars().peekable();
    while let Some(letter) = letters.next() {
        // A line feed after a carriage return is the same end of a line.
        if letter == '\n' || letter == '\r' && letters.peek() != Some(&'\n') {
            place = LineColumn { line: place.line + 1, column: 1 };
        } else {
            place.column += 1;
        }
    }
    Some(place)
}

/// What the compiler found. `hint` adds to a sentence, by the compiler's name for the fault.
pub fn found<'a>(
    code: Code,
    list: impl Iterator<Item = Diagnostic<'a, DiagnosticData>>,
    hint: impl Fn(&str, &str) -> Option<String>,
) -> Faults {
    let tell = |diagnostic: Diagnostic<'_, DiagnosticData>| {
        let place = place_of(diagnostic.error.location(), diagnostic.sources);
        let mut error = located(code, sentence(&diagnostic.error), place);
        let hint = diagnostic.error.unstable_error_name().and_then(|fault| hint(fault, &error.message));
        shorten(&mut error.message);
        error.message.extend(hint.map(|hint| format!(" {hint}")));
        error
    };
    list.map(tell).collect()
}

/// The compiler writes half sentences.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return text };
    format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.'))
}

/// Bounds the errors of an answer: how many they are, how long each is, and how long all are together. Answers how many
/// are left out. What is kept has its whole path, so that it can be put beside the data.
pub fn bound(errors: &mut Faults) -> usize {
    let count = errors.len();
    errors.truncate(MAX_ERRORS);
    let mut size = 0;
    let mut kept = 0;
    for error in errors.iter_mut() {
        error.locations.truncate(2);
        shorten(&mut error.message);
        size += serde_json::to_string(error).map_or(0, |text| text.len() + 1);
        kept += usize::from(kept == 0 || size <= MAX_SIZE);
    }
    errors.truncate(kept);
    count - kept
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

    #[test]
    fn errors_are_few_and_together_short() {
        let error = |length: usize| ServerError::new("\"".repeat(length), None);
        for (count, length, kept) in [(0, 1, 0), (10, 100, 10), (11, 100, 10), (500, 10, 10), (10, 5_000, 10)] {
            let mut errors: Faults = (0..count).map(|_| error(length)).collect();
            assert_eq!(bound(&mut errors), count - kept);
            assert!(serde_json::to_string(&errors).unwrap().len() <= MAX_SIZE + 2);
        }
        let segment = |at| async_graphql::PathSegment::Field(format!("{at}{}", "a".repeat(99)));
        let mut errors: Faults =
            (0..10).map(|_| ServerError { path: (0..9).map(segment).collect(), ..error(300) }).collect();
        let left_out = bound(&mut errors);
        assert!(left_out > 0 && errors.len() == 10 - left_out, "long paths leave room for fewer");
        assert!(serde_json::to_string(&errors).unwrap().len() <= MAX_SIZE + 2);
        assert!(errors.iter().all(|error| error.path.len() == 9), "and each is whole");
    }
}
