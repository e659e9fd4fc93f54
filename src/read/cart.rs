//! Carts with their items.

use entity::{cart, cart_item};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QueryResult,
    QuerySelect,
};

use crate::database::error::Error;
use domain::Time;
use domain::cart::{Cart, Status};
use domain::id::CartId;

use super::nested::{decode, rows_as_json};
use crate::database::rows;

use super::Store;

/// The column of a cart's items.
const ITEMS: &str = "items";

impl Store {
    /// These carts, in any order, each with its items as of one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn carts(&self, ids: &[CartId]) -> Result<Vec<Cart>, Error> {
        let of_cart = cart_item::Column::CartId.into_expr().equals((cart::Entity, cart::Column::Id));
        let items = rows_as_json::<cart_item::Entity>(self.db.get_database_backend(), Condition::all().add(of_cart));
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let query = cart::Entity::find().filter(self.among(cart::Column::Id, &ids));
        let found = query.expr_as(items, ITEMS).into_model::<CartParts>().all(&self.db).await?;
        Ok(found.into_iter().map(|CartParts(cart, items)| rows::cart(cart, items)).collect::<Result<_, _>>()?)
    }

    /// Open carts that nobody touched since, those that were left longest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn untouched_carts(&self, since: Time, limit: u64) -> Result<Vec<CartId>, Error> {
        let query = cart::Entity::find()
            .select_only()
            .column(cart::Column::Id)
            .filter(cart::Column::Status.eq(Status::Open.as_str()))
            .filter(cart::Column::UpdatedAt.lt(since))
            .order_by_asc(cart::Column::UpdatedAt)
            .limit(limit);
        Ok(query.into_tuple().all(&self.db).await?.into_iter().map(CartId).collect())
    }
}

/// A cart's row and those of its items.
struct CartParts(cart::Model, Vec<cart_item::Model>);

impl FromQueryResult for CartParts {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self(cart::Model::from_query_result(row, prefix)?, decode(row, ITEMS)?))
    }
}
