//! Column types that mean the same on every database that we run on.
//!
//! SQLite's STRICT tables accept only its own type names, so the query builder's names are replaced there.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

/// Makes columns for one kind of database. Every column is NOT NULL unless made nullable.
#[derive(Debug, Clone, Copy)]
pub struct Columns(pub DbBackend);

impl Columns {
    fn column(
        self,
        name: &'static str,
        strict: &'static str,
        usual: fn(&mut ColumnDef) -> &mut ColumnDef,
    ) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.0 == DbBackend::Sqlite {
            column.custom(strict);
        } else {
            usual(&mut column);
        }
        column.not_null();
        column
    }

    /// A UUID.
    pub fn uuid(self, name: &'static str) -> ColumnDef {
        self.column(name, "BLOB", ColumnDef::uuid)
    }

    /// Text of any length; lengths are the domain's rule.
    pub fn text(self, name: &'static str) -> ColumnDef {
        self.column(name, "TEXT", ColumnDef::text)
    }

    /// Text that is sorted or compared by its characters' numbers, which is how SQLite compares all text.
    pub fn key_text(self, name: &'static str) -> ColumnDef {
        self.column(name, "TEXT", |column| column.custom(r#"text COLLATE "C""#))
    }

    /// A count.
    pub fn count(self, name: &'static str) -> ColumnDef {
        self.column(name, "INTEGER", ColumnDef::integer)
    }

    /// Minor units of money.
    pub fn amount(self, name: &'static str) -> ColumnDef {
        self.column(name, "INTEGER", ColumnDef::big_integer)
    }

    /// Yes or no.
    pub fn flag(self, name: &'static str) -> ColumnDef {
        self.column(name, "INTEGER", ColumnDef::boolean)
    }

    /// A moment in UTC.
    pub fn time(self, name: &'static str) -> ColumnDef {
        self.column(name, "TEXT", ColumnDef::timestamp_with_time_zone)
    }

    /// A primary key that the database counts up.
    pub fn position(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.0 == DbBackend::Sqlite {
            column.custom("INTEGER").primary_key();
        } else {
            column.big_integer().not_null().auto_increment().primary_key();
        }
        column
    }

    /// A table with these columns.
    pub fn table(self, name: &'static str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
        let mut table = Table::create();
        table.table(name);
        for mut column in columns {
            table.col(&mut column);
        }
        if self.0 == DbBackend::Sqlite {
            table.extra("STRICT");
        }
        table
    }
}

/// The same column, but it may be NULL.
pub fn nullable(mut column: ColumnDef) -> ColumnDef {
    column.null();
    column
}

/// The same column, as the primary key.
pub fn key(mut column: ColumnDef) -> ColumnDef {
    column.primary_key();
    column
}

/// A reference from a column of `table` to the primary key of another.
pub fn reference(
    table: &'static str,
    column: &'static str,
    to: &'static str,
    key: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(to, key).to_owned()
}

/// Makes an index of a table that may be written to meanwhile, outside a transaction: PostgreSQL builds it beside its writers,
/// unless the table is empty. What an interrupted build left over is replaced.
///
/// # Errors
/// When it cannot be made.
pub async fn index_beside_writers(
    db: &impl ConnectionTrait,
    name: &str,
    table: &str,
    columns: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let finds = async |text: String| {
        db.query_one_raw(Statement::from_string(backend, text)).await.map(|row: Option<QueryResult>| row.is_some())
    };
    let create = |how: &str| format!("CREATE INDEX {how} IF NOT EXISTS {name} ON {table} ({columns}) {condition}");
    if backend == DbBackend::Sqlite || !finds(format!("SELECT 1 FROM {table} LIMIT 1")).await? {
        return db.execute_unprepared(&create("")).await.map(drop);
    }
    // It waits for transactions that are open, however long they are.
    db.execute_unprepared("SET lock_timeout = 0").await?;
    if finds(format!("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid")).await? {
        db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
    }
    db.execute_unprepared(&create("CONCURRENTLY")).await?;
    db.execute_unprepared("RESET lock_timeout").await.map(drop)
}
