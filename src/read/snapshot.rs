//! The whole shop in one snapshot, page by page: what `verify` and `export` read while a server goes on writing.
//!
//! A transaction outside the writer. It only reads.

use std::collections::{BTreeMap, HashMap};

use entity::{
    order, order_item, payment, payment_operation, product, shipment, shipment_item, stock, stock_transaction,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IsolationLevel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, TransactionTrait,
};

use crate::database::bulk::among;
use crate::database::error::Error;
use domain::audit::LogEntry;
use domain::id::{OrderId, OrderItemId, ProductId};
use domain::order::{Order, PaymentStatus};
use domain::payment::Payment;
use domain::payment_operation::PaymentOperation;
use domain::product::Product;
use domain::stock::Stock;
use domain::transaction::StockTransaction;

use crate::database::rows;

use super::allocation::holds_units;

/// Records that are compared at once.
const PAGE: u64 = 500;

/// Rows of the log that are read at once, with everything in them.
const LOG_PAGE: u64 = 5_000;

/// Rows of the log that are compared at once.
const ENTRY_PAGE: u64 = 10_000;

/// A consistent view of everything.
#[derive(Debug)]
pub struct Snapshot(pub(super) DatabaseTransaction);

/// Some orders with everything that belongs to them.
#[derive(Debug, Default)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// Their payments.
    pub payments: HashMap<OrderId, Vec<Payment>>,
    /// The operations on those payments.
    pub operations: HashMap<OrderId, Vec<PaymentOperation>>,
    /// Their rows of the log, by product and `sequence`.
    pub log: HashMap<OrderId, Vec<LogEntry>>,
    /// What their shipments have of each item.
    pub shipped: BTreeMap<OrderItemId, i64>,
}

impl Snapshot {
    /// Begins to read.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::disallowed_methods, reason = "a snapshot that only reads")]
    pub async fn begin(db: &DatabaseConnection) -> Result<Self, Error> {
        // On SQLite every transaction that reads is a snapshot, read-only by its connection.
        let isolation = (db.get_database_backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
        let access = isolation.is_some().then_some(AccessMode::ReadOnly);
        Ok(Self(db.begin_with_config(isolation, access).await?))
    }

    /// How many stock records and log rows there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_counts(&self) -> Result<(u64, u64), Error> {
        let stocks = stock::Entity::find().count(&self.0).await?;
        Ok((stocks, stock_transaction::Entity::find().count(&self.0).await?))
    }

