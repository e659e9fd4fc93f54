//! Operations as JSON: parsed from a body or from the payload of a message, with a sentence for each way in which they can
//! be wrong. It never looks into the query or the variables.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::graphql::Code;

use super::error_response::Problem;
use super::operation::Operation;

/// Maximum nesting of brackets in JSON: the limit of the parser.
const MAX_JSON_NESTING: usize = 127;

/// The message to JSON that is not an operation.
const FORM: &str =
    "An operation is a JSON object with a `query`, and perhaps `variables`, `operationName` and `extensions`.";

/// The byte order mark with which some clients begin JSON in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns JSON without the byte order mark.
pub fn strip_byte_order_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)
}

/// Parses an operation.
///
/// # Errors
/// When it is not JSON, or not an operation.
pub fn parse_operation(json: &[u8]) -> Result<Operation, Problem> {
    let begin = json.iter().find(|byte| !byte.is_ascii_whitespace());
    // The parser would take a list for the parts of an operation in their order.
    if begin == Some(&b'[') {
        return Err(Problem::bad_input(FORM));
    }
    serde_json::from_slice(json).map_err(|error| operation_problem(&error, json))
}

/// Returns what is wrong with JSON that could not be parsed: a syntax error with its position, or `otherwise` if it is JSON
/// but not of the expected form.
pub fn json_problem(error: &serde_json::Error, otherwise: &str) -> Problem {
    // The parser has codes for its errors, but they are private.
    let text = error.to_string();
    let position = format!("at line {}, column {}", error.line(), error.column());
    if text.starts_with("recursion limit exceeded") {
        let message = format!("JSON nests at most {MAX_JSON_NESTING} brackets deep.");
        return Problem::new(Code::LimitExceeded, message);
    }
    let message = if text.starts_with("number out of range") {
        format!("A number in the JSON is out of range, {position}.")
    } else if ["lone leading surrogate", "unexpected end of hex escape"].iter().any(|one| text.starts_with(one)) {
        format!("A string in the JSON has half a character, a surrogate without the other half, {position}.")
    } else if text.starts_with("invalid unicode code point") {
        format!("The JSON is not UTF-8, {position}.")
    } else if let Some(name) = duplicate_field(&text) {
        format!("`{name}` is there twice, {position}.")
    } else if error.is_data() {
        otherwise.to_owned()
    } else {
        format!("{} It breaks {position}.", sentence(otherwise))
    };
    Problem::bad_input(message)
}

/// Returns the name of the field in the parser's error about a duplicate.
fn duplicate_field(error: &str) -> Option<&str> {
    error.strip_prefix("duplicate field `")?.split_once('`').map(|(name, _)| name)
}

/// The members of an operation, whatever their types: so that a duplicate is reported before any other problem.
#[derive(Deserialize)]
struct Members {
    #[serde(default, rename = "query")]
    _query: IgnoredAny,
    #[serde(default, rename = "operationName")]
    _name: IgnoredAny,
    #[serde(default, rename = "variables")]
    _variables: IgnoredAny,
    #[serde(default, rename = "extensions")]
    _extensions: IgnoredAny,
}

fn operation_problem(error: &serde_json::Error, json: &[u8]) -> Problem {
    if error.is_data()
        && let Err(duplicate) = serde_json::from_slice::<Members>(json)
        && duplicate_field(&duplicate.to_string()).is_some()
    {
        return json_problem(&duplicate, FORM);
    }
    let members = error.is_data().then(|| serde_json::from_slice::<Value>(json).ok()).flatten();
    let Some(Value::Object(members)) = members else { return json_problem(error, FORM) };
    let is_wrong = |name: &&str, is_right: fn(&Value) -> bool| {
        members.get(*name).is_some_and(|member| !member.is_null() && !is_right(member))
    };
    let text = ["query", "operationName"].into_iter().find(|name| is_wrong(name, Value::is_string));
    let object = ["variables", "extensions"].into_iter().find(|name| is_wrong(name, Value::is_object));
    match (text, object) {
        (Some(name), _) => Problem::bad_input(format!("`{name}` of an operation is a string.")),
        (None, Some(name)) => Problem::bad_input(format!("`{name}` of an operation is a JSON object.")),
        (None, None) => json_problem(error, FORM),
    }
}

/// Ends a message with a full stop.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}
