//! Reads stock records.

use entity::stock;

use crate::database::error::Error;
use crate::database::rows;
use domain::id::ProductId;
use domain::stock::Stock;

use super::Store;

impl Store {
    /// The stock records of these products, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stocks(&self, ids: &[ProductId]) -> Result<Vec<Stock>, Error> {
        let found = self.rows_by::<stock::Entity>(stock::Column::ProductId, ids.iter().map(|id| id.0)).await?;
        Ok(found.iter().map(rows::stock).collect())
    }
}
