//! Queries of the catalogue.

use async_graphql::{Context, ID, Object, OneofObject};

use crate::app::App;
use crate::graphql::Viewer;
use crate::graphql::error::{Nullable, failure, nullable};
use crate::graphql::keys::{any_of, at_most, fits, id};
use crate::graphql::loaders::load;
use crate::graphql::page::{Connection, PageArguments, connection};
use crate::graphql::stock::Availability;
use crate::read::{ProductCursor, ProductFilter};
use domain::id::ProductId;
use domain::product::Status;

use super::{Product, ProductStatus};

/// Cursors of lists of products.
const CURSOR: &str = "product";

/// Longest text that is searched for, in characters.
const MAX_SEARCH_LENGTH: usize = 200;

/// Most values in a filter of the list.
const MAX_FILTER: usize = 10;

/// One of the keys of a product.
#[derive(Debug, OneofObject)]
pub enum ProductKey {
    /// The global id.
    Id(ID),
    /// The stock keeping unit, in any case.
    Sku(String),
    /// The product's part of a web address.
    Slug(String),
}

/// Queries of the catalogue.
#[derive(Debug, Default)]
pub struct ProductQueries;

#[Object]
impl ProductQueries {
    /// One product, by exactly one of its keys; null when there is none.
    async fn product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "One of its keys.")] by: ProductKey,
    ) -> Nullable<Product> {
        nullable(async {
            let store = &context.data_unchecked::<App>().store;
            let found = match by {
                ProductKey::Id(text) => load::<ProductId>(context, id(&text)?).await?,
                ProductKey::Sku(sku) => store.product_by_sku(&sku).await.map_err(|error| failure(&error))?,
                ProductKey::Slug(slug) => store.product_by_slug(&slug).await.map_err(|error| failure(&error))?,
            };
            Ok(found.map(Product))
        })
        .await
    }

    /// Products by name.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn products(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Looks in sku and name.")] search: Option<String>,
        #[graphql(desc = "Only those with one of these. All if omitted or empty.")] availability: Option<
            Vec<Availability>,
        >,
        #[graphql(
            desc = "Only products with one of these statuses. ACTIVE only if omitted or empty; others are for staff."
        )]
        status: Option<Vec<ProductStatus>>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<Product>> {
        nullable(async {
            let request = PageArguments { first, after, last, before }.request(CURSOR)?;
            let availability = availability.unwrap_or_default();
            let status = any_of(status).unwrap_or_else(|| vec![ProductStatus::Active]);
            if status.contains(&ProductStatus::Archived) {
                Viewer::of(context).must_be_staff()?;
            }
            at_most("values", availability.len().max(status.len()), MAX_FILTER)?;
            let search = search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            if let Some(search) = &search {
                fits("search", search, MAX_SEARCH_LENGTH)?;
            }
            let filter = ProductFilter {
                search,
                availability: availability.into_iter().map(Into::into).collect(),
                status: status.into_iter().map(Status::from).collect(),
            };
            let store = &context.data_unchecked::<App>().store;
            let page = store.product_page(&filter, &request).await.map_err(|error| failure(&error))?;
            Ok(Some(connection(CURSOR, page, ProductCursor::of, Product)))
        })
        .await
    }
}
