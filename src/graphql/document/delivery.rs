//! Which mutations must not come without an idempotency key over what may deliver them twice. It executes nothing, and what
//! a key is worth is decided elsewhere.

use apollo_compiler::ast::Type;
use apollo_compiler::executable::{Directive, ExecutableDocument, Field, Operation, Selection, SelectionSet, Value};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};

use crate::graphql::Code;

use super::fault::{Faults, located, place_of};

/// The field of an input that holds the key.
const KEY: &str = "idempotencyKey";
/// The field of an input that says that nothing is to be done, which may be said twice.
const DRY_RUN: &str = "dryRun";

/// How often an operation may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// A plain request: only its sender sends it again.
    Once,
    /// Over a websocket or as events: when the connection is lost, clients send again by themselves what was not answered.
    Repeated,
}

/// The mutations of an operation that take a key and come without one.
pub fn check(schema: &Schema, document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Faults {
    let mut faults = Faults::new();
    if operation.is_mutation() {
        Visit { schema, document, variables, faults: &mut faults }.selections(&operation.selection_set);
    }
    faults
}

struct Visit<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    faults: &'a mut Faults,
}

impl Visit<'_> {
    fn selections(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            if !self.is_included(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => self.field(field),
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn is_included(&self, directives: &[Node<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.specified_argument_by_name("if");
            let holds = condition.and_then(|value| match &**value {
                Value::Boolean(value) => Some(*value),
                Value::Variable(name) => self.variables.get(name.as_str())?.as_bool(),
                _ => None,
            });
            match directive.name.as_str() {
                "skip" => holds != Some(true),
                "include" => holds != Some(false),
                _ => true,
            }
        })
    }

    fn field(&mut self, field: &Node<Field>) {
        let takes_key = |kind: &Type| match self.schema.types.get(kind.inner_named_type()) {
            Some(ExtendedType::InputObject(object)) => object.fields.contains_key(KEY),
            _ => false,
        };
        let mut keyed = field.definition.arguments.iter().filter(|argument| takes_key(&argument.ty));
        if keyed.all(|argument| {
            field
                .specified_argument_by_name(&argument.name)
                .is_some_and(|value| self.has_key(value) || self.is_dry_run(value))
        }) {
            return;
        }
        let message = format!(
            "`{}` needs an `{KEY}` here: clients send again what was not answered when the connection was lost, and the key \
             keeps it from being done twice. Give one, or send it as a plain request.",
            field.name
        );
        let place = place_of(field.location(), &self.document.sources);
        self.faults.push(located(Code::BadUserInput, message, place));
    }

    /// Whether an input asks what would be done, and nothing more.
    fn is_dry_run(&self, input: &Value) -> bool {
        match input {
            Value::Variable(name) => {
                let given = self.variables.get(name.as_str()).and_then(JsonValue::as_object);
                given.and_then(|fields| fields.get(DRY_RUN)) == Some(&JsonValue::Bool(true))
            }
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                *name == DRY_RUN
                    && match &**value {
                        Value::Boolean(value) => *value,
                        Value::Variable(name) => self.variables.get(name.as_str()) == Some(&JsonValue::Bool(true)),
                        _ => false,
                    }
            }),
            _ => false,
        }
    }

    /// Whether an input has a key, by whatever variable it comes.
    fn has_key(&self, input: &Value) -> bool {
        match input {
            Value::Variable(name) => {
                let given = self.variables.get(name.as_str()).and_then(JsonValue::as_object);
                given.and_then(|fields| fields.get(KEY)).is_some_and(|key| !key.is_null())
            }
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                *name == KEY
                    && match &**value {
                        Value::Null => false,
                        Value::Variable(name) => self.variables.get(name.as_str()).is_some_and(|key| !key.is_null()),
                        _ => true,
                    }
            }),
            _ => false,
        }
    }
}
