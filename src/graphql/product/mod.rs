//! Products: what the catalogue says.

mod mutations;
mod queries;
mod types;

pub use mutations::ProductMutations;
pub use queries::ProductQueries;
pub use types::{Product, ProductStatus, present, product_of};
