//! How large the schema's answer about itself would be. The schema never changes, so the size is known before anything
//! is executed, whatever the variables are.
//!
//! The library resolves introspection without a pause and without a bound, so what is large has to be refused in
//! advance. The size of one selection on one type is worked out once, however often a query comes back to it.

use std::collections::HashMap;
use std::ptr;

use apollo_compiler::Schema;
use apollo_compiler::ast::{DirectiveDefinition, EnumValueDefinition, FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::collections::HashMap as CompilerMap;
use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::{ExtendedType, Implementers, Name};
use apollo_compiler::{Node, executable};

/// What each field of an answer costs besides its key and its text, in bytes: more than its JSON needs, because it takes
/// time to resolve and memory until it is encoded.
pub const FIELD_SIZE: u64 = 32;

/// The types that implement each interface.
pub type ImplementersMap = CompilerMap<Name, Implementers>;

/// Returns the size, in bytes, of what an operation asks the schema about itself; 0 when it asks for nothing. Deprecated
/// members are counted whether they are asked for or not.
pub fn size(
    schema: &Schema,
    implementers: &ImplementersMap,
    document: &ExecutableDocument,
    operation: &Operation,
) -> u64 {
    let mut sizes = Sizes { schema, implementers, document, known: HashMap::new() };
    sizes.root(&operation.selection_set)
}

/// Something of a schema that introspection tells about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Schema,
    Type(&'a ExtendedType),
    /// A list type or a non-null type. `nullable` once its outermost `!` was taken off.
    Wrapped {
        kind: &'a Type,
        nullable: bool,
    },
    Field(&'a FieldDefinition),
    Input(&'a InputValueDefinition),
    EnumValue(&'a EnumValueDefinition),
    Directive(&'a DirectiveDefinition),
}

struct Sizes<'a> {
    schema: &'a Schema,
    implementers: &'a ImplementersMap,
    document: &'a ExecutableDocument,
    /// Sizes of selections on named types, by the addresses of both.
    known: HashMap<(usize, usize), u64>,
}

impl<'a> Sizes<'a> {
    /// The size of what the root of an operation asks the schema.
    fn root(&mut self, set: &'a SelectionSet) -> u64 {
        sum(set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => match field.name.as_str() {
                "__schema" => self.set(&field.selection_set, Subject::Schema),
                "__type" => self.type_by_name(field),
                _ => 0,
            },
            Selection::InlineFragment(fragment) => self.root(&fragment.selection_set),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.fragment_name);
                fragment.map_or(0, |fragment| self.root(&fragment.selection_set))
            }
        }))
    }

    /// The size of a type by its name; of the largest one where a variable names it.
    fn type_by_name(&mut self, field: &'a Field) -> u64 {
        let set = &field.selection_set;
        match field.specified_argument_by_name("name").map(|name| &**name) {
            Some(executable::Value::String(name)) => {
                let found = self.schema.types.get(name.as_str());
                found.map_or(0, |found| self.set(set, Subject::Type(found)))
            }
            _ => self.schema.types.values().map(|one| self.set(set, Subject::Type(one))).max().unwrap_or(0),
        }
    }

    fn set(&mut self, set: &'a SelectionSet, subject: Subject<'a>) -> u64 {
        let Subject::Type(named) = subject else { return self.selections(set, subject) };
        let key = (ptr::from_ref(set).addr(), ptr::from_ref(named).addr());
        if let Some(size) = self.known.get(&key) {
            return *size;
        }
        let size = self.selections(set, subject);
        self.known.insert(key, size);
        size
    }

    fn selections(&mut self, set: &'a SelectionSet, subject: Subject<'a>) -> u64 {
        sum(set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => {
                let own = FIELD_SIZE + length(field.response_key());
                own.saturating_add(self.field(field, subject))
            }
            Selection::InlineFragment(fragment) => self.set(&fragment.selection_set, subject),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.fragment_name);
                fragment.map_or(0, |fragment| self.set(&fragment.selection_set, subject))
            }
        }))
    }

    fn field(&mut self, field: &'a Field, subject: Subject<'a>) -> u64 {
        let set = &field.selection_set;
        match (subject, field.name.as_str()) {
            (Subject::Schema, _) => self.schema_field(field),
            (Subject::Type(named), "fields" | "interfaces" | "possibleTypes" | "enumValues" | "inputFields") => {
                self.members(set, named, &field.name)
            }
            (Subject::Wrapped { kind, nullable }, "ofType") => match kind {
                Type::NonNullList(_) if !nullable => self.set(set, Subject::Wrapped { kind, nullable: true }),
                Type::NonNullList(inner) | Type::List(inner) => self.kind(set, inner),
                Type::NonNullNamed(name) | Type::Named(name) => self.named(set, name),
            },
            (Subject::Field(FieldDefinition { ty, .. }), "type") => self.kind(set, ty),
            (Subject::Input(input), "type") => self.kind(set, &input.ty),
            (
                Subject::Field(FieldDefinition { arguments, .. })
                | Subject::Directive(DirectiveDefinition { arguments, .. }),
                "args",
            ) => self.inputs(set, arguments),
            (Subject::Directive(directive), "locations") => {
                directive.locations.iter().map(|location| length(location.name())).sum()
            }
            (Subject::Input(input), "defaultValue") => {
                input.default_value.as_ref().map_or(0, |value| length(&value.to_string()))
            }
            (_, "name" | "description") => text(subject, &field.name),
            _ => 0,
        }
    }

    fn schema_field(&mut self, field: &'a Field) -> u64 {
        let (set, schema) = (&field.selection_set, self.schema);
        let roots = &schema.schema_definition;
        let root = match field.name.as_str() {
            "types" => return sum(schema.types.values().map(|one| self.set(set, Subject::Type(one)))),
            "directives" => {
                let all = schema.directive_definitions.values();
                return sum(all.map(|one| self.set(set, Subject::Directive(one))));
            }
            "queryType" => &roots.query,
            "mutationType" => &roots.mutation,
            "subscriptionType" => &roots.subscription,
            _ => return 0,
        };
        root.as_ref().map_or(0, |name| self.named(set, name))
    }

    /// The size of the list of what a named type has.
    fn members(&mut self, set: &'a SelectionSet, named: &'a ExtendedType, list: &str) -> u64 {
        match (named, list) {
            (ExtendedType::Object(object), "fields") => {
                sum(object.fields.values().map(|one| self.set(set, Subject::Field(one))))
            }
            (ExtendedType::Interface(interface), "fields") => {
                sum(interface.fields.values().map(|one| self.set(set, Subject::Field(one))))
            }
            (ExtendedType::Object(object), "interfaces") => {
                sum(object.implements_interfaces.iter().map(|name| self.named(set, name)))
            }
            (ExtendedType::Interface(interface), "possibleTypes") => {
                let all = self.implementers.get(&interface.name);
                sum(all.into_iter().flat_map(|all| &all.objects).map(|name| self.named(set, name)))
            }
            (ExtendedType::Union(union), "possibleTypes") => {
                sum(union.members.iter().map(|name| self.named(set, name)))
            }
            (ExtendedType::Enum(values), "enumValues") => {
                sum(values.values.values().map(|one| self.set(set, Subject::EnumValue(one))))
            }
            (ExtendedType::InputObject(object), "inputFields") => {
                sum(object.fields.values().map(|one| self.set(set, Subject::Input(one))))
            }
            _ => 0,
        }
    }

    fn inputs(&mut self, set: &'a SelectionSet, inputs: &'a [Node<InputValueDefinition>]) -> u64 {
        sum(inputs.iter().map(|one| self.set(set, Subject::Input(one))))
    }

    fn kind(&mut self, set: &'a SelectionSet, kind: &'a Type) -> u64 {
        match kind {
            Type::Named(name) => self.named(set, name),
            kind => self.set(set, Subject::Wrapped { kind, nullable: false }),
        }
    }

    fn named(&mut self, set: &'a SelectionSet, name: &str) -> u64 {
        self.schema.types.get(name).map_or(0, |named| self.set(set, Subject::Type(named)))
    }
}

