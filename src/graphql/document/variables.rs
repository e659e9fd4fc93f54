//! The values of variables: not too large, and of the types that the operation says. It changes none of them for execution.

use std::io::{self, Write};

use apollo_compiler::Schema;
use apollo_compiler::executable::{Operation, Type};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::graphql::Code;

use super::Limits;
use super::fault::{Faults, fault, shorten};
use super::suggest;
use super::values::{ONE_OF, misfit};

/// The variables of an operation, with defaults filled in.
///
/// # Errors
/// `LIMIT_EXCEEDED` for too much of them, `BAD_USER_INPUT` for one of the wrong type or a missing one.
pub fn coerce(
    schema: &Valid<Schema>,
    operation: &Operation,
    values: Option<&Map<String, Value>>,
    limits: &Limits,
    suggests: bool,
) -> Result<JsonMap, Faults> {
    let given = match values {
        None => JsonMap::new(),
        Some(values) => {
            if !fits(values, limits.variables_size) {
                let message = format!("Variables have at most {} kB.", limits.variables_size / 1_024);
                return Err(fault(Code::LimitExceeded, message));
            }
            JsonMap::deserialize(values).map_err(|_| fault(Code::BadUserInput, "The variables could not be read."))?
        }
    };
    let misfit = |what: String| {
        let mut message = format!("The variables do not fit: {what}.");
        shorten(&mut message);
        let hint = suggests.then(|| suggest::hint_of_variables(schema, operation, &given)).flatten();
        message.extend(hint.map(|hint| format!(" {hint}")));
        fault(Code::BadUserInput, message)
    };
    let coerced = coerce_variable_values(schema, operation, &given);
    let coerced = coerced.map_err(|error| misfit(error.message().to_string()))?.into_inner();
    for variable in &operation.variables {
        if let Some(value) = coerced.get(variable.name.as_str()) {
            check(schema, &variable.ty, value, &variable.name).map_err(misfit)?;
        }
    }
    Ok(coerced)
}

/// What the compiler does not know: what the library takes for some scalars, and objects of which one field is given.
fn check(schema: &Schema, kind: &Type, value: &JsonValue, path: &str) -> Result<(), String> {
    match (value, schema.types.get(kind.inner_named_type())) {
        (JsonValue::Array(items), _) if kind.is_list() => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(at, item)| check(schema, kind.item_type(), item, &format!("{path}.{at}")))
        }
        (JsonValue::Object(given), Some(ExtendedType::InputObject(object))) => {
            if object.directives.has(ONE_OF) && (given.len() != 1 || given.values().any(JsonValue::is_null)) {
                return Err(format!("`{path}` has exactly one of the fields of {}", object.name));
            }
            given.iter().try_for_each(|(name, value)| match object.fields.get(name.as_str()) {
                Some(field) => check(schema, &field.ty, value, &format!("{path}.{}", name.as_str())),
                None => Ok(()),
            })
        }
        (JsonValue::Null, _) | (_, None) => Ok(()),
        (_, Some(scalar)) => {
            let given = async_graphql::to_value(value).unwrap_or_default();
            match misfit(scalar.name(), &given) {
                None => Ok(()),
                Some(takes) => Err(format!("`{path}` is no {}: {takes}", scalar.name())),
            }
        }
    }
}

/// Whether a value is at most so many bytes of JSON.
fn fits(values: &Map<String, Value>, most: usize) -> bool {
    serde_json::to_writer(Room { left: most }, values).is_ok()
}

/// Takes so many bytes, and forgets them.
struct Room {
    left: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
