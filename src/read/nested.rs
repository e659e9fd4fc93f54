//! Reads the rows that belong to a row in the statement that reads the row itself, so that both are of one moment on
//! every database. The statement has a column of JSON for each list; it is decoded into the same models as everywhere.

use sea_orm::sea_query::{ColumnType, Condition, Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, Iterable, QueryResult};
use serde::de::DeserializeOwned;

/// An expression whose value is the rows of `E` that meet the condition, as a JSON array. Each row is an array of its
/// columns in the order of the model, which is half as long as an object with names. Rows come in no particular order.
pub fn rows_as_json<E: EntityTrait>(backend: DbBackend, condition: Condition) -> Expr {
    let (list, array) = match backend {
        DbBackend::Postgres => ("json_agg", "json_build_array"),
        _ => ("json_group_array", "json_array"),
    };
    let row = Func::cust(array).args(E::Column::iter().map(|column| value(backend, column)));
    let rows =
        Query::select().expr(Func::cust(list).arg(row)).from(E::default().table_ref()).cond_where(condition).take();
    Expr::from(rows).cast_as("text")
}

/// JSON has no bytes, and those are what SQLite keeps ids in.
fn value<C: ColumnTrait>(backend: DbBackend, column: C) -> Expr {
    let is_bytes = backend == DbBackend::Sqlite && *column.def().get_column_type() == ColumnType::Uuid;
    if is_bytes { Func::cust("hex").arg(column.into_expr()).into() } else { column.into_expr() }
}

/// The rows in a column that was selected as [`rows_as_json`].
///
/// # Errors
/// When it holds no such rows.
pub fn decode<M: DeserializeOwned>(row: &QueryResult, column: &str) -> Result<Vec<M>, DbErr> {
    // PostgreSQL's array of no rows is null.
    let Some(text) = row.try_get::<Option<String>>("", column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|error| DbErr::Type(format!("the rows of {column} could not be read: {error}")))
}
