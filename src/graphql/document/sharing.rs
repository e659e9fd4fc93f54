//! Which subscriptions get results that others get, too: those to stock that select only what the stock record itself
//! answers. Whose stock they follow does not matter for a result, nor who they are beyond what they see of counts.

use apollo_compiler::executable::{Directive, ExecutableDocument, Field, Operation, Selection, SelectionSet, Value};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::{Name, Node};
use async_graphql::ID;

use crate::graphql::keys::ids;
use domain::id::ProductId;

/// The subscription.
const ROOT: &str = "stockChanged";

/// Whose stock.
const PRODUCTS: &str = "productIds";

/// What the record of an event answers.
const OF_RECORD: [&str; 8] =
    ["__typename", "id", "total", "available", "allocated", "availability", "version", "updatedAt"];

/// A subscription whose results others get, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shareable {
    /// Whose stock it follows, in the order given.
    pub products: Vec<ProductId>,
    /// The variables that its results depend on, with their values, as JSON.
    pub variables: String,
}

/// What an operation with these variables shares; `None` when its results are its own.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Option<Shareable> {
    let [Selection::Field(root)] = &operation.selection_set.selections[..] else { return None };
    if !operation.is_subscription() || root.name != ROOT || !root.directives.is_empty() {
        return None;
    }
    let mut used = JsonMap::new();
    let is_of_record = is_of_record(document, &root.selection_set, &mut |name| {
        if let Some((name, value)) = variables.get_key_value(name.as_str()) {
            used.insert(name.clone(), value.clone());
        }
    });
    if !is_of_record {
        return None;
    }
    let products = ids(&given(root, variables)?).ok()?;
    Some(Shareable { products, variables: serde_json::to_string(&used).ok()? })
}

/// The ids in the argument of the subscription, when they are given as plainly as most clients do.
fn given(root: &Field, variables: &JsonMap) -> Option<Vec<ID>> {
    let text = |value: &Value| match value {
        Value::Variable(name) => variables.get(name.as_str())?.as_str().map(ID::from),
        value => value.as_str().map(ID::from),
    };
    match &**root.specified_argument_by_name(PRODUCTS)? {
        Value::List(ids) => ids.iter().map(|id| text(id)).collect(),
        Value::Variable(name) => {
            let JsonValue::Array(ids) = variables.get(name.as_str())? else { return None };
            ids.iter().map(|id| id.as_str().map(ID::from)).collect()
        }
        _ => None,
    }
}

/// Whether a selection asks only for what the record answers. Tells of the variables that it depends on.
fn is_of_record(document: &ExecutableDocument, set: &SelectionSet, uses: &mut impl FnMut(&Name)) -> bool {
    set.selections.iter().all(|selection| {
        depends_on(selection.directives(), uses);
        match selection {
            Selection::Field(field) => OF_RECORD.contains(&field.name.as_str()),
            Selection::InlineFragment(fragment) => is_of_record(document, &fragment.selection_set, uses),
            Selection::FragmentSpread(spread) => document
                .fragments
                .get(&spread.fragment_name)
                .is_some_and(|fragment| is_of_record(document, &fragment.selection_set, uses)),
        }
    })
}

fn depends_on(directives: &[Node<Directive>], uses: &mut impl FnMut(&Name)) {
    for argument in directives.iter().flat_map(|directive| &directive.arguments) {
        if let Value::Variable(name) = &*argument.value {
            uses(name);
        }
    }
}