    /// How many orders there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order_count(&self) -> Result<u64, Error> {
        Ok(order::Entity::find().count(&self.0).await?)
    }

    /// The next stock records, by product.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stocks(&self, after: Option<ProductId>) -> Result<Vec<Stock>, Error> {
        let mut query = stock::Entity::find().order_by_asc(stock::Column::ProductId).limit(PAGE);
        if let Some(after) = after {
            query = query.filter(stock::Column::ProductId.gt(after.0));
        }
        Ok(query.all(&self.0).await?.iter().map(rows::stock).collect())
    }

    /// The products from product to product.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn products(&self, (first, last): (ProductId, ProductId)) -> Result<BTreeMap<ProductId, Product>, Error> {
        let query = product::Entity::find().filter(product::Column::Id.between(first.0, last.0));
        let found = query.all(&self.0).await?.into_iter().map(|row| rows::product(row).map(|row| (row.id, row)));
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The SKUs of these products. Callers bound them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn skus(
        &self,
        products: impl IntoIterator<Item = ProductId>,
    ) -> Result<BTreeMap<ProductId, String>, Error> {
        use product::Column;
        let wanted = Column::Id.is_in(products.into_iter().map(|id| id.0));
        let query = product::Entity::find().select_only().columns([Column::Id, Column::Sku]).filter(wanted);
        let found: Vec<(Uuid, String)> = query.into_tuple().all(&self.0).await?;
        Ok(found.into_iter().map(|(id, sku)| (ProductId(id), sku)).collect())
    }

    /// The rows of the whole log that follow this one, the oldest first; of one product in order of `sequence`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_by_time(&self, after: Option<&StockTransaction>) -> Result<Vec<StockTransaction>, Error> {
        use stock_transaction::Column;
        let mut query = stock_transaction::Entity::find();
        if let Some(last) = after {
            let (at, product) = (Column::CreatedAt, Column::ProductId);
            let in_product = product.eq(last.product.0).and(Column::Sequence.gt(last.sequence));
            let in_time = at.eq(last.created_at).and(product.gt(last.product.0).or(in_product));
            query = query.filter(at.gte(last.created_at)).filter(at.gt(last.created_at).or(in_time));
        }
        let query =
            query.order_by_asc(Column::CreatedAt).order_by_asc(Column::ProductId).order_by_asc(Column::Sequence);
        let found = query.limit(LOG_PAGE).all(&self.0).await?;
        Ok(found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?)
    }

    /// The next rows of the log from product to product, by product and `sequence`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log(
        &self,
        (first, last): (ProductId, ProductId),
        after: Option<(ProductId, i32)>,
    ) -> Result<Vec<LogEntry>, Error> {
        use stock_transaction::Column::{ProductId as Product, Sequence};
        // A comparison of both columns at once is one range of the index. PostgreSQL would read all that two comparisons
        // joined by OR leave out, on every page anew.
        let begin = match after {
            None => Product.gte(first.0),
            Some((product, sequence)) => Expr::tuple([Product.into_expr(), Sequence.into_expr()])
                .gt(Expr::tuple([Expr::val(product.0), Expr::val(sequence)])),
        };
        let query = log_entries()
            .filter(begin)
            .filter(Product.lte(last.0))
            .order_by_asc(Product)
            .order_by_asc(Sequence)
            .limit(ENTRY_PAGE);
        let found: Vec<rows::LogEntryRow> = query.into_tuple().all(&self.0).await?;
        Ok(found.into_iter().map(|row| Ok(rows::log_entry(row)?.1)).collect::<Result<_, DbErr>>()?)
    }

    /// What the items of all orders hold of each product, from product to product.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held(&self, (first, last): (ProductId, ProductId)) -> Result<BTreeMap<ProductId, i64>, Error> {
        let query = order_item::Entity::find()
            .select_only()
            .column(order_item::Column::ProductId)
            .column_as(Expr::col(order_item::Column::Allocated).sum(), "held")
            .filter(order_item::Column::ProductId.between(first.0, last.0))
            .filter(holds_units())
            .group_by(order_item::Column::ProductId);
        let held: Vec<(Uuid, i64)> = query.into_tuple().all(&self.0).await?;
        Ok(held.into_iter().map(|(product, held)| (ProductId(product), held)).collect())
    }

    /// Units of products in this range that unpaid orders hold until a deadline.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held_until(&self, (first, last): (ProductId, ProductId)) -> Result<BTreeMap<ProductId, i64>, Error> {
        let holding = order::Entity::find()
            .select_only()
            .column(order::Column::Id)
            .filter(order::Column::HeldUntil.is_not_null())
            .filter(order::Column::Payment.eq(PaymentStatus::Unpaid.as_str()));
        let query = order_item::Entity::find()
            .select_only()
            .column(order_item::Column::ProductId)
            .column_as(Expr::col(order_item::Column::Allocated).sum(), "held")
            .filter(order_item::Column::ProductId.between(first.0, last.0))
            .filter(holds_units())
            .filter(order_item::Column::OrderId.in_subquery(holding.into_query()))
            .group_by(order_item::Column::ProductId);
        let held: Vec<(Uuid, i64)> = query.into_tuple().all(&self.0).await?;
        Ok(held.into_iter().map(|(product, held)| (ProductId(product), held)).collect())
    }

    /// The next orders, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders(&self, after: Option<OrderId>) -> Result<OrderPage, Error> {
        let mut query = order::Entity::find().order_by_asc(order::Column::Id).limit(PAGE);
        if let Some(after) = after {
            query = query.filter(order::Column::Id.gt(after.0));
        }
        let found = query.all(&self.0).await?;
        let ids: Vec<Uuid> = found.iter().map(|order| order.id).collect();
        let backend = self.0.get_database_backend();
        let items = order_item::Entity::find().filter(among(backend, order_item::Column::OrderId, &ids));
        let mut items = rows::group(items.all(&self.0).await?, |item| item.order_id);
        let mut page = OrderPage::default();
        for row in found {
            let items = items.remove(&row.id).unwrap_or_default();
            page.orders.push(rows::order(row, items)?);
        }
        let payments = payment::Entity::find().filter(among(backend, payment::Column::OrderId, &ids));
        for row in payments.all(&self.0).await? {
            let payment = rows::payment(row)?;
            page.payments.entry(payment.order).or_default().push(payment);
        }
        page.shipped = self.shipped(&ids).await?;
        let operations = payment_operation::Entity::find();
        let operations = operations.filter(among(backend, payment_operation::Column::OrderId, &ids));
        for row in operations.all(&self.0).await? {
            let order = OrderId(row.order_id);
            let of = page.orders.iter().find(|of| of.id == order);
            let Some(currency) = of.map(|of| of.total.currency) else { continue };
            page.operations.entry(order).or_default().push(rows::operation(row, currency)?);
        }
        let log = log_entries()
            .filter(among(backend, stock_transaction::Column::OrderId, &ids))
            .order_by_asc(stock_transaction::Column::ProductId)
            .order_by_asc(stock_transaction::Column::Sequence);
        let log: Vec<rows::LogEntryRow> = log.into_tuple().all(&self.0).await?;
        for row in log {
            if let (Some(order), entry) = rows::log_entry(row)? {
                page.log.entry(order).or_default().push(entry);
            }
        }
        Ok(page)
    }
}

impl Snapshot {
    /// What the shipments of these orders have of each item.
    async fn shipped(&self, orders: &[Uuid]) -> Result<BTreeMap<OrderItemId, i64>, Error> {
        use shipment_item::Column::{OrderItemId as Item, Quantity, ShipmentId};
        let of_orders = shipment::Entity::find()
            .select_only()
            .column(shipment::Column::Id)
            .filter(among(self.0.get_database_backend(), shipment::Column::OrderId, orders))
            .into_query();
        let query = shipment_item::Entity::find()
            .select_only()
            .column(Item)
            .column_as(Quantity.sum(), "units")
            .filter(ShipmentId.in_subquery(of_orders))
            .group_by(Item);
        let found: Vec<(Uuid, i64)> = query.into_tuple().all(&self.0).await?;
        Ok(found.into_iter().map(|(item, units)| (OrderItemId(item), units)).collect())
    }
}

/// Rows of the log with the columns that comparisons need.
fn log_entries() -> Select<stock_transaction::Entity> {
    stock_transaction::Entity::find().select_only().columns(rows::LOG_ENTRY_COLUMNS)
}