/// The length of a name or a description.
fn text(subject: Subject<'_>, field: &str) -> u64 {
    let (name, description) = match subject {
        Subject::Schema | Subject::Wrapped { .. } => return 0,
        Subject::Type(named) => (named.name(), named.description()),
        Subject::Field(field) => (&field.name, field.description.as_ref()),
        Subject::Input(input) => (&input.name, input.description.as_ref()),
        Subject::EnumValue(value) => (&value.value, value.description.as_ref()),
        Subject::Directive(directive) => (&directive.name, directive.description.as_ref()),
    };
    if field == "name" { length(name) } else { description.map_or(0, |text| length(text)) }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use async_graphql::Request;
    use serde_json::json;

    use super::super::limits::MAX_INTROSPECTION_SIZE;
    use super::super::{Documents, Limits};
    use crate::graphql::{ApiSchema, builder};

    static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new(Limits::default()).unwrap());
    static LIBRARY: LazyLock<ApiSchema> = LazyLock::new(|| builder().finish());

    const GRAPHQL_JS: &str = include_str!("../../../tests/corpus/introspection.graphql");

    fn size(text: &str) -> u64 {
        let schema = &DOCUMENTS.schema;
        let document = apollo_compiler::ExecutableDocument::parse_and_validate(schema, text, "").unwrap();
        super::size(schema, &DOCUMENTS.implementers, &document, document.operations.iter().next().unwrap())
    }

    /// The answer as JSON.
    async fn answer(text: &str) -> String {
        let response = LIBRARY.execute(Request::new(text)).await;
        assert!(response.errors.is_empty(), "{text}: {:?}", response.errors);
        json!(response.data).to_string()
    }

    #[tokio::test]
    async fn no_answer_is_larger_than_was_expected() {
        let pages = "{ __type(name: \"Node\") { possibleTypes { name interfaces { name fields { name } } } } }";
        let inputs = "{ a: __type(name: \"AdjustStockInput\") { inputFields { type { ofType { ofType { inputFields { \
                      name description type { kind enumValues { name description } } defaultValue } } } } } }";
        let twice = "{ __schema { types { ...F ...F } } } fragment F on __Type { name kind d: description }";
        for text in [GRAPHQL_JS, pages, &format!("{inputs} }}"), twice, "{ __schema { directives { locations } } }"] {
            let (expected, length) = (size(text), u64::try_from(answer(text).await.len()).unwrap());
            assert!(length <= expected && expected <= 8 * length, "{length} of {expected} bytes: {text}");
        }
        assert_eq!(size("{ products { nodes { id } } }"), 0);
    }

    #[tokio::test]
    async fn a_type_named_by_a_variable_is_as_large_as_the_largest() {
        let inside = "{ fields { name description args { name description } } enumValues { name } }";
        let any = size(&format!("query($n: String!) {{ __type(name: $n) {inside} }}"));
        for name in ["Query", "Mutation", "Product", "UserErrorCode", "Long"] {
            let one = size(&format!("{{ __type(name: \"{name}\") {inside} }}"));
            assert!(one <= any, "{name}: {one} of {any}");
        }
    }

    #[test]
    fn what_grows_in_every_direction_is_refused_at_once() {
        let names = "name ".repeat(1_800);
        let described = "description ".repeat(200);
        let fields =
            format!("fields {{ type {{ ofType {{ enumValues {{ {described} }} fields {{ {described} }} }} }} }}");
        for text in [
            format!("{{ __schema {{ types {{ {fields} }} }} }}"),
            format!("{{ __schema {{ types {{ fields {{ type {{ {names} }} }} }} }} }}"),
            format!("{{ __schema {{ types {{ fields {{ type {{ ...F }} }} }} }} }} fragment F on __Type {{ {names} }}"),
        ] {
            let expected = size(&text);
            assert!(expected > MAX_INTROSPECTION_SIZE, "{expected}: {text}");
            let faults = DOCUMENTS.read(&text).unwrap_err();
            assert!(faults[0].message.contains("at most"), "{faults:?}");
        }
        assert!(DOCUMENTS.read(GRAPHQL_JS).is_ok());
        assert!(size(GRAPHQL_JS) < MAX_INTROSPECTION_SIZE / 2, "{} bytes", size(GRAPHQL_JS));
    }
}
