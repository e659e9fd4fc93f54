//! Which operations get results that others get, too: subscriptions to stock that select only what the stock record itself
//! answers, and queries that read only the catalogue. Whose stock is followed does not matter for a result, nor who asks
//! beyond what they see of counts and of the catalogue.

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

/// The fields of queries that read the catalogue.
const CATALOGUE: [&str; 5] = ["__typename", "product", "products", "stock", "stocks"];

/// What is selected of the catalogue that is the same for all who see as much of it.
const OF_CATALOGUE: [&str; 30] = [
    "__typename",
    "allocated",
    "amount",
    "availability",
    "available",
    "createdAt",
    "currency",
    "cursor",
    "description",
    "edges",
    "endCursor",
    "hasNextPage",
    "hasPreviousPage",
    "id",
    "lowStockThreshold",
    "manageStock",
    "name",
    "node",
    "nodes",
    "pageInfo",
    "price",
    "product",
    "sku",
    "slug",
    "startCursor",
    "status",
    "stock",
    "total",
    "updatedAt",
    "version",
];

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
    let is_of_record = selects_only(document, &root.selection_set, &OF_RECORD, &mut |name| {
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

/// The variables of a query whose answer is the same for all who see as much of the catalogue, as JSON; `None` for others.
pub fn of_catalogue(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Option<String> {
    let is_of_catalogue = operation.is_query()
        && operation.selection_set.selections.iter().all(|selection| match selection {
            Selection::Field(root) => {
                CATALOGUE.contains(&root.name.as_str())
                    && selects_only(document, &root.selection_set, &OF_CATALOGUE, &mut |_| ())
            }
            Selection::InlineFragment(_) | Selection::FragmentSpread(_) => false,
        });
    if is_of_catalogue { serde_json::to_string(variables).ok() } else { None }
}

/// Whether a selection asks only for these fields, at any depth. Tells of the variables that directives use.
fn selects_only(
    document: &ExecutableDocument,
    set: &SelectionSet,
    fields: &[&str],
    uses: &mut impl FnMut(&Name),
) -> bool {
    set.selections.iter().all(|selection| {
        depends_on(selection.directives(), uses);
        match selection {
            Selection::Field(field) => {
                fields.contains(&field.name.as_str()) && selects_only(document, &field.selection_set, fields, uses)
            }
            Selection::InlineFragment(fragment) => selects_only(document, &fragment.selection_set, fields, uses),
            Selection::FragmentSpread(spread) => document
                .fragments
                .get(&spread.fragment_name)
                .is_some_and(|fragment| selects_only(document, &fragment.selection_set, fields, uses)),
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
