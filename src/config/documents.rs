//! How much one document may ask for: what an operator may set, and the bounds beside it that are no settings. Nothing is
//! counted here.

use clap::Args;

use super::limits::limits;

/// Maximum length of a name or a number in a document, in characters. A name is repeated for every row of an answer.
pub const MAX_WORD: usize = 100;
/// Maximum nesting of all kinds of brackets together, and of selections with each fragment put where it is spread.
pub const MAX_NESTING: usize = 64;
/// Maximum number of operations in a document.
pub const MAX_OPERATIONS: usize = 10;
/// Maximum number of fragment definitions in a document.
pub const MAX_FRAGMENTS: usize = 50;
/// Maximum number of variable definitions in a document.
pub const MAX_VARIABLES: usize = 100;
/// Maximum number of aliases in a document, as they are written.
pub const MAX_ALIASES: usize = 30;
/// Maximum number of directives at one place.
pub const MAX_DIRECTIVES_PER_PLACE: usize = 5;
/// Maximum number of directives in a document, as they are written.
pub const MAX_DIRECTIVES: usize = 50;
/// Maximum number of fields in a document, with each fragment put where it is spread.
pub const MAX_FIELDS: u64 = 2_000;
/// Maximum number of fields at the root of an operation.
pub const MAX_ROOT_FIELDS: u64 = 20;
/// Maximum number of mutations in one operation.
pub const MAX_MUTATIONS: u64 = 5;
/// Maximum depth of fields below `__schema` and `__type`: types of lists of types nest deep there.
pub const MAX_INTROSPECTION_DEPTH: usize = 15;
/// The greatest depth that may be set. So deep can be executed without fear for the stack, also without optimisation; half
/// as much again cannot.
pub const MAX_SETTABLE_DEPTH: usize = 16;

limits! {
    /// Limits of a document and its variables.
    #[command(next_help_heading = "Limits of a document")]
    pub struct DocumentLimits {
        /// Maximum length of a document, in characters.
        ///
        /// A longer one is refused: `LIMIT_EXCEEDED`.
        length: usize = 10_000, 100..=100_000, "max-length", "ONHAND_MAX_LENGTH";

        /// Maximum number of tokens in a document.
        ///
        /// A larger one is refused: `LIMIT_EXCEEDED`.
        tokens: usize = 2_000, 50..=20_000, "max-tokens", "ONHAND_MAX_TOKENS";

        /// Maximum size of the variables of a request, as JSON, in bytes.
        ///
        /// Larger ones are refused: `LIMIT_EXCEEDED`.
        variables_size: usize = 32 * 1_024, 1_024..=1_048_576, "max-variables-size", "ONHAND_MAX_VARIABLES_SIZE";

        /// Maximum depth of fields inside fields.
        ///
        /// A deeper document is refused: `LIMIT_EXCEEDED`.
        depth: usize = 10, 3..=MAX_SETTABLE_DEPTH, "max-depth", "ONHAND_MAX_DEPTH";

        /// Maximum cost of an operation of a customer or guest: one for each field, times the rows it is asked for.
        ///
        /// A more expensive one is refused: `LIMIT_EXCEEDED`.
        cost_for_shoppers: u64 = 1_000, 10..=1_000_000, "max-cost", "ONHAND_MAX_COST";

        /// Maximum cost of an operation of staff.
        ///
        /// A more expensive one is refused: `LIMIT_EXCEEDED`.
        cost_for_staff: u64 = 10_000, 10..=1_000_000, "max-cost-staff", "ONHAND_MAX_COST_STAFF";
    }
}
