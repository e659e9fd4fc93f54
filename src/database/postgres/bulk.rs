//! Adds and updates rows of a table in one statement of one shape, however many rows there are: a parameter per column, an
//! array of the values of all rows. Databases prepare it once.
//!
//! Arrays hold no NULL on their way through the libraries; of a column that may be NULL another array says where it is.

use std::fmt::Write;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, DbErr, EntityTrait, IdenStatic, ModelTrait, Statement, Value};

use crate::faults::Transaction;

/// Adds rows, with these columns.
///
/// # Errors
/// When the database does not answer, or refuses a row.
pub async fn insert<E: EntityTrait>(tx: &Transaction, columns: &[E::Column], rows: &[E::Model]) -> Result<(), DbErr>
where
    E::Model: ModelTrait<Entity = E>,
{
    let arrays = Arrays::of::<E>(columns, rows)?;
    let (table, names) = (E::default().table_name().to_owned(), quoted(columns).join(", "));
    let text = format!("INSERT INTO \"{table}\" ({names}) SELECT {} FROM {}", arrays.values.join(", "), arrays.source);
    arrays.execute(tx, text).await
}

/// Sets these columns of rows that are there, which the `keys` tell apart.
///
/// # Errors
/// As for [`insert`].
pub async fn update<E: EntityTrait>(
    tx: &Transaction,
    keys: &[E::Column],
    columns: &[E::Column],
    rows: &[E::Model],
) -> Result<(), DbErr>
where
    E::Model: ModelTrait<Entity = E>,
{
    let all: Vec<E::Column> = keys.iter().chain(columns).copied().collect();
    let arrays = Arrays::of::<E>(&all, rows)?;
    let table = E::default().table_name().to_owned();
    let names = quoted(&all);
    let (keys, columns) = arrays.values.split_at(keys.len());
    let pairs = |names: &[String], values: &[String], prefix: &str, by: &str| {
        let pairs = names.iter().zip(values).map(|(name, value)| format!("{prefix}{name} = {value}"));
        pairs.collect::<Vec<_>>().join(by)
    };
    let set = pairs(&names[keys.len()..], columns, "", ", ");
    let same = pairs(&names[..keys.len()], keys, "old.", " AND ");
    let text = format!("UPDATE \"{table}\" AS old SET {set} FROM {} WHERE {same}", arrays.source);
    arrays.execute(tx, text).await
}

fn quoted<C: IdenStatic>(columns: &[C]) -> Vec<String> {
    columns.iter().map(|column| format!("\"{}\"", column.as_str())).collect()
}

/// The columns of some rows as parameters.
struct Arrays {
    /// Each column, as an expression over the source.
    values: Vec<String>,
    /// The rows, as a table named `new`.
    source: String,
    parameters: Vec<Value>,
}

impl Arrays {
    fn of<E: EntityTrait>(columns: &[E::Column], rows: &[E::Model]) -> Result<Self, DbErr>
    where
        E::Model: ModelTrait<Entity = E>,
    {
        let (mut values, mut types, mut names) = (Vec::new(), String::new(), String::new());
        let mut parameters = Vec::with_capacity(columns.len());
        let mut add = |array: ArrayType, kind: &str, name: &str, items: Vec<Value>| {
            let (at, comma) = (parameters.len() + 1, if parameters.is_empty() { "" } else { ", " });
            // Writing to a string does not fail.
            let _ = write!(types, "{comma}${at}::{kind}[]");
            let _ = write!(names, "{comma}{name}");
            parameters.push(Value::Array(array, Some(Box::new(items))));
        };
        for column in columns {
            let definition = column.def();
            let (name, kind) = (format!("\"{}\"", column.as_str()), Kind::of(definition.get_column_type())?);
            let found: Vec<Value> = rows.iter().map(|row| row.get(*column)).collect();
            if !definition.is_null() {
                values.push(format!("new.{name}"));
                add(kind.array, kind.name, &name, found);
                continue;
            }
            let is_null = found.iter().map(|value| Value::Bool(Some(!value.is_some()))).collect();
            let nowhere = format!("\"{} is null\"", column.as_str());
            values.push(format!("CASE WHEN new.{nowhere} THEN NULL ELSE new.{name} END"));
            let filled = found.into_iter().map(|value| if value.is_some() { value } else { value.dummy_value() });
            add(kind.array, kind.name, &name, filled.collect());
            add(ArrayType::Bool, "boolean", &nowhere, is_null);
        }
        Ok(Self { values, source: format!("unnest({types}) AS new ({names})"), parameters })
    }

    async fn execute(self, tx: &Transaction, text: String) -> Result<(), DbErr> {
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), text, self.parameters)).await?;
        Ok(())
    }
}

/// What the values of a column are: the library's word and PostgreSQL's.
struct Kind {
    array: ArrayType,
    name: &'static str,
}

impl Kind {
    fn of(column: &ColumnType) -> Result<Self, DbErr> {
        let (array, name) = match column {
            ColumnType::Uuid => (ArrayType::Uuid, "uuid"),
            ColumnType::String(_) | ColumnType::Text => (ArrayType::String, "text"),
            ColumnType::Integer => (ArrayType::Int, "integer"),
            ColumnType::BigInteger => (ArrayType::BigInt, "bigint"),
            ColumnType::Boolean => (ArrayType::Bool, "boolean"),
            ColumnType::TimestampWithTimeZone => (ArrayType::ChronoDateTimeUtc, "timestamptz"),
            other => return Err(DbErr::Custom(format!("columns of the type {other:?} are not written in bulk"))),
        };
        Ok(Self { array, name })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    fn all_have_arrays<E: EntityTrait>() {
        for column in E::Column::iter() {
            let kind = Kind::of(column.def().get_column_type());
            assert!(kind.is_ok(), "{}.{}: {:?}", E::default().table_name(), column.as_str(), kind.err());
        }
    }

    #[test]
    fn every_column_can_be_written() {
        all_have_arrays::<entity::product::Entity>();
        all_have_arrays::<entity::stock::Entity>();
        all_have_arrays::<entity::stock_transaction::Entity>();
        all_have_arrays::<entity::cart::Entity>();
        all_have_arrays::<entity::cart_item::Entity>();
        all_have_arrays::<entity::order::Entity>();
        all_have_arrays::<entity::order_item::Entity>();
        all_have_arrays::<entity::payment::Entity>();
        all_have_arrays::<entity::shipment::Entity>();
        all_have_arrays::<entity::shipment_item::Entity>();
        all_have_arrays::<entity::idempotency_key::Entity>();
        all_have_arrays::<entity::sandbox_charge::Entity>();
    }
}
