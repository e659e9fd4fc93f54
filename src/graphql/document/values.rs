//! What the compiler does not check of values: variables inside lists and objects, fields that are given twice, objects
//! of which exactly one field is given, and the values of some scalars.
//!
//! The library that executes checks none of it either: see where its mode is chosen. What passes here must fit.
//!
//! It goes through a document that is valid otherwise, and says nothing about a variable that is an argument by itself:
//! the compiler does.

use std::collections::HashSet;

use apollo_compiler::executable::{
    Argument, Directive, ExecutableDocument, Operation, Selection, SelectionSet, Type, Value,
};
use apollo_compiler::parser::LineColumn;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::{ExtendedType, InputObjectType, InputValueDefinition};
use apollo_compiler::{Name, Node, Schema};
use async_graphql::{ID, Number, ScalarType, ServerError};

use crate::graphql::Code;
use crate::graphql::scalars::{DateTime, Long};

use super::fault::{Faults, located, place_of};

/// The directive on input objects of which exactly one field is given.
pub const ONE_OF: &str = "oneOf";

/// What is wrong with the values of a document.
pub fn check(schema: &Schema, document: &ExecutableDocument) -> Faults {
    let mut faults = Faults::new();
    for operation in document.operations.iter() {
        let mut visit = Visit { schema, document, operation, given: None, seen: HashSet::new(), faults: &mut faults };
        for variable in &operation.variables {
            visit.directives(&variable.directives);
            if let Some(value) = &variable.default_value {
                visit.value(value, &variable.ty, true);
            }
        }
        visit.directives(&operation.directives);
        visit.selections(&operation.selection_set);
    }
    faults
}

/// Variables that may be null, because a default stands in for them when they are missing, but were given as null where
/// nothing may be null.
pub fn check_nulls(schema: &Schema, document: &ExecutableDocument, operation: &Operation, given: &JsonMap) -> Faults {
    let mut faults = Faults::new();
    if given.values().any(JsonValue::is_null) {
        let seen = HashSet::new();
        let mut visit = Visit { schema, document, operation, given: Some(given), seen, faults: &mut faults };
        visit.directives(&operation.directives);
        visit.selections(&operation.selection_set);
    }
    faults
}

struct Visit<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    /// The values of variables; none while it is about the document itself.
    given: Option<&'a JsonMap>,
    /// Fragments that this operation has been through.
    seen: HashSet<&'a Name>,
    faults: &'a mut Faults,
}

