//! Counts what a document has, as it is written and with its fragments put in their places. It needs no schema.
//!
//! Each fragment is looked at once, however often it is spread, so that the time is that of reading the document. What is
//! not valid (a cycle, a fragment that is not there) counts as nothing: the validation that follows says so.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, DirectiveList, Document, FragmentDefinition, OperationType, Selection};

use crate::graphql::Code;

use super::Limits;
use super::fault::{Faults, fault};
use super::limits::{
    MAX_ALIASES, MAX_DIRECTIVES, MAX_DIRECTIVES_PER_PLACE, MAX_FIELDS, MAX_FRAGMENTS, MAX_INTROSPECTION_DEPTH,
    MAX_INTROSPECTION_LISTS, MAX_MUTATIONS, MAX_NESTING, MAX_OPERATIONS, MAX_ROOT_FIELDS, MAX_VARIABLES,
};

/// Refuses a document that asks for too much.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn check(document: &Document, limits: &Limits) -> Result<(), Faults> {
    let mut count = Count { limits, fragments: HashMap::new(), aliases: 0, directives: 0 };
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            count.fragments.entry(fragment.name.as_str()).or_insert(Fragment::Unread(fragment));
        }
    }
    at_most("A document has", count.fragments.len(), MAX_FRAGMENTS, "fragments")?;
    let (mut operations, mut variables, mut fields) = (0, 0, 0_u64);
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                operations += 1;
                variables += operation.variables.len();
                at_most("A document has", operations, MAX_OPERATIONS, "operations")?;
                at_most("A document has", variables, MAX_VARIABLES, "variables")?;
                count.directives(&operation.directives)?;
                for variable in &operation.variables {
                    count.directives(&variable.directives)?;
                }
                let size = count.selections(&operation.selection_set)?;
                fields = fields.saturating_add(size.fields);
                count.check_operation(operation.operation_type, &size)?;
                at_most("A document has", fields, MAX_FIELDS, "fields, those of fragments included")?;
            }
            Definition::FragmentDefinition(fragment) => {
                count.fragment(&fragment.name)?;
            }
            // Definitions of types: the validation refuses them.
            _ => {}
        }
    }
    Ok(())
}

/// How large a selection is when fragments are put in their places.
#[derive(Debug, Default, Clone, Copy)]
struct Size {
    /// Fields at its top.
    roots: u64,
    /// All its fields.
    fields: u64,
    /// Fields inside fields.
    depth: usize,
    /// The same where the schema is asked about itself.
    introspection_depth: usize,
    /// Lists of members of types inside one another, wherever they are.
    lists: usize,
    /// The same where the schema is asked about itself.
    introspection_lists: usize,
    /// Selections inside selections, of fields and fragments alike.
    nesting: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.roots = self.roots.saturating_add(other.roots);
        self.fields = self.fields.saturating_add(other.fields);
        self.depth = self.depth.max(other.depth);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
        self.lists = self.lists.max(other.lists);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
        self.nesting = self.nesting.max(other.nesting);
    }

    /// A field with this selection.
    fn of_field(name: &str, inside: Self) -> Self {
        let asks_schema = matches!(name, "__schema" | "__type");
        let is_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
        let deepest = inside.depth.max(inside.introspection_depth);
        let introspection_depth = match inside.introspection_depth {
            _ if asks_schema => deepest + 1,
            0 => 0,
            depth => depth + 1,
        };
        Self {
            roots: 1,
            fields: inside.fields.saturating_add(1),
            depth: if asks_schema { 1 } else { inside.depth + 1 },
            introspection_depth,
            lists: inside.lists + usize::from(is_list),
            introspection_lists: if asks_schema { inside.lists } else { inside.introspection_lists },
            nesting: inside.nesting + 1,
        }
    }
}

enum Fragment<'a> {
    Unread(&'a FragmentDefinition),
    /// It is being read further up: it is a part of itself.
    InProgress,
    Read(Size),
}

struct Count<'a> {
    limits: &'a Limits,
    fragments: HashMap<&'a str, Fragment<'a>>,
    aliases: usize,
    directives: usize,
}

