//! The log of stock transactions, in pages.

use entity::stock_transaction::{self, Column};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, Expr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityName, EntityTrait, FromQueryResult, IdenStatic, Iterable, Order,
    QueryFilter, QuerySelect, QueryTrait, Select,
};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use domain::Time;
use domain::id::{OrderId, ProductId, StockTransactionId};
use domain::stock::Action;
use domain::transaction::{Reason, StockTransaction};

use super::log_range::{BY_KIND, BY_PRODUCT, BY_TIME, Ends, KEY};
use super::page::{MAX_LOOKED_AT, Page, PageRequest, moment, page_up_to, read_limit};
use crate::database::ranges::{Values, of_each};
use crate::database::rows;

use super::Store;

/// Which rows are wanted; `None` wants all.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of any of these products.
    pub products: Option<Vec<ProductId>>,
    /// Caused by this order.
    pub order: Option<OrderId>,
    /// Any of these.
    pub actions: Option<Vec<Action>>,
    /// Any of these.
    pub reasons: Option<Vec<Reason>>,
    /// At this moment or later.
    pub since: Option<Time>,
    /// At this moment or earlier.
    pub until: Option<Time>,
}

/// A place in the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogCursor(#[serde(deserialize_with = "moment")] pub(super) Time, pub(super) ProductId, pub(super) i32);

impl LogCursor {
    /// The place of this row.
    #[must_use]
    pub const fn of(row: &StockTransaction) -> Self {
        Self(row.created_at, row.product, row.sequence)
    }
}

impl Store {
    /// These rows, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transactions(&self, ids: &[StockTransactionId]) -> Result<Vec<StockTransaction>, Error> {
        let found = self.rows_by::<stock_transaction::Entity>(Column::Id, ids.iter().map(|id| id.0)).await?;
        Ok(found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?)
    }

    /// Rows, newest first. A page of some products that is filtered by action or reason ends early when many rows were
    /// looked through.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transaction_page(
        &self,
        filter: &LogFilter,
        request: &PageRequest<LogCursor>,
    ) -> Result<Page<StockTransaction, LogCursor>, Error> {
        let ends = Ends::of(filter, request);
        let has_kinds = filter.actions.is_some() || filter.reasons.is_some();
        let (found, bounded) = match (filter.order, products(filter)) {
            (Some(order), _) => (Some(of_order(order, filter, &ends)), None),
            (None, None) if has_kinds => (self.by_kind(filter, &ends, request), None),
            (None, None) => (Some(first_rows(ends.select_by(BY_TIME, &[], &direction(request)), request)), None),
            (None, Some(products)) if has_kinds => {
                (self.by_product_and_kind(&products, filter, &ends, request), Some(products))
            }
            (None, Some(products)) => (self.by_product(&products, &ends, request), None),
        };
        let rows = match found {
            Some(found) => self.log_rows(found, request).await?,
            None => Vec::new(),
        };
        // After the rows: what is added in between moves the place towards them, and never beyond what was looked at.
        let place = match bounded {
            Some(products) => self.last_looked_at(&products, &ends, request).await?,
            None => None,
        };
        Ok(page_up_to(rows, request, place, LogCursor::of))
    }

    /// The first of these rows, in the order of the page.
    async fn log_rows(
        &self,
        found: SelectStatement,
        request: &PageRequest<LogCursor>,
    ) -> Result<Vec<StockTransaction>, Error> {
        let table = stock_transaction::Entity.table_name();
        let mut query = Query::select();
        query.columns(Column::iter()).from_subquery(found, table).limit(read_limit(request));
        for column in KEY {
            query.order_by(column, direction(request));
        }
        let statement = self.db.get_database_backend().build(&query);
        let found = stock_transaction::Model::find_by_statement(statement).all(&self.db).await?;
        Ok(found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?)
    }

    /// The first rows of each action and reason.
    fn by_kind(&self, filter: &LogFilter, ends: &Ends, request: &PageRequest<LogCursor>) -> Option<SelectStatement> {
        let actions = filter.actions.as_deref().unwrap_or(Action::ALL);
        let reasons = filter.reasons.as_deref().unwrap_or(Reason::ALL);
        let actions = Values::codes(actions.iter().map(|action| action.as_str()));
        let reasons = Values::codes(reasons.iter().map(|reason| reason.as_str()));
        self.of_each(&[actions, reasons], |kind| {
            first_rows(ends.select_by(BY_KIND, kind, &direction(request)), request)
        })
    }

    /// The first rows of each product.
    fn by_product(&self, products: &[Uuid], ends: &Ends, request: &PageRequest<LogCursor>) -> Option<SelectStatement> {
        self.of_each(&[Values::Ids(products.to_vec())], |product| {
            first_rows(ends.select_by(BY_PRODUCT, product, &direction(request)), request)
        })
    }

    /// The first rows of each product that have an action and a reason that are wanted, among those that may be looked at.
    fn by_product_and_kind(
        &self,
        products: &[Uuid],
        filter: &LogFilter,
        ends: &Ends,
        request: &PageRequest<LogCursor>,
    ) -> Option<SelectStatement> {
        self.of_each(&[Values::Ids(products.to_vec())], |product| {
            let looked_at = ends.select_by(BY_PRODUCT, product, &direction(request)).limit(share(products));
            let table = stock_transaction::Entity.table_name();
            let mut query = Query::select();
            query.columns(Column::iter()).from_subquery(looked_at.into_query(), table).cond_where(of_kind(filter));
            BY_PRODUCT.order(&mut query, &direction(request));
            query.limit(read_limit(request)).take()
        })
    }

    /// The row up to which the page looks, when there are more rows than may be looked at: the first of those that are the
    /// last of their product.
    async fn last_looked_at(
        &self,
        products: &[Uuid],
        ends: &Ends,
        request: &PageRequest<LogCursor>,
    ) -> Result<Option<LogCursor>, Error> {
        let last = |product: &[Expr]| {
            let rows = ends.select_by(BY_PRODUCT, product, &direction(request));
            rows.select_only().columns(KEY).limit(1).offset(share(products) - 1).into_query()
        };
        let lists = [Values::Ids(products.to_vec())];
        let Some(query) = of_each(self.db.get_database_backend(), &lists, &KEY, last) else { return Ok(None) };
        let places = self.db.query_all(&query).await?.into_iter().map(|row| {
            let [at, product, sequence] = KEY.map(|column| column.as_str());
            let (at, product) = (row.try_get("", at)?, ProductId(row.try_get("", product)?));
            Ok(LogCursor(at, product, row.try_get("", sequence)?))
        });
        let places = places.collect::<Result<Vec<_>, DbErr>>()?;
        let place = if request.from_end { places.into_iter().min() } else { places.into_iter().max() };
        Ok(place)
    }

    fn of_each(&self, lists: &[Values], range: impl Fn(&[Expr]) -> SelectStatement) -> Option<SelectStatement> {
        let columns: Vec<Column> = Column::iter().collect();
        of_each(self.db.get_database_backend(), lists, &columns, range)
    }
}

