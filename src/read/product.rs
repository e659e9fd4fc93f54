//! Products and their stock.

use std::collections::BTreeMap;

use entity::{product, stock};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QuerySelect, Select};
use serde::{Deserialize, Serialize};

use crate::database::bounded::Bounded;
use crate::database::error::Error;
use crate::database::rows;
use domain::id::ProductId;
use domain::product::{Product, ProductRecord, Status};
use domain::stock::Availability;
use domain::text;

use super::Store;
use super::page::{Page, PageRequest, Sorted, page, restrict};

/// Which products are wanted.
#[derive(Debug, Clone, Default)]
pub struct ProductFilter {
    /// Part of a SKU or a name.
    pub search: Option<String>,
    /// Any of these; all when empty.
    pub availability: Vec<Availability>,
    /// Any of these.
    pub status: Vec<Status>,
}

/// A place in the list of products: a name, and the id. The list is sorted by the key of the name, which can be many times as
/// long as the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCursor(String, ProductId);

impl ProductCursor {
    /// The place of this product.
    #[must_use]
    pub fn of(record: &ProductRecord) -> Self {
        Self(record.product.name.clone(), record.product.id)
    }
}

impl Store {
    /// These products, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn products(&self, ids: &[ProductId]) -> Result<Vec<ProductRecord>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        product_records(product::Entity::find().filter(self.among(product::Column::Id, &ids)), &self.db).await
    }

    /// The product with this SKU, in any case and Unicode form; otherwise one whose SKU looks just like it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn product_by_sku(&self, sku: &str) -> Result<Option<ProductRecord>, Error> {
        for key in text::sku_keys(sku) {
            let found = self.product_where(product::Column::SkuKey, key).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Those of these SKUs that are taken, by what SKUs are compared by. Callers bound them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn products_by_sku(&self, keys: &[String]) -> Result<BTreeMap<String, Product>, Error> {
        let found = product::Entity::find().filter(product::Column::SkuKey.is_in(keys)).all(&self.db).await?;
        let named = found.into_iter().map(|row| Ok((row.sku_key.clone(), rows::product(row)?)));
        Ok(named.collect::<Result<_, DbErr>>()?)
    }

    /// Those of these slugs that are taken, and by whom. Callers bound them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn taken_slugs(&self, slugs: &[String]) -> Result<Vec<(String, ProductId)>, Error> {
        let found = product::Entity::find().filter(product::Column::Slug.is_in(slugs)).all(&self.db).await?;
        Ok(found.into_iter().map(|row| (row.slug, ProductId(row.id))).collect())
    }

    /// The product with this slug.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn product_by_slug(&self, slug: &str) -> Result<Option<ProductRecord>, Error> {
        self.product_where(product::Column::Slug, slug.to_owned()).await
    }

    async fn product_where(&self, column: product::Column, value: String) -> Result<Option<ProductRecord>, Error> {
        // No product has such a value, and PostgreSQL does not even take the question.
        if value.contains('\0') {
            return Ok(None);
        }
        Ok(product_records(product::Entity::find().filter(column.eq(value)), &self.db).await?.pop())
    }

    /// Products by name.
    ///
    /// # Errors
    /// When the database does not answer; `Overloaded` for a search when too many others are under way.
    pub async fn product_page(
        &self,
        filter: &ProductFilter,
        request: &PageRequest<ProductCursor>,
    ) -> Result<Page<ProductRecord, ProductCursor>, Error> {
        let words = filter.status.iter().map(|status| status.as_str());
        let mut query = product::Entity::find().filter(product::Column::Status.is_in(words));
        if let Some(search) = &filter.search {
            let contains = |column: product::Column, part: String| Expr::col(column).like(pattern(&part));
            let either = Condition::any()
                .add(contains(product::Column::SkuKey, text::sku_key(search)))
                .add(contains(product::Column::NameKey, text::name_key(search)));
            // What was pasted from a page may have other spaces and dashes.
            let meant = text::meant_key(search).map(|meant| contains(product::Column::SkuKey, meant));
            query = query.filter(meant.into_iter().fold(either, Condition::add));
        }
        if !filter.availability.is_empty() {
            let any = filter.availability.iter().map(|a| availability_is(*a)).fold(Condition::any(), Condition::add);
            let with_it = Query::select().column(stock::Column::ProductId).from(stock::Entity).cond_where(any).take();
            query = query.filter(product::Column::Id.in_subquery(with_it));
        }
        let sorted = Sorted { columns: &[product::Column::NameKey, product::Column::Id], order: true };
        let key = |cursor: &ProductCursor| vec![text::name_key(&cursor.0).into(), cursor.1.0.into()];
        let query = restrict(query, sorted, request, key);
        let found = if filter.search.is_some() || !filter.availability.is_empty() {
            let turn = self.scanner.turn().await?;
            product_records(query, turn.db()).await?
        } else {
            product_records(query, &self.db).await?
        };
        Ok(page(found, request))
    }

    /// Whether there is no product at all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_catalogue_empty(&self) -> Result<bool, Error> {
        Ok(product::Entity::find().count(&self.db).await? == 0)
    }
}

/// The products that a query finds, in its order, each with its stock record. It is one statement, so that both are of
/// one moment.
async fn product_records(query: Select<product::Entity>, db: &Bounded) -> Result<Vec<ProductRecord>, Error> {
    let its_stock = product::Entity::belongs_to(stock::Entity).from(product::Column::Id).to(stock::Column::ProductId);
    let query = query.join(JoinType::LeftJoin, its_stock.into()).select_also(stock::Entity);
    let record = |(product, stock): (_, Option<stock::Model>)| {
        Ok(ProductRecord { product: rows::product(product)?, stock: stock.as_ref().map(rows::stock) })
    };
    Ok(query.all(db).await?.into_iter().map(record).collect::<Result<_, DbErr>>()?)
}

/// Matches what contains this text, whatever characters are in it.
fn pattern(part: &str) -> sea_orm::sea_query::LikeExpr {
    sea_orm::sea_query::LikeExpr::new(format!("%{}%", escaped(part))).escape('\\')
}

/// A text as part of a pattern that means just this text, with a backslash to escape.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The same rule as [`Stock::availability`](domain::stock::Stock::availability), for the database.
fn availability_is(availability: Availability) -> Condition {
    let available = || Expr::col(stock::Column::Total).sub(Expr::col(stock::Column::Allocated));
    let threshold = || Expr::col(stock::Column::LowStockThreshold);
    let managed = Condition::all().add(stock::Column::Managed.eq(true));
    match availability {
        Availability::Untracked => Condition::all().add(stock::Column::Managed.eq(false)),
        Availability::OutOfStock => managed.add(available().eq(0)),
        Availability::LowStock => managed.add(available().gt(0)).add(available().lte(threshold())),
        Availability::InStock => managed.add(available().gt(0)).add(available().gt(threshold())),
    }
}
