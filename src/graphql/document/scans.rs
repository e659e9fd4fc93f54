//! How many of an operation's fields look through the whole catalogue: lists of products by a text or an availability that
//! few of them, or none, may have. Nothing is refused here.

use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet, Value};
use apollo_compiler::response::{JsonMap, JsonValue};

/// Shortest run of letters and digits that an index of parts of words can find.
const SHORTEST_PART: usize = 3;

/// Fields that look through the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scans {
    /// Those that look at every product, whatever the database has.
    pub whole: u64,
    /// Those that look at every product unless the database has an index of parts of words.
    pub indexable: u64,
}

/// What an operation with these variables looks through.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Scans {
    let mut scans = Scans::default();
    add(&mut scans, document, &operation.selection_set, variables);
    scans
}

fn add(scans: &mut Scans, document: &ExecutableDocument, set: &SelectionSet, variables: &JsonMap) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                match scan(field, variables) {
                    Some(true) => scans.indexable = scans.indexable.saturating_add(1),
                    Some(false) => scans.whole = scans.whole.saturating_add(1),
                    None => {}
                }
                add(scans, document, &field.selection_set, variables);
            }
            Selection::InlineFragment(fragment) => add(scans, document, &fragment.selection_set, variables),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    add(scans, document, &fragment.selection_set, variables);
                }
            }
        }
    }
}

/// Whether an index can find what a field looks for; `None` when it looks for nothing.
fn scan(field: &Field, variables: &JsonMap) -> Option<bool> {
    field.definition.argument_by_name("search")?;
    let text = field.specified_argument_by_name("search").and_then(|value| text(value, variables));
    if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
        let mut parts = text.split(|c: char| !c.is_alphanumeric());
        return Some(parts.any(|part| part.chars().count() >= SHORTEST_PART));
    }
    let availability = field.specified_argument_by_name("availability")?;
    is_given(availability, variables).then_some(false)
}

fn text<'a>(value: &'a Value, variables: &'a JsonMap) -> Option<&'a str> {
    match value {
        Value::Variable(name) => variables.get(name.as_str())?.as_str(),
        value => value.as_str(),
    }
}

/// Whether something is in a list; one value stands for a list of it.
fn is_given(value: &Value, variables: &JsonMap) -> bool {
    match value {
        Value::Variable(name) => match variables.get(name.as_str()) {
            None | Some(JsonValue::Null) => false,
            Some(JsonValue::Array(values)) => !values.is_empty(),
            Some(_) => true,
        },
        Value::Null => false,
        Value::List(values) => !values.is_empty(),
        _ => true,
    }
}
