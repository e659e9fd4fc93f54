//! What an operation costs before it is executed: one for each field, times the rows it is asked for.
//!
//! A page counts as many rows as `first` or `last` ask for, a list of things by their ids as many as there are ids, and any
//! other list [`TYPICAL_ROWS`]. A row that is asked for costs the same whether it is there or not.

use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet, Value};
use apollo_compiler::response::{JsonMap, JsonValue};

use crate::graphql::keys::MAX_IDS;
use crate::graphql::page::DEFAULT_PAGE;
use crate::read::MAX_PAGE;

/// Rows of a list that nobody pages, such as the items of an order.
pub const TYPICAL_ROWS: u64 = 5;

/// The cost of an operation with these variables, in which defaults are filled in.
///
/// It follows fragments wherever they are spread. That ends, and soon, because validation has refused cycles and
/// [`MAX_FIELDS`](super::limits::MAX_FIELDS) bounds what there is to visit.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> u64 {
    Pricing { document, variables }.selections(&operation.selection_set, None)
}

struct Pricing<'a> {
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
}

impl Pricing<'_> {
    /// `page` is how many rows the lists of a connection have.
    fn selections(&self, set: &SelectionSet, page: Option<u64>) -> u64 {
        let costs = set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.field(field, page, set.ty.starts_with("__")),
            Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set, page),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.fragment_name);
                fragment.map_or(0, |fragment| self.selections(&fragment.selection_set, page))
            }
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, field: &Field, page: Option<u64>, is_introspection: bool) -> u64 {
        let rows = match page {
            // The schema is small, and the same for everybody.
            _ if !field.ty().is_list() || is_introspection => 1,
            Some(rows) => rows,
            None => self.ids(field).unwrap_or(TYPICAL_ROWS),
        };
        let inside = self.selections(&field.selection_set, self.page(field));
        rows.saturating_mul(inside).saturating_add(1)
    }

    /// How many rows a connection is asked for. More than a page may have is refused where it is asked for.
    fn page(&self, field: &Field) -> Option<u64> {
        field.definition.argument_by_name("first")?;
        let wanted = ["last", "first"].iter().find_map(|name| self.number(field.specified_argument_by_name(name)?));
        Some(wanted.map_or(DEFAULT_PAGE, |wanted| wanted.clamp(1, MAX_PAGE)))
    }

    fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Variable(name) => {
                self.variables.get(name.as_str())?.as_i64().map(|number| number.max(0).unsigned_abs())
            }
            Value::Int(number) => Some(number.as_str().parse().unwrap_or(0)),
            _ => None,
        }
    }

    /// How many things a list of them is asked for by their ids.
    fn ids(&self, field: &Field) -> Option<u64> {
        let is_ids = |name: &str| {
            let argument = field.definition.argument_by_name(name);
            argument.is_some_and(|argument| argument.ty.is_list() && argument.ty.inner_named_type() == "ID")
        };
        let argument = field.arguments.iter().find(|argument| is_ids(&argument.name))?;
        let count = match &*argument.value {
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(JsonValue::Array(ids)) => ids.len(),
                _ => 1,
            },
            Value::List(ids) => ids.len(),
            _ => 1,
        };
        u64::try_from(count.min(MAX_IDS)).ok()
    }
}
