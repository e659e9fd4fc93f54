//! How many rows the mutations of an operation write, as far as their input tells: one for each mutation, and one for each
//! entry of the lists in its input. Nothing is refused here.

use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet, Value};
use apollo_compiler::response::{JsonMap, JsonValue};

/// The mutations that write rows of carts.
const OF_CARTS: [&str; 3] = ["createCart", "addToCart", "updateCart"];

/// Rows that an operation writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// All of them.
    pub rows: u64,
    /// Those of carts and their items.
    pub cart_rows: u64,
}

/// The rows that an operation with these variables writes. A query writes none.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Writes {
    let mut writes = Writes::default();
    if operation.is_mutation() {
        add(&mut writes, document, &operation.selection_set, variables);
    }
    writes
}

fn add(writes: &mut Writes, document: &ExecutableDocument, set: &SelectionSet, variables: &JsonMap) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let entries = field.arguments.iter().map(|argument| entries(&argument.value, variables));
                let rows = entries.fold(1, u64::saturating_add);
                writes.rows = writes.rows.saturating_add(rows);
                if OF_CARTS.contains(&field.name.as_str()) {
                    writes.cart_rows = writes.cart_rows.saturating_add(rows);
                }
            }
            Selection::InlineFragment(fragment) => add(writes, document, &fragment.selection_set, variables),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    add(writes, document, &fragment.selection_set, variables);
                }
            }
        }
    }
}

/// How many entries all lists in this value have together.
fn entries(value: &Value, variables: &JsonMap) -> u64 {
    match value {
        Value::Variable(name) => variables.get(name.as_str()).map_or(0, entries_of_json),
        Value::List(items) => items.iter().map(|item| 1 + entries(item, variables)).sum(),
        Value::Object(fields) => fields.iter().map(|(_, value)| entries(value, variables)).sum(),
        _ => 0,
    }
}

fn entries_of_json(value: &JsonValue) -> u64 {
    match value {
        JsonValue::Array(items) => items.iter().map(|item| 1 + entries_of_json(item)).sum(),
        JsonValue::Object(fields) => fields.iter().map(|(_, value)| entries_of_json(value)).sum(),
        _ => 0,
    }
}
