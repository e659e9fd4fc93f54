//! How much one document may ask for unless set otherwise. Every bound has a name here, and nothing is counted here.

use crate::graphql::Viewer;

/// The bounds in force.
pub use crate::config::DocumentLimits as Limits;

pub use super::introspection::FIELD_SIZE;

/// Longest document, in characters.
pub const MAX_LENGTH: usize = 10_000;
/// Most tokens in a document.
pub const MAX_TOKENS: usize = 2_000;
/// Longest name or number, in characters. A name is repeated for every row of an answer.
pub const MAX_WORD: usize = 100;
/// Deepest nesting of all kinds of brackets together, and of selections when fragments are put in their places.
pub const MAX_NESTING: usize = 64;
/// Largest variables, as JSON, in bytes.
pub const MAX_VARIABLES_SIZE: usize = 32 * 1_024;
/// Most operations in a document.
pub const MAX_OPERATIONS: usize = 10;
/// Most fragment definitions in a document.
pub const MAX_FRAGMENTS: usize = 50;
/// Most variable definitions in a document.
pub const MAX_VARIABLES: usize = 100;
/// Most aliases in a document, as they are written.
pub const MAX_ALIASES: usize = 30;
/// Most directives at one place.
pub const MAX_DIRECTIVES_PER_PLACE: usize = 5;
/// Most directives in a document, as they are written.
pub const MAX_DIRECTIVES: usize = 50;
/// Most fields in a document, when fragments are put in their places.
pub const MAX_FIELDS: u64 = 2_000;
/// Most fields at the root of an operation.
pub const MAX_ROOT_FIELDS: u64 = 20;
/// Most mutations in one operation.
pub const MAX_MUTATIONS: u64 = 5;
/// Fields inside fields.
pub const MAX_DEPTH: usize = 10;
/// Fields inside fields where the schema is asked about itself: types of lists of types nest deep there.
pub const MAX_INTROSPECTION_DEPTH: usize = 15;
/// Lists of introspection inside one another: `fields`, `interfaces`, `possibleTypes` and `inputFields`, as graphql-js counts
/// them.
pub const MAX_INTROSPECTION_LISTS: usize = 2;
/// Largest answer of the schema about itself, in bytes, when each field counts [`FIELD_SIZE`] besides its key and its text.
pub const MAX_INTROSPECTION_SIZE: u64 = 2 * 1_024 * 1_024;
/// The greatest depth that may be set. So deep can be executed without fear for the stack, also without optimisation; half
/// as much again cannot.
pub const DEEPEST: usize = 16;
/// The same where the schema is asked about itself, which takes much less.
pub const DEEPEST_INTROSPECTION: usize = 30;
/// What an operation of a shopper may cost.
pub const MAX_COST_FOR_SHOPPERS: u64 = 1_000;
/// What an operation of staff may cost.
pub const MAX_COST_FOR_STAFF: u64 = 10_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            length: MAX_LENGTH,
            tokens: MAX_TOKENS,
            word: MAX_WORD,
            nesting: MAX_NESTING,
            variables_size: MAX_VARIABLES_SIZE,
            operations: MAX_OPERATIONS,
            fragments: MAX_FRAGMENTS,
            variables: MAX_VARIABLES,
            aliases: MAX_ALIASES,
            directives_per_place: MAX_DIRECTIVES_PER_PLACE,
            directives: MAX_DIRECTIVES,
            fields: MAX_FIELDS,
            root_fields: MAX_ROOT_FIELDS,
            mutations: MAX_MUTATIONS,
            depth: MAX_DEPTH,
            introspection_depth: MAX_INTROSPECTION_DEPTH,
            cost_for_shoppers: MAX_COST_FOR_SHOPPERS,
            cost_for_staff: MAX_COST_FOR_STAFF,
        }
    }
}

impl Limits {
    /// What one operation of this viewer may cost.
    #[must_use]
    pub const fn budget(&self, viewer: &Viewer) -> u64 {
        if viewer.actor.is_staff() { self.cost_for_staff } else { self.cost_for_shoppers }
    }
}
