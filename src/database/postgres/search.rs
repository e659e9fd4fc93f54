//! Whether this database has an index of parts of words. It is made where the extension that it needs can be had, and by
//! nobody else.

use sea_orm::{ConnectionTrait, DbErr};

use super::sql;

/// Whether there is an index that finds products by a part of their SKU or name.
///
/// # Errors
/// When the database does not answer.
pub async fn has_search_index(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let statement = "SELECT to_regclass('product_search') IS NOT NULL AS is_there";
    db.query_one_raw(sql(statement, [])).await?.map_or(Ok(false), |row| row.try_get("", "is_there"))
}
