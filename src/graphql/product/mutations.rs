//! Mutations of the catalogue.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::Viewer;
use crate::graphql::error::{UserError, refusable};
use crate::graphql::keys::id;
use crate::graphql::money::MoneyInput;
use domain::commands::{
    ArchiveProduct, Command, CreateProduct, NewProduct, ProductChanges, ProductInput, UpdateProduct,
};
use domain::product::{ProductRecord, Status};

use super::Product;

/// A product to be made.
#[derive(Debug, InputObject)]
pub struct CreateProductInput {
    /// The stock keeping unit: 1 to 64 visible characters after trimming, unique ignoring case. One that nobody could tell from
    /// another, such as one with a no-break space, is refused.
    sku: String,
    /// The name: 1 to 200 characters.
    name: String,
    /// Lower-case letters, digits and hyphens, unique. Made from the name unless given, and numbered when taken.
    slug: Option<String>,
    /// At most 10,000 characters.
    description: Option<String>,
    /// The price of one unit.
    price: MoneyInput,
    /// Whether stock is checked, allocated and shipped.
    #[graphql(default_with = "Some(true)")]
    manage_stock: Option<bool>,
    /// Units that are there already: 0 to 1,000,000,000.
    #[graphql(default_with = "Some(0)")]
    initial_stock: Option<i32>,
    /// At or below this available count the product is LOW_STOCK. 0 switches it off.
    #[graphql(default_with = "Some(0)")]
    low_stock_threshold: Option<i32>,
}

/// What is to change of a product. What is not given, or null, stays; only a description is removed by null.
#[derive(Debug, InputObject)]
pub struct UpdateProductInput {
    /// Which product.
    id: ID,
    /// The name: 1 to 200 characters. The slug stays.
    name: Option<String>,
    /// Lower-case letters, digits and hyphens, unique.
    slug: Option<String>,
    /// At most 10,000 characters; null removes it.
    description: MaybeUndefined<String>,
    /// The price of one unit. Orders keep the price of their check-out.
    price: Option<MoneyInput>,
    /// Whether stock is checked, allocated and shipped. The numbers stay when it is switched off.
    manage_stock: Option<bool>,
    /// At or below this available count the product is LOW_STOCK. 0 switches it off.
    low_stock_threshold: Option<i32>,
}

/// A product to be taken off sale.
#[derive(Debug, InputObject)]
pub struct ArchiveProductInput {
    /// Which product.
    id: ID,
}

/// A product to be put back on sale.
#[derive(Debug, InputObject)]
pub struct RestoreProductInput {
    /// Which product.
    id: ID,
}

/// The result of a mutation of a product.
#[derive(Debug, SimpleObject)]
pub struct ProductPayload {
    /// The product; null when refused.
    product: Option<Product>,
    /// Why it was refused; empty otherwise.
    user_errors: Vec<UserError>,
}

/// Mutations of the catalogue. Staff only.
#[derive(Debug, Default)]
pub struct ProductMutations;

#[Object]
impl ProductMutations {
    /// Makes a product together with its stock record. Staff only.
    async fn create_product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The product.")] input: CreateProductInput,
    ) -> async_graphql::Result<ProductPayload> {
        let input = ProductInput {
            sku: input.sku,
            name: input.name,
            slug: input.slug,
            description: input.description,
            price_amount: input.price.amount.0,
            price_currency: input.price.currency,
            manage_stock: input.manage_stock.unwrap_or(true),
            initial_stock: input.initial_stock.unwrap_or(0),
            low_stock_threshold: input.low_stock_threshold.unwrap_or(0),
        };
        submit(context, NewProduct::check(&input).map(CreateProduct).map_err(Error::Refused)).await
    }

    /// Changes a product. Staff only.
    async fn update_product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateProductInput,
    ) -> async_graphql::Result<ProductPayload> {
        let changes = ProductChanges {
            name: input.name,
            slug: input.slug,
            description: match input.description {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            price: input.price.map(|price| (price.amount.0, price.currency)),
            manage_stock: input.manage_stock,
            low_stock_threshold: input.low_stock_threshold,
        };
        submit(context, Ok(UpdateProduct { product: id(&input.id)?, changes })).await
    }

    /// No longer added, checked out or paid (PRODUCT_UNAVAILABLE). What is allocated still ships or cancels; history and
    /// orders keep what they need. Its stock keeps its numbers and becomes a newer version, which `stockChanged` sends.
    /// Staff only.
    async fn archive_product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The product.")] input: ArchiveProductInput,
    ) -> async_graphql::Result<ProductPayload> {
        submit(context, Ok(ArchiveProduct { product: id(&input.id)?, to: Status::Archived })).await
    }

    /// For sale again. Its stock becomes a newer version, which `stockChanged` sends. Staff only.
    async fn restore_product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The product.")] input: RestoreProductInput,
    ) -> async_graphql::Result<ProductPayload> {
        submit(context, Ok(ArchiveProduct { product: id(&input.id)?, to: Status::Active })).await
    }
}

async fn submit<C: Command<Answer = ProductRecord>>(
    context: &Context<'_>,
    command: Result<C, Error>,
) -> async_graphql::Result<ProductPayload> {
    let viewer = Viewer::of(context);
    viewer.must_be_staff()?;
    let app = context.data_unchecked::<App>();
    let result = match command {
        Ok(command) => app.writer.submit(viewer, command).await,
        Err(refused) => Err(refused),
    };
    Ok(match refusable(result)? {
        Ok(record) => ProductPayload { product: Some(Product(record)), user_errors: Vec::new() },
        Err(user_errors) => ProductPayload { product: None, user_errors },
    })
}
