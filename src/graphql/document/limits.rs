//! How much one document may ask for: the bounds of `config`, and those of introspection. Nothing is counted here.

use crate::graphql::Viewer;

/// The limits in force.
pub use crate::config::DocumentLimits as Limits;
pub use crate::config::documents::*;

pub use super::introspection::FIELD_SIZE;

/// Maximum nesting of lists in introspection: `fields`, `interfaces`, `possibleTypes` and `inputFields`, as graphql-js counts
/// them.
pub const MAX_INTROSPECTION_LISTS: usize = 2;
/// Maximum size of the answer of an introspection, in bytes, when each field counts [`FIELD_SIZE`] besides its key and its
/// text.
pub const MAX_INTROSPECTION_SIZE: u64 = 2 * 1_024 * 1_024;

impl Limits {
    /// Returns the maximum cost of one operation of this viewer.
    #[must_use]
    pub const fn budget(&self, viewer: &Viewer) -> u64 {
        if viewer.actor.is_staff() { self.cost_for_staff } else { self.cost_for_shoppers }
    }
}
