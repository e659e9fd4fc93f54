//! Statements over several ranges of one index: the first rows of each range, together. A database by itself would read
//! everything that any of the ranges has, or another index from its beginning, before it sorts.

use std::collections::BTreeSet;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, IntoIden, JoinType, Query, SelectStatement, UnionType};
use sea_orm::{DbBackend, Value};

/// The alias of one range.
const PART: &str = "part";

/// Values of a column of an index. Callers bound them.
#[derive(Debug, Clone)]
pub enum Values {
    /// Of a column of ids, each once.
    Ids(Vec<Uuid>),
    /// Of a column of codes.
    Codes(Vec<&'static str>),
}

/// The rows of a range for each combination of values; `None` when there is no combination. `range` is given one value for
/// each list and has to order and limit its rows itself; `columns` are taken from what it selects.
pub fn of_each<C: IntoIden + Copy>(
    backend: DbBackend,
    lists: &[Values],
    columns: &[C],
    range: impl Fn(&[Expr]) -> SelectStatement,
) -> Option<SelectStatement> {
    if lists.iter().any(Values::is_empty) {
        return None;
    }
    if backend == DbBackend::Postgres { Some(joined(lists, columns, range)) } else { united(lists, columns, range) }
}

/// One statement, however many values there are.
fn joined<C: IntoIden + Copy>(
    lists: &[Values],
    columns: &[C],
    range: impl Fn(&[Expr]) -> SelectStatement,
) -> SelectStatement {
    let mut query = Query::select();
    query.columns(columns.iter().map(|column| (Alias::new(PART), *column)));
    let mut values = Vec::with_capacity(lists.len());
    for (number, list) in lists.iter().enumerate() {
        let alias = Alias::new(format!("value_{number}"));
        query.from_function(Func::cust("unnest").arg(list.as_array()), alias.clone());
        values.push(Expr::col((alias.clone(), alias)));
    }
    query.join_lateral(JoinType::InnerJoin, range(&values), Alias::new(PART), Expr::val(true));
    query
}

/// One part for each combination of values.
fn united<C: IntoIden + Copy>(
    lists: &[Values],
    columns: &[C],
    range: impl Fn(&[Expr]) -> SelectStatement,
) -> Option<SelectStatement> {
    let parts = lists.iter().fold(vec![Vec::new()], |parts, list| {
        let with = |part: &Vec<Expr>, value: &Expr| part.iter().chain([value]).cloned().collect();
        let values = list.each();
        parts.iter().flat_map(|part| values.iter().map(move |value| with(part, value))).collect()
    });
    let select = |values: Vec<Expr>| {
        Query::select().columns(columns.iter().copied()).from_subquery(range(&values), Alias::new(PART)).take()
    };
    let mut parts = parts.into_iter().map(select);
    let mut query = parts.next()?;
    query.unions(parts.map(|part| (UnionType::All, part)));
    Some(query)
}

impl Values {
    /// Each of these codes once.
    pub fn codes(codes: impl IntoIterator<Item = &'static str>) -> Self {
        Self::Codes(codes.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }

    const fn is_empty(&self) -> bool {
        match self {
            Self::Ids(ids) => ids.is_empty(),
            Self::Codes(codes) => codes.is_empty(),
        }
    }

    fn as_array(&self) -> Expr {
        match self {
            Self::Ids(ids) => Expr::val(ids.clone()).cast_as("uuid[]"),
            Self::Codes(codes) => {
                let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
                Expr::val(codes).cast_as("text[]")
            }
        }
    }

    fn each(&self) -> Vec<Expr> {
        let values: Vec<Value> = match self {
            Self::Ids(ids) => ids.iter().map(|id| Value::from(*id)).collect(),
            Self::Codes(codes) => codes.iter().map(|code| Value::from(*code)).collect(),
        };
        values.into_iter().map(Expr::val).collect()
    }
}
