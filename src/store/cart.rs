//! Carts with their lines.

use entity::{cart, cart_item};

use crate::domain::cart::Cart;
use crate::domain::id::CartId;
use crate::error::Error;

use super::{Store, rows};

impl Store {
    /// These carts, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn carts(&self, ids: &[CartId]) -> Result<Vec<Cart>, Error> {
        let ids = || ids.iter().map(|id| id.0);
        let carts = self.rows_by::<cart::Entity>(cart::Column::Id, ids()).await?;
        let lines = self.rows_by::<cart_item::Entity>(cart_item::Column::CartId, ids()).await?;
        let mut lines = rows::group(lines, |line| line.cart_id);
        let with_lines = carts.into_iter().map(|row| {
            let lines = lines.remove(&row.id).unwrap_or_default();
            rows::cart(row, lines)
        });
        Ok(with_lines.collect::<Result<_, _>>()?)
    }
}