impl<'a> Visit<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.arguments, &field.definition.arguments);
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.seen.insert(&fragment.name)
                    {
                        self.directives(&fragment.directives);
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &[Node<Directive>]) {
        for directive in directives {
            if let Some(definition) = self.schema.directive_definitions.get(&directive.name) {
                self.arguments(&directive.arguments, &definition.arguments);
            }
        }
    }

    fn arguments(&mut self, arguments: &[Node<Argument>], definitions: &[Node<InputValueDefinition>]) {
        for argument in arguments {
            let definition = definitions.iter().find(|definition| definition.name == argument.name);
            if let Some(definition) = definition
                && (self.given.is_some() || !matches!(&*argument.value, Value::Variable(_)))
            {
                self.value(&argument.value, &definition.ty, definition.default_value.is_some());
            }
        }
    }

    fn value(&mut self, value: &Node<Value>, wanted: &Type, has_default: bool) {
        match &**value {
            Value::Variable(name) => self.variable(value, name, wanted, has_default),
            Value::List(items) if wanted.is_list() => {
                for item in items {
                    self.value(item, wanted.item_type(), false);
                }
            }
            Value::Object(fields) => match self.schema.types.get(wanted.inner_named_type()) {
                Some(ExtendedType::InputObject(object)) => self.object(value, fields, object),
                _ => self.scalar(value, wanted.inner_named_type()),
            },
            Value::Null => {}
            _ => self.scalar(value, wanted.inner_named_type()),
        }
    }

    /// The compiler takes any value for our own scalars, and any whole number for an id.
    fn scalar(&mut self, value: &Node<Value>, wanted: &Name) {
        if let Some(takes) = misfit(wanted, &literal(value)) {
            let place = self.place(value);
            self.faults.push(invalid(format!("Expected value of type {wanted}: {takes}."), place));
        }
    }

    fn object(&mut self, value: &Node<Value>, fields: &[(Name, Node<Value>)], wanted: &InputObjectType) {
        let mut names = HashSet::new();
        for (name, _) in fields {
            if !names.insert(name) {
                let place = place_of(name.location(), &self.document.sources);
                let place = place.or_else(|| self.place(value));
                self.faults.push(invalid(format!("The input field `{name}` is given more than once."), place));
            }
        }
        let is_one_of = wanted.directives.has(ONE_OF);
        if is_one_of && (fields.len() != 1 || fields.iter().any(|(_, value)| value.is_null())) {
            let place = self.place(value);
            let message = format!("Exactly one field of {} is given, and it is not null.", wanted.name);
            self.faults.push(invalid(message, place));
        }
        for (name, value) in fields {
            let Some(field) = wanted.fields.get(name) else { continue };
            if is_one_of && self.may_be_null(value) {
                let place = self.place(value);
                let message = format!("The one field of {} takes no variable that may be null.", wanted.name);
                self.faults.push(invalid(message, place));
            } else {
                self.value(value, &field.ty, field.default_value.is_some());
            }
        }
    }

    fn may_be_null(&self, value: &Value) -> bool {
        let Value::Variable(name) = value else { return false };
        let found = self.operation.variables.iter().find(|variable| variable.name == *name);
        found.is_some_and(|variable| !variable.ty.is_non_null())
    }

    fn variable(&mut self, value: &Node<Value>, name: &Name, wanted: &Type, has_default: bool) {
        if let Some(given) = self.given {
            if wanted.is_non_null() && given.get(name.as_str()).is_some_and(JsonValue::is_null) {
                let place = self.place(value);
                self.faults.push(located(Code::BadUserInput, format!("Variable `${name}` is null here."), place));
            }
            return;
        }
        let Some(variable) = self.operation.variables.iter().find(|variable| variable.name == *name) else { return };
        let fills_in = has_default || variable.default_value.as_ref().is_some_and(|value| !value.is_null());
        let nullable = wanted.clone().nullable();
        let wanted_of_it = if fills_in { &nullable } else { wanted };
        if !variable.ty.is_assignable_to(wanted_of_it) {
            let message = format!("Variable `${name}` of type `{}` cannot be used where `{wanted}` is.", variable.ty);
            let place = self.place(value);
            self.faults.push(invalid(message, place));
        }
    }

    fn place(&self, value: &Node<Value>) -> Option<LineColumn> {
        place_of(value.location(), &self.document.sources)
    }
}

/// What a scalar takes, when the library does not take this value for it. Whatever is wanted that is no scalar is somebody
/// else's to check.
pub fn misfit(wanted: &Name, value: &async_graphql::Value) -> Option<&'static str> {
    let (is_valid, takes): (fn(&async_graphql::Value) -> bool, _) = match wanted.as_str() {
        "Long" => (Long::is_valid, Long::TAKES),
        "DateTime" => (DateTime::is_valid, DateTime::TAKES),
        "ID" => (ID::is_valid, "a string or a whole number"),
        "Int" => (i32::is_valid, "a whole number from -2147483648 to 2147483647"),
        _ => return None,
    };
    (!is_valid(value)).then_some(takes)
}

/// A literal as the library reads it; null for what none of these scalars take.
fn literal(value: &Value) -> async_graphql::Value {
    let number = |text: &str| text.parse::<Number>().map_or(async_graphql::Value::Null, async_graphql::Value::Number);
    match value {
        Value::String(text) => async_graphql::Value::String(text.clone()),
        Value::Int(text) => number(text.as_str()),
        Value::Float(text) => number(text.as_str()),
        _ => async_graphql::Value::Null,
    }
}

fn invalid(message: String, place: Option<LineColumn>) -> ServerError {
    located(Code::ValidationFailed, message, place)
}
