//! Settings of earlier releases that are none any more: whoever still gives one is told which bound holds instead. It reads
//! nothing.

use super::documents::{
    MAX_ALIASES, MAX_DIRECTIVES, MAX_DIRECTIVES_PER_PLACE, MAX_FIELDS, MAX_FRAGMENTS, MAX_INTROSPECTION_DEPTH,
    MAX_MUTATIONS, MAX_NESTING, MAX_OPERATIONS, MAX_ROOT_FIELDS, MAX_VARIABLES, MAX_WORD,
};
use super::timeouts::{COMMENT_INTERVAL, INIT_TIMEOUT, PING_INTERVAL, SILENCE_TIMEOUT, WRITE_TIMEOUT};
use super::values::Limit;

/// Number of settings that were removed.
const REMOVED: usize = 17;

/// Returns the variables of settings that were removed, each with the bound that holds instead.
#[must_use]
pub fn removed() -> [(&'static str, String); REMOVED] {
    [
        ("ONHAND_MAX_WORD", MAX_WORD.written()),
        ("ONHAND_MAX_NESTING", MAX_NESTING.written()),
        ("ONHAND_MAX_OPERATIONS", MAX_OPERATIONS.written()),
        ("ONHAND_MAX_FRAGMENTS", MAX_FRAGMENTS.written()),
        ("ONHAND_MAX_VARIABLES", MAX_VARIABLES.written()),
        ("ONHAND_MAX_ALIASES", MAX_ALIASES.written()),
        ("ONHAND_MAX_DIRECTIVES_PER_PLACE", MAX_DIRECTIVES_PER_PLACE.written()),
        ("ONHAND_MAX_DIRECTIVES", MAX_DIRECTIVES.written()),
        ("ONHAND_MAX_FIELDS", MAX_FIELDS.written()),
        ("ONHAND_MAX_ROOT_FIELDS", MAX_ROOT_FIELDS.written()),
        ("ONHAND_MAX_MUTATIONS", MAX_MUTATIONS.written()),
        ("ONHAND_MAX_INTROSPECTION_DEPTH", MAX_INTROSPECTION_DEPTH.written()),
        ("ONHAND_WAIT_INIT", INIT_TIMEOUT.written()),
        ("ONHAND_WAIT_PING", PING_INTERVAL.written()),
        ("ONHAND_WAIT_SILENCE", SILENCE_TIMEOUT.written()),
        ("ONHAND_WAIT_WRITE", WRITE_TIMEOUT.written()),
        ("ONHAND_WAIT_COMMENT", COMMENT_INTERVAL.written()),
    ]
}

/// Returns the flag of a variable: `--max-word` for `ONHAND_MAX_WORD`.
pub fn flag_of(variable: &str) -> String {
    let name = variable.strip_prefix(super::given::PREFIX).unwrap_or(variable);
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

/// Returns the sentence about a removed setting under the name that it was given by, a flag or a variable.
pub fn warning(name: &str) -> Option<String> {
    let is_named = |variable: &str| name == variable || name == flag_of(variable);
    let (_, limit) = removed().into_iter().find(|(variable, _)| is_named(variable))?;
    Some(format!("{name} is no setting any more; the limit is {limit}"))
}
