//! Whether a document asks the schema about itself, so that it can be refused clearly where that is switched off.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Whether `__schema` or `__type` appears anywhere. `__typename` is no introspection: clients' caches need it.
#[must_use]
pub fn is_asked_for(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).any(asks)
}

fn asks(selections: &SelectionSet) -> bool {
    selections.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => {
            matches!(field.node.name.node.as_str(), "__schema" | "__type") || asks(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => asks(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
}
