//! What clients hand in to name things: ids, lists of ids, idempotency keys.

use std::str::FromStr;

use async_graphql::{ID, InputType};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use domain::actor::Actor;
use domain::id::IdError;
use domain::payment::KeyId;
use domain::text::MAX_KEY_LENGTH;
use domain::world::idempotency::Key;

use super::{Code, Viewer};

/// Most ids in one list.
pub const MAX_IDS: usize = 100;

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
    viewer: &Viewer,
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
    // Input objects write their fields in the order of the schema, so equal inputs make equal texts.
    let digest = Sha256::digest(input.to_value().to_string());
    let fingerprint = URL_SAFE_NO_PAD.encode(digest);
    let scope = match &viewer.actor {
        Actor::Guest => format!("guest:{}", thing.map_or("", |id| id.as_str())),
        actor => format!("subject:{}", actor.log_name()),
    };
    let id = KeyId { scope, key: key.clone() };
    Ok(Some(Key { id, mutation, fingerprint }))
}
