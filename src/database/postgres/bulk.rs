//! What a batch writes, in one statement: a part for each table, each of one shape however many rows there are, with a
//! parameter per column, an array of the values of all rows. It is prepared once, and costs one round trip.
//!
//! Parts are carried out in no particular order: whoever needs one, because a unique value goes from one row to another,
//! sends what there is in between. Arrays hold no NULL on their way through the libraries; of a column that may be NULL
//! another array says where it is.

use std::fmt::Write;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, DbErr, EntityTrait, IdenStatic, ModelTrait, Statement, Value};

use crate::faults::Transaction;

/// Parts that are sent together.
#[derive(Debug, Default)]
pub struct Together {
    parts: Vec<String>,
    parameters: Vec<Value>,
}

impl Together {
    /// Adds rows, with these columns.
    ///
    /// # Errors
    /// When a column is of a kind that is not written in bulk.
    pub fn insert<E: EntityTrait>(&mut self, columns: &[E::Column], rows: &[E::Model]) -> Result<(), DbErr> {
        let Arrays { values, source } = self.arrays::<E>(columns, rows)?;
        let (table, names) = (E::default().table_name().to_owned(), quoted(columns).join(", "));
        self.parts.push(format!("INSERT INTO \"{table}\" ({names}) SELECT {} FROM {source}", values.join(", ")));
        Ok(())
    }

    /// Sets these columns of rows that are there, which the `keys` tell apart.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub fn update<E: EntityTrait>(
        &mut self,
        keys: &[E::Column],
        columns: &[E::Column],
        rows: &[E::Model],
    ) -> Result<(), DbErr> {
        let all: Vec<E::Column> = keys.iter().chain(columns).copied().collect();
        let Arrays { values, source } = self.arrays::<E>(&all, rows)?;
        let (table, names) = (E::default().table_name().to_owned(), quoted(&all));
        let pairs = |range: std::ops::Range<usize>, prefix: &str, by: &str| {
            let pairs = range.map(|at| format!("{prefix}{} = {}", names[at], values[at]));
            pairs.collect::<Vec<_>>().join(by)
        };
        let (same, set) = (pairs(0..keys.len(), "old.", " AND "), pairs(keys.len()..all.len(), "", ", "));
        self.parts.push(format!("UPDATE \"{table}\" AS old SET {set} FROM {source} WHERE {same}"));
        Ok(())
    }

    /// Adds rows, or sets these columns of those that are there: for rows that nobody has locked, so that they may have gone
    /// since they were read.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub fn put<E: EntityTrait>(
        &mut self,
        keys: &[E::Column],
        columns: &[E::Column],
        rows: &[E::Model],
    ) -> Result<(), DbErr> {
        let all: Vec<E::Column> = keys.iter().chain(columns).copied().collect();
        self.insert::<E>(&all, rows)?;
        let set = quoted(columns).into_iter().map(|name| format!("{name} = EXCLUDED.{name}"));
        if let Some(part) = self.parts.last_mut() {
            let (keys, set) = (quoted(keys).join(", "), set.collect::<Vec<_>>().join(", "));
            // Writing to a string does not fail.
            let _ = write!(part, " ON CONFLICT ({keys}) DO UPDATE SET {set}");
        }
        Ok(())
    }

    /// Writes down what changed, for the other replicas: kind, id and version of each; and the transaction's commit token in
    /// place of an earlier one whose outcome is known. It is in the last statement before COMMIT.
    pub fn record(&mut self, changes: &[(&'static str, Uuid, i32)], token: Uuid, earlier: Option<Uuid>) {
        let kinds: Vec<String> = changes.iter().map(|(kind, ..)| (*kind).to_owned()).collect();
        let ids: Vec<Uuid> = changes.iter().map(|(_, id, _)| *id).collect();
        let versions: Vec<i32> = changes.iter().map(|(.., version)| *version).collect();
        let [kinds, ids, versions] = [kinds.into(), ids.into(), versions.into()].map(|value| self.parameter(value));
        let [token, earlier] = [token.into(), earlier.into()].map(|value| self.parameter(value));
        self.parts.push(format!("DELETE FROM commit_token WHERE token = {earlier}"));
        // The setting is a value of the row so that it is evaluated; the row is not barred.
        self.parts.push(format!(
            "INSERT INTO commit_token (token, is_barred, created_at) \
             SELECT {token}, set_config('statement_timeout', '0', true) <> '0', clock_timestamp()"
        ));
        self.parts.push(format!(
            "INSERT INTO change (kind, id, version) \
             SELECT * FROM unnest({kinds}::text[], {ids}::uuid[], {versions}::integer[])"
        ));
    }

    /// Sends what there is.
    ///
    /// # Errors
    /// When the database does not answer, or refuses a row.
    pub async fn send(&mut self, tx: &Transaction) -> Result<(), DbErr> {
        let Self { mut parts, parameters } = std::mem::take(self);
        let Some(last) = parts.pop() else { return Ok(()) };
        let named = parts.iter().enumerate().map(|(at, part)| format!("part{at} AS ({part})"));
        let with = named.collect::<Vec<_>>().join(", ");
        let text = if with.is_empty() { last } else { format!("WITH {with} {last}") };
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), text, parameters)).await?;
        Ok(())
    }

    /// Takes a parameter and returns how it is referred to.
    fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        format!("${}", self.parameters.len())
    }

    /// Takes the columns of some rows as parameters.
    fn arrays<E: EntityTrait>(&mut self, columns: &[E::Column], rows: &[E::Model]) -> Result<Arrays, DbErr> {
        let (mut values, mut types, mut names) = (Vec::new(), String::new(), String::new());
        let mut add = |array: ArrayType, kind: &str, name: &str, items: Vec<Value>| {
            let comma = if types.is_empty() { "" } else { ", " };
            let parameter = self.parameter(Value::Array(array, Some(Box::new(items))));
            // Writing to a string does not fail.
            let _ = write!(types, "{comma}{parameter}::{kind}[]");
            let _ = write!(names, "{comma}{name}");
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
        Ok(Arrays { values, source: format!("unnest({types}) AS new ({names})") })
    }
}

fn quoted<C: IdenStatic>(columns: &[C]) -> Vec<String> {
    columns.iter().map(|column| format!("\"{}\"", column.as_str())).collect()
}

/// The columns of some rows.
struct Arrays {
    /// Each column, as an expression over the source.
    values: Vec<String>,
    /// The rows, as a table named `new`.
    source: String,
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
        all_have_arrays::<entity::stock_demand::Entity>();
        all_have_arrays::<entity::stock_transaction::Entity>();
        all_have_arrays::<entity::cart::Entity>();
        all_have_arrays::<entity::cart_item::Entity>();
        all_have_arrays::<entity::order::Entity>();
        all_have_arrays::<entity::order_item::Entity>();
        all_have_arrays::<entity::payment::Entity>();
        all_have_arrays::<entity::payment_operation::Entity>();
        all_have_arrays::<entity::sandbox_operation::Entity>();
        all_have_arrays::<entity::shipment::Entity>();
        all_have_arrays::<entity::shipment_item::Entity>();
        all_have_arrays::<entity::idempotency_key::Entity>();
        all_have_arrays::<entity::sandbox_charge::Entity>();
        all_have_arrays::<entity::webhook::Entity>();
        all_have_arrays::<entity::webhook_delivery::Entity>();
    }
}
