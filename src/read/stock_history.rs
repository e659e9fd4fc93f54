//! The numbers of products at a moment in the past, from the log: the rows say the numbers after each transaction.

use entity::stock_transaction::Column;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{ConnectionTrait, DbErr, IdenStatic, Order, QuerySelect, QueryTrait};

use crate::database::error::Error;
use domain::Time;
use domain::id::ProductId;
use domain::stock::Numbers;

use super::Store;
use super::log_range::{BY_PRODUCT, Ends};

/// Maximum number of products and moments in one statement.
const MAX_MOMENTS: usize = 64;

/// The column that says which of the moments a row answers.
const PLACE: &str = "place";

impl Store {
    /// The numbers of each product at its moment, inclusive. Nothing for a product that had no transaction by then. Each is
    /// one look into an index; a statement has one of few shapes, whatever is asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn numbers_at(&self, moments: &[(ProductId, Time)]) -> Result<Vec<((ProductId, Time), Numbers)>, Error> {
        let mut found = Vec::with_capacity(moments.len());
        for moments in moments.chunks(MAX_MOMENTS) {
            let Some(query) = newest_rows(moments) else { continue };
            for row in self.db.query_all(&query).await? {
                let place = usize::try_from(row.try_get::<i32>("", PLACE)?).unwrap_or(usize::MAX);
                let moment = moments.get(place).ok_or_else(|| DbErr::Type(format!("{place} is no moment")))?;
                let total = row.try_get("", Column::TotalAfter.as_str())?;
                let allocated = row.try_get("", Column::AllocatedAfter.as_str())?;
                found.push((*moment, Numbers { total, allocated }));
            }
        }
        Ok(found)
    }
}

/// The newest row of each product at its moment. The last moment is repeated up to a power of two.
fn newest_rows(moments: &[(ProductId, Time)]) -> Option<SelectStatement> {
    let last = moments.len().checked_sub(1)?;
    let mut parts = (0..moments.len().next_power_of_two()).map(|place| newest_row(place.min(last), moments));
    let mut query = parts.next()?;
    query.unions(parts.map(|part| (UnionType::All, part)));
    Some(query)
}

fn newest_row(place: usize, moments: &[(ProductId, Time)]) -> SelectStatement {
    let (product, time) = moments[place];
    let rows = Ends::until(time).select_by(BY_PRODUCT, &[Expr::val(product.0)], &Order::Desc);
    let newest = rows.select_only().columns([Column::TotalAfter, Column::AllocatedAfter]).limit(1).into_query();
    let place = Expr::val(i32::try_from(place).unwrap_or(i32::MAX)).cast_as("integer");
    Query::select()
        .expr_as(place, PLACE)
        .columns([Column::TotalAfter, Column::AllocatedAfter])
        .from_subquery(newest, Alias::new("newest"))
        .take()
}
