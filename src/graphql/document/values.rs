//! What the compiler does not check of values: variables inside lists and objects, and fields that are given twice.
//!
//! It goes through a document that is valid otherwise, and says nothing about a variable that is an argument by itself:
//! the compiler does.

use std::collections::HashSet;

use apollo_compiler::executable::{
    Argument, Directive, ExecutableDocument, Operation, Selection, SelectionSet, Type, Value,
};
use apollo_compiler::parser::LineColumn;
use apollo_compiler::schema::{ExtendedType, InputValueDefinition};
use apollo_compiler::{Name, Node, Schema};
use async_graphql::ServerError;

use crate::graphql::Code;

use super::fault::{Faults, located};

/// What is wrong with the values of a document.
pub fn check(schema: &Schema, document: &ExecutableDocument) -> Faults {
    let mut faults = Faults::new();
    for operation in document.operations.iter() {
        let mut visit = Visit { schema, document, operation, seen: HashSet::new(), faults: &mut faults };
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

struct Visit<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
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
                && !matches!(&*argument.value, Value::Variable(_))
            {
                self.value(&argument.value, &definition.ty, definition.default_value.is_some());
            }
        }
    }

    fn value(&mut self, value: &Node<Value>, wanted: &Type, has_default: bool) {
        match &**value {
            Value::Variable(name) => self.variable(value, name, wanted, has_default),
            Value::List(items) => {
                for item in items {
                    self.value(item, wanted.item_type(), false);
                }
            }
            Value::Object(fields) => self.object(value, fields, wanted.inner_named_type()),
            _ => {}
        }
    }

    fn object(&mut self, value: &Node<Value>, fields: &[(Name, Node<Value>)], wanted: &Name) {
        let mut names = HashSet::new();
        for (name, _) in fields {
            if !names.insert(name) {
                let place = name.line_column_range(&self.document.sources).map(|range| range.start);
                let place = place.or_else(|| self.place(value));
                self.faults.push(invalid(format!("The input field `{name}` is given more than once."), place));
            }
        }
        if let Some(ExtendedType::InputObject(object)) = self.schema.types.get(wanted) {
            for (name, value) in fields {
                if let Some(field) = object.fields.get(name) {
                    self.value(value, &field.ty, field.default_value.is_some());
                }
            }
        }
    }

    fn variable(&mut self, value: &Node<Value>, name: &Name, wanted: &Type, has_default: bool) {
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
        value.line_column_range(&self.document.sources).map(|range| range.start)
    }
}

fn invalid(message: String, place: Option<LineColumn>) -> ServerError {
    located(Code::ValidationFailed, message, place)
}
