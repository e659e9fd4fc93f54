//! Puts a product into the catalogue together with its stock record. It never touches another product's stock.

use crate::id::ProductId;
use crate::money::Money;
use crate::product::{Product, ProductRecord, Status};
use crate::rejection::{Code, Rejection, Rejections};
use crate::stock::{Action, Holder, Stock};
use crate::transaction::Reason;
use crate::world::{Unique, World};
use crate::{quantity, text};

use super::ledger::{Cause, Move, move_stock};
use super::{Command, Context, Footprint};

/// Highest number that is tried for a slug before a random one is taken.
const MAX_NUMBERED_SLUGS: u32 = 1_000;

/// A product as somebody typed it.
#[derive(Debug, Default, Clone)]
pub struct ProductInput {
    /// SKU.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Made from the name when not given.
    pub slug: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Minor units.
    pub price_amount: i64,
    /// ISO 4217.
    pub price_currency: String,
    /// Whether stock is managed.
    pub manage_stock: bool,
    /// Units that are there already.
    pub initial_stock: i32,
    /// 0 switches the warning off.
    pub low_stock_threshold: i32,
}

/// A product that may be made, unless its SKU or slug is taken.
#[derive(Debug, Clone)]
pub struct NewProduct {
    sku: String,
    name: String,
    slug: Option<String>,
    description: Option<String>,
    price: Money,
    manage_stock: bool,
    initial_stock: i32,
    low_stock_threshold: i32,
}

impl NewProduct {
    /// Checks everything that can be checked without looking at the catalogue.
    ///
    /// # Errors
    /// Every field that is not acceptable, at once.
    pub fn check(input: &ProductInput) -> Result<Self, Rejections> {
        let mut refusal = Rejections::new();
        let mut bad = |rejection| refusal.push(rejection);
        let sku = text::sku(&input.sku).map_err(&mut bad).ok();
        let name = text::line("name", &input.name, text::MAX_NAME_LENGTH).map_err(&mut bad).ok();
        let slug = input.slug.as_deref().map(text::slug).transpose().map_err(&mut bad).ok();
        let description = input.description.as_deref();
        let description = text::optional_lines("description", description, text::MAX_DESCRIPTION_LENGTH);
        let description = description.map_err(&mut bad).ok();
        let price = Money::price(input.price_amount, &input.price_currency).map_err(&mut bad).ok();
        for (field, value) in [("initialStock", input.initial_stock), ("lowStockThreshold", input.low_stock_threshold)]
        {
            if let Err(rejection) = quantity::at_least_zero(value) {
                bad(rejection.at([field]));
            }
        }
        if !input.manage_stock && input.initial_stock != 0 {
            bad(Rejection::invalid_input("A product whose stock is not managed has no initial stock.")
                .at(["initialStock"]));
        }
        match (sku, name, slug, description, price) {
            (Some(sku), Some(name), Some(slug), Some(description), Some(price)) if refusal.is_empty() => Ok(Self {
                sku,
                name,
                slug,
                description,
                price,
                manage_stock: input.manage_stock,
                initial_stock: input.initial_stock,
                low_stock_threshold: input.low_stock_threshold,
            }),
            _ => Err(refusal),
        }
    }

    /// The rows that it needs to be made.
    pub(super) fn footprint(&self) -> Footprint {
        Footprint {
            skus: text::sku_keys(&self.sku),
            slugs: vec![self.slug.clone().unwrap_or_else(|| text::slugify(&self.name))],
            ..Footprint::default()
        }
    }

    /// Puts it into the catalogue. `reference` is the document that the log names.
    pub(super) fn create(
        &self,
        id: ProductId,
        reference: Option<String>,
        world: &mut World<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Rejections> {
        if text::sku_keys(&self.sku).iter().any(|key| world.owner_of(Unique::Sku, key).is_some()) {
            return Err(already_exists("sku").into());
        }
        let slug = self.free_slug(world, context)?;
        world.take(Unique::Sku, text::sku_key(&self.sku), id);
        world.take(Unique::Slug, slug.clone(), id);
        let product = Product {
            id,
            sku: self.sku.clone(),
            slug,
            name: self.name.clone(),
            description: self.description.clone(),
            price: self.price,
            status: Status::Active,
            created_at: context.now,
            updated_at: context.now,
        };
        world.put_product(product);
        let mut stock = Stock::new(id, self.manage_stock, self.low_stock_threshold, context.now);
        if !self.manage_stock {
            stock.change(context.now, context.public_stock, |_| Ok(()))?;
        }
        world.put_stock(stock);
        if self.manage_stock {
            let quantity = self.initial_stock;
            let create = Move { product: id, action: Action::Create, quantity, holder: Holder::Staff };
            move_stock(world, context, create, &Cause { reference, ..Cause::plain(Reason::Initial) })?;
        }
        Ok(())
    }

    /// The slug that was asked for, or one from the name, numbered when that is taken.
    fn free_slug(&self, world: &World<'_>, context: &mut Context<'_>) -> Result<String, Rejection> {
        let is_free = |slug: &String| world.owner_of(Unique::Slug, slug).is_none();
        if let Some(slug) = &self.slug {
            return if is_free(slug) { Ok(slug.clone()) } else { Err(already_exists("slug")) };
        }
        let stem = text::slugify(&self.name);
        let numbered = (2..=MAX_NUMBERED_SLUGS).map(|number| format!("{stem}-{number}"));
        let free = std::iter::once(stem.clone()).chain(numbered).find(is_free);
        Ok(free.unwrap_or_else(|| format!("{stem}-{}", context.random.below(u32::MAX))))
    }
}

/// A unique value is taken.
pub fn already_exists(field: &str) -> Rejection {
    Rejection::new(Code::AlreadyExists, format!("Another product has this {field} already.")).at([field])
}

/// Puts one product into the catalogue.
#[derive(Debug)]
pub struct CreateProduct(pub NewProduct);

impl Command for CreateProduct {
    type Answer = ProductRecord;

    fn footprint(&self) -> Footprint {
        self.0.footprint()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ProductRecord, Rejections> {
        let id = ProductId(context.random.ordered_uuid(context.now));
        self.0.create(id, None, world, context)?;
        Ok(world.product_record(id)?)
    }
}