impl<'a> Count<'a> {
    fn selections(&mut self, selections: &'a [Selection]) -> Result<Size, Faults> {
        let mut size = Size::default();
        for selection in selections {
            size.add(match selection {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.alias.is_some());
                    at_most("A document has", self.aliases, MAX_ALIASES, "aliases")?;
                    self.directives(&field.directives)?;
                    Size::of_field(&field.name, self.selections(&field.selection_set)?)
                }
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives)?;
                    let inside = self.selections(&fragment.selection_set)?;
                    Size { nesting: inside.nesting + 1, ..inside }
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives)?;
                    let inside = self.fragment(&spread.fragment_name)?;
                    Size { nesting: inside.nesting + 1, ..inside }
                }
            });
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &str) -> Result<Size, Faults> {
        let Some(state) = self.fragments.get_mut(name) else { return Ok(Size::default()) };
        let fragment = match state {
            Fragment::Read(size) => return Ok(*size),
            Fragment::InProgress => return Ok(Size::default()),
            Fragment::Unread(fragment) => *fragment,
        };
        *state = Fragment::InProgress;
        self.directives(&fragment.directives)?;
        let size = self.selections(&fragment.selection_set)?;
        self.fragments.insert(&fragment.name, Fragment::Read(size));
        Ok(size)
    }

    fn directives(&mut self, directives: &DirectiveList) -> Result<(), Faults> {
        self.directives += directives.len();
        at_most("One place has", directives.len(), MAX_DIRECTIVES_PER_PLACE, "directives")?;
        at_most("A document has", self.directives, MAX_DIRECTIVES, "directives")
    }

    fn check_operation(&self, kind: OperationType, size: &Size) -> Result<(), Faults> {
        if kind == OperationType::Mutation {
            at_most("An operation has", size.roots, MAX_MUTATIONS, "mutations")?;
        }
        at_most("An operation has", size.roots, MAX_ROOT_FIELDS, "fields at its root")?;
        at_most("Fields nest", size.depth, self.limits.depth, "deep")?;
        at_most("Fields of introspection nest", size.introspection_depth, MAX_INTROSPECTION_DEPTH, "deep")?;
        at_most("Lists of introspection nest", size.introspection_lists, MAX_INTROSPECTION_LISTS, "deep")?;
        at_most("Selections nest", size.nesting, MAX_NESTING, "deep")
    }
}

fn at_most<N: Copy + PartialOrd + std::fmt::Display>(who: &str, count: N, most: N, what: &str) -> Result<(), Faults> {
    if count > most { Err(fault(Code::LimitExceeded, format!("{who} at most {most} {what}."))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn size(text: &str) -> Size {
        let document = Document::parse(text, "").unwrap();
        let limits = Limits::default();
        let mut count = Count { limits: &limits, fragments: HashMap::new(), aliases: 0, directives: 0 };
        let mut size = Size::default();
        for definition in &document.definitions {
            if let Definition::FragmentDefinition(fragment) = definition {
                count.fragments.insert(fragment.name.as_str(), Fragment::Unread(fragment));
            }
        }
        for definition in &document.definitions {
            if let Definition::OperationDefinition(operation) = definition {
                size.add(count.selections(&operation.selection_set).unwrap());
            }
        }
        size
    }

    #[test]
    fn fields_are_counted_where_fragments_put_them() {
        let one = size("{ a { ...F ... on X { c } ...F } b } fragment F on X { d { e } f }");
        assert_eq!((one.roots, one.fields, one.depth, one.nesting), (2, 9, 3, 4));
        let root = size("mutation { ...F ...F } fragment F on M { a b }");
        assert_eq!((root.roots, root.fields, root.depth), (4, 4, 1));
    }

    #[test]
    fn introspection_is_counted_apart() {
        let both = size("{ a { b { c } } __schema { types { name } } __type(name: \"X\") { name } __typename }");
        assert_eq!((both.depth, both.introspection_depth, both.fields), (3, 3, 9));
    }

    /// However the lists are spread over fragments, and in whatever order those are read.
    #[test]
    fn lists_of_introspection_are_counted_through_fragments() {
        let plain = size("{ __schema { types { fields { type { interfaces { possibleTypes { name } } } } } } }");
        assert_eq!(plain.introspection_lists, 3);
        let text = "{ __schema { queryType { ...C } types { ...B } directives { args { type { ...A } } } } \
                    a: __schema { types { ...A } } } \
                    fragment A on __Type { fields { type { ...B } } } \
                    fragment B on __Type { interfaces { ...C } } \
                    fragment C on __Type { possibleTypes { name } }";
        assert_eq!(size(text).introspection_lists, 3);
        assert_eq!(size("{ fields { interfaces { possibleTypes { x } } } }").introspection_lists, 0);
    }

    #[test]
    fn what_is_not_valid_ends_and_counts_as_nothing() {
        let cycle = size("{ ...A } fragment A on X { a ...B } fragment B on X { b ...A }");
        assert_eq!(cycle.fields, 2);
        assert_eq!(size("{ ...Nowhere }").fields, 0);
    }

    #[test]
    fn a_million_million_fields_are_counted_at_once() {
        let mut text = "{ ...F0 }".to_owned();
        for number in 0..40 {
            let next = number + 1;
            write!(text, "fragment F{number} on Query {{ ...F{next} ...F{next} ...F{next} }}").unwrap();
        }
        text += "fragment F40 on Query { __typename }";
        let document = Document::parse(text.as_str(), "").unwrap();
        let faults = check(&document, &Limits::default()).unwrap_err();
        assert!(faults[0].message.contains("at most"), "{faults:?}");
        assert_eq!(size(&text).fields, 3_u64.pow(40));
    }
}
