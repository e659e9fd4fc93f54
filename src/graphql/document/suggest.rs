//! Names of the schema that are near to one that it does not have, as graphql-js suggests them. Only where the schema may be
//! explored: elsewhere they would tell of it piece by piece. It never decides what is wrong.

use apollo_compiler::ast::Type;
use apollo_compiler::executable::Operation;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Schema};

/// Most names in one suggestion.
const MAX_NAMES: usize = 5;
/// Longest name that is compared, in bytes. Nobody means one of ours by a longer one.
const MAX_COMPARED: usize = 64;

/// What to add to a sentence about something that the schema does not have, by the compiler's name for the fault and the
/// names that the sentence has in back quotes.
pub fn hint(schema: &Schema, fault: &str, sentence: &str) -> Option<String> {
    let mut quoted = sentence.split('`').skip(1).step_by(2);
    let (first, second) = (quoted.next()?, quoted.next());
    match (fault, second) {
        ("UndefinedField", Some(field)) => in_fragment(schema, first, field)
            .or_else(|| meant(field, fields(schema.types.get(first)?).map(|(name, _)| name))),
        ("UndefinedArgument", Some(place)) => meant(first, arguments(schema, place)?.into_iter()),
        ("UndefinedEnumValue", Some(kind)) => match schema.types.get(kind)? {
            ExtendedType::Enum(known) => meant(first, known.values.keys().map(Name::as_str)),
            _ => None,
        },
        ("UndefinedInputValue", Some(kind)) => match schema.types.get(kind)? {
            ExtendedType::InputObject(known) => meant(first, known.fields.keys().map(Name::as_str)),
            _ => None,
        },
        ("UndefinedDefinition", _) => meant(first, types(schema, ExtendedType::is_input_type)),
        ("UndefinedTypeInNamedFragmentTypeCondition" | "UndefinedTypeInInlineFragmentTypeCondition", _) => {
            meant(first, types(schema, has_fields))
        }
        ("UndefinedDirective", _) => {
            let known = schema.directive_definitions.keys().map(Name::as_str);
            near(first.trim_start_matches('@'), known)
                .map(|names| question(names.iter().map(|name| format!("`@{name}`"))))
        }
        _ => None,
    }
}

/// What to add to a sentence about variables that do not fit, for the first name in them that the schema does not have.
pub fn hint_of_variables(schema: &Schema, operation: &Operation, given: &JsonMap) -> Option<String> {
    let mut variables = operation.variables.iter();
    variables.find_map(|variable| hint_of_value(schema, &variable.ty, given.get(variable.name.as_str())?))
}

fn hint_of_value(schema: &Schema, kind: &Type, value: &JsonValue) -> Option<String> {
    match (value, schema.types.get(kind.inner_named_type())?) {
        (JsonValue::Array(items), _) => items.iter().find_map(|item| hint_of_value(schema, kind.item_type(), item)),
        (JsonValue::Object(given), ExtendedType::InputObject(known)) => {
            given.iter().find_map(|(name, value)| match known.fields.get(name.as_str()) {
                Some(field) => hint_of_value(schema, &field.ty, value),
                None => meant(name.as_str(), known.fields.keys().map(Name::as_str)),
            })
        }
        (JsonValue::String(value), ExtendedType::Enum(known)) if !known.values.contains_key(value.as_str()) => {
            meant(value.as_str(), known.values.keys().map(Name::as_str))
        }
        _ => None,
    }
}

/// A field that an interface does not have, and types that implement it do.
fn in_fragment(schema: &Schema, kind: &str, field: &str) -> Option<String> {
    let ExtendedType::Interface(interface) = schema.types.get(kind)? else { return None };
    let has_it = |known: &&ExtendedType| {
        matches!(known, ExtendedType::Object(object) if object.implements_interfaces.contains(&interface.name))
            && fields(known).any(|(name, _)| name == field)
    };
    let mut names: Vec<&str> = schema.types.values().filter(has_it).map(|known| known.name().as_str()).collect();
    names.sort_unstable();
    names.truncate(MAX_NAMES);
    (!names.is_empty()).then(|| question(names.iter().map(|name| format!("`... on {name}`"))))
}

/// The fields of a type, with their arguments.
fn fields(kind: &ExtendedType) -> Box<dyn Iterator<Item = (&str, Vec<&str>)> + '_> {
    let known = match kind {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(interface) => &interface.fields,
        _ => return Box::new(std::iter::empty()),
    };
    Box::new(
        known.iter().map(|(name, field)| {
            (name.as_str(), field.arguments.iter().map(|argument| argument.name.as_str()).collect())
        }),
    )
}

/// The arguments of what is called `Type.field` or `@directive`.
fn arguments<'a>(schema: &'a Schema, place: &str) -> Option<Vec<&'a str>> {
    if let Some(directive) = place.strip_prefix('@') {
        let known = schema.directive_definitions.get(directive)?;
        return Some(known.arguments.iter().map(|argument| argument.name.as_str()).collect());
    }
    let (kind, field) = place.split_once('.')?;
    fields(schema.types.get(kind)?).find(|(name, _)| *name == field).map(|(_, arguments)| arguments)
}

fn types(schema: &Schema, is_fit: fn(&ExtendedType) -> bool) -> impl Iterator<Item = &str> {
    let known = schema.types.values().filter(move |kind| is_fit(kind));
    known.map(|kind| kind.name().as_str()).filter(|name| !name.starts_with("__"))
}

const fn has_fields(kind: &ExtendedType) -> bool {
    matches!(kind, ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
}

fn meant<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    near(given, known).map(|names| question(names.iter().map(|name| format!("`{name}`"))))
}

/// Those of `known` that are near to `given`, the nearest first: two of five letters may differ.
fn near<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<Vec<&'a str>> {
    if given.len() > MAX_COMPARED {
        return None;
    }
    let plain = given.to_lowercase();
    let most = plain.chars().count() * 2 / 5 + 1;
    let measured = known.map(|name| (strsim::osa_distance(&plain, &name.to_lowercase()), name));
    let mut found: Vec<_> = measured.filter(|(distance, _)| *distance <= most).collect();
    found.sort_unstable();
    found.truncate(MAX_NAMES);
    (!found.is_empty()).then(|| found.into_iter().map(|(_, name)| name).collect())
}

/// One question for all of them.
fn question(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let last = names.pop().unwrap_or_default();
    if names.is_empty() {
        format!("Did you mean {last}?")
    } else {
        format!("Did you mean {} or {last}?", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first_and_few() {
        let names = |given: &str, known: &[&'static str]| near(given, known.iter().copied()).unwrap_or_default();
        assert_eq!(names("avialable", &["available", "allocated", "availability"]), ["available"]);
        assert_eq!(names("SKU", &["slug", "sku"]), ["sku", "slug"]);
        assert_eq!(names("x", &["sku", "stock"]), [""; 0]);
        assert_eq!(names("ab", &["ae", "ac", "ad", "af", "ag", "ah", "abc"]), ["abc", "ac", "ad", "ae", "af"]);
        assert_eq!(names(&"a".repeat(65), &["a"]), [""; 0]);
        assert_eq!(names("\u{1f9f5}", &["sku"]), [""; 0]);
    }
}
