//! Reads a row that is a JSON object. Texts must be JSON strings: a number loses zeros and digits on its way through JSON, so
//! that a SKU written as a number may be another one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::files::rows::COLUMNS;

use super::reader::{Record, give};

/// Columns that hold text.
const TEXTS: [&str; 5] = ["sku", "name", "price_currency", "slug", "description"];

/// Maximum length of the part of a name that is shown, in characters.
const MAX_SHOWN: usize = 50;

/// Returns the values of the object in a line, or what is wrong with it.
///
/// # Errors
/// A sentence for people.
pub fn fields(line: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(line).map_err(|_| "This is not encoded in UTF-8.".to_owned())?;
    let Fields(fields) = serde_json::from_str(text).map_err(|error| format!("This is not a JSON object: {error}."))?;
    let mut given = Record::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in fields {
        let Some(column) = COLUMNS.into_iter().find(|column| *column == name) else {
            let shown: String = name.chars().take(MAX_SHOWN).collect();
            return Err(format!("There is no column {shown:?}; the columns are {}.", COLUMNS.join(", ")));
        };
        if seen.contains(&column) {
            return Err(format!("{column}: This is there twice."));
        }
        seen.push(column);
        let is_text = TEXTS.contains(&column);
        match value {
            Value::Null => {}
            Value::Text(text) => give(&mut given, column, text.trim()),
            Value::Bare(_) if is_text => {
                return Err(format!("{column}: This is a text: write it in quotation marks, or it may lose digits."));
            }
            // The column says what it takes.
            Value::Bare(text) => give(&mut given, column, &text),
            Value::Other => return Err(format!("{column}: This is not a text nor a number.")),
        }
    }
    Ok(given)
}

/// The fields of an object, in their order, also when one is there twice.
struct Fields(Vec<(String, Value)>);

/// The value of a field.
enum Value {
    Null,
    Text(String),
    /// A number or a flag, as its text: a whole number that a column takes is all digits.
    Bare(String),
    /// A list or an object.
    Other,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(from).map(|value| match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Self::Bare(value.to_string()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Self::Other,
        })
    }
}
