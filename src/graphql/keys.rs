//! What clients hand in to name things: ids, lists of ids, idempotency keys.

use std::str::FromStr;

use async_graphql::{Context, ID, InputType, Value};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::app::App;
use domain::actor::Actor;
use domain::id::IdError;
use domain::payment::KeyId;
use domain::text::MAX_KEY_LENGTH;
use domain::world::idempotency::Key;

use super::{Code, Viewer};

/// Most ids in one list.
pub const MAX_IDS: usize = 100;

/// Fields that inputs of release 0.1 did not have yet, with their mutations. They are null unless they are given.
const LATER_FIELDS: [(&str, &str); 2] = [("shipOrder", "items"), ("checkOut", "hold")];

/// An id of the kind that is wanted here.
///
/// # Errors
/// `BAD_ID`, saying what was expected and what came.
pub fn id<I: FromStr<Err = IdError>>(id: &ID) -> async_graphql::Result<I> {
    id.parse().map_err(|error: IdError| Code::BadId.error(error.to_string()))
}

/// Ids of the kind that is wanted here, in the order given.
///
/// # Errors
/// `LIMIT_EXCEEDED` for too many, `BAD_ID`.
pub fn ids<I: FromStr<Err = IdError>>(ids: &[ID]) -> async_graphql::Result<Vec<I>> {
    at_most("ids", ids.len(), MAX_IDS)?;
    ids.iter().map(id).collect()
}

/// A list that something is filtered by. An empty one is as if it were not given, in every filter: that is what front ends
/// send when nothing is chosen.
pub fn any_of<T>(values: Option<Vec<T>>) -> Option<Vec<T>> {
    values.filter(|values| !values.is_empty())
}

/// Refuses a list that is too long.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn at_most(what: &str, count: usize, most: usize) -> async_graphql::Result<()> {
    if count > most {
        return Err(Code::LimitExceeded.error(format!("At most {most} {what} at once.")));
    }
    Ok(())
}

/// Refuses a text that is too long, in characters, or has the one character that no database keeps.
///
/// # Errors
/// `BAD_USER_INPUT`.
pub fn fits(name: &str, text: &str, most: usize) -> async_graphql::Result<()> {
    if text.contains('\0') {
        return Err(Code::BadUserInput.error(format!("`{name}` must not have the character U+0000.")));
    }
    if text.chars().count() > most {
        return Err(Code::BadUserInput.error(format!("`{name}` has at most {most} characters.")));
    }
    Ok(())
}

/// The idempotency key of a mutation, if one came. It is unique to a subject, or for guests to the cart or order that
/// the input names: `thing`.
///
/// # Errors
/// `BAD_USER_INPUT` for a key that is empty, too long, or has control characters.
pub fn idempotency_key<I: InputType>(
    context: &Context<'_>,
    mutation: &'static str,
    key: Option<&String>,
    thing: Option<&ID>,
    input: &I,
) -> async_graphql::Result<Option<Key>> {
    let Some(key) = key else { return Ok(None) };
    let length = key.chars().count();
    if length == 0 || length > MAX_KEY_LENGTH || key.chars().any(char::is_control) {
        let message = format!("An idempotency key has 1 to {MAX_KEY_LENGTH} characters and no control characters.");
        return Err(Code::BadUserInput.error(message));
    }
    let input = input.to_value();
    let (mut fingerprint, mut other) = (fingerprint(&given(&input)), fingerprint(&earlier(mutation, &input)));
    if context.data_unchecked::<App>().is_compatible_with_0_1 {
        // A server of that release may be asked next.
        std::mem::swap(&mut fingerprint, &mut other);
    }
    let other_fingerprint = Some(other);
    let scope = match &Viewer::of(context).actor {
        Actor::Guest => format!("guest:{}", thing.map_or("", |id| id.as_str())),
        actor => format!("subject:{}", actor.log_name()),
    };
    let id = KeyId { scope, key: key.clone() };
    Ok(Some(Key { id, mutation, fingerprint, other_fingerprint }))
}

/// Input objects write their fields in the order of the schema, so equal inputs make equal texts.
fn fingerprint(input: &Value) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(input.to_string()))
}

/// An input without the fields that are absent or null: a field that a later release adds does not change its fingerprint.
fn given(input: &Value) -> Value {
    match input {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| **value != Value::Null);
            Value::Object(fields.map(|(name, value)| (name.clone(), given(value))).collect())
        }
        Value::List(values) => Value::List(values.iter().map(given).collect()),
        value => value.clone(),
    }
}

/// An input as release 0.1 wrote it for its fingerprint: every field that release had, also those that are null.
fn earlier(mutation: &str, input: &Value) -> Value {
    let Value::Object(fields) = input else { return input.clone() };
    let is_later = |name: &str, value: &Value| *value == Value::Null && LATER_FIELDS.contains(&(mutation, name));
    let fields = fields.iter().filter(|(name, value)| !is_later(name, value));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn a_field_that_is_not_given_does_not_change_a_fingerprint() {
        let with = value!({ "orderId": "o", "items": null, "customer": { "name": null, "email": "e" }, "all": [{ "a": null }] });
        let without = value!({ "orderId": "o", "customer": { "email": "e" }, "all": [{}] });
        assert_eq!(fingerprint(&given(&with)), fingerprint(&given(&without)));
        let other = value!({ "orderId": "o", "items": [], "customer": { "email": "e" }, "all": [{}] });
        assert_ne!(fingerprint(&given(&with)), fingerprint(&given(&other)));
    }

    #[test]
    fn the_release_before_wrote_all_its_fields() {
        let input = value!({ "orderId": "o", "items": null, "carrier": null });
        let before = value!({ "orderId": "o", "carrier": null });
        assert_eq!(earlier("shipOrder", &input), before);
        assert_eq!(earlier("cancelOrder", &input), input, "it is a matter of the mutation");
        let items = value!({ "orderId": "o", "items": [], "carrier": null });
        assert_eq!(earlier("shipOrder", &items), items, "what that release could not be asked is another input");
    }
}