/// The direction in which the rows of a page are read.
const fn direction(request: &PageRequest<LogCursor>) -> Order {
    if request.from_end { Order::Asc } else { Order::Desc }
}

fn first_rows(rows: Select<stock_transaction::Entity>, request: &PageRequest<LogCursor>) -> SelectStatement {
    rows.limit(read_limit(request)).into_query()
}

/// The products of a filter, each once.
fn products(filter: &LogFilter) -> Option<Vec<Uuid>> {
    let mut products: Vec<Uuid> = filter.products.as_ref()?.iter().map(|id| id.0).collect();
    products.sort_unstable();
    products.dedup();
    Some(products)
}

/// How many rows of each product may be looked at.
fn share(products: &[Uuid]) -> u64 {
    MAX_LOOKED_AT / u64::try_from(products.len().max(1)).unwrap_or(MAX_LOOKED_AT)
}

/// All rows that an order caused and a filter takes. The limit within, which is none, keeps a database from looking for them
/// by anything but the order.
fn of_order(order: OrderId, filter: &LogFilter, ends: &Ends) -> SelectStatement {
    let caused = stock_transaction::Entity::find().filter(Column::OrderId.eq(order.0)).limit(i64::MAX.unsigned_abs());
    let of_products = products(filter).map(|products| Column::ProductId.is_in(products));
    let mut taken = ends.select().filter(of_kind(filter)).filter(Condition::all().add_option(of_products));
    let table = stock_transaction::Entity.table_name();
    QueryTrait::query(&mut taken).from_clear().from_subquery(caused.into_query(), table);
    taken.into_query()
}

/// The actions and reasons that a filter takes.
fn of_kind(filter: &LogFilter) -> Condition {
    let actions = filter.actions.as_ref();
    let reasons = filter.reasons.as_ref();
    Condition::all()
        .add_option(actions.map(|actions| Column::Action.is_in(actions.iter().map(|action| action.as_str()))))
        .add_option(reasons.map(|reasons| Column::Reason.is_in(reasons.iter().map(|reason| reason.as_str()))))
}

/// The rows that a filter takes.
pub fn filtered(filter: &LogFilter) -> Select<stock_transaction::Entity> {
    let mut query = stock_transaction::Entity::find();
    if let Some(products) = &filter.products {
        query = query.filter(Column::ProductId.is_in(products.iter().map(|id| id.0)));
    }
    if let Some(order) = filter.order {
        query = query.filter(Column::OrderId.eq(order.0));
    }
    query = query.filter(of_kind(filter));
    if let Some(since) = filter.since {
        query = query.filter(Column::CreatedAt.gte(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::CreatedAt.lte(until));
    }
    query
}
