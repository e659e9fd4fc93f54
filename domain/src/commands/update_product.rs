//! Changes what the catalogue says of a product, and whether and how its stock is watched. It never moves stock,
//! except that a product that becomes managed for the first time gets its CREATE row.

use crate::id::ProductId;
use crate::money::Money;
use crate::product::{Product, ProductRecord};
use crate::rejection::Rejections;
use crate::stock::{Action, Holder};
use crate::transaction::Reason;
use crate::world::{Unique, World};
use crate::{quantity, text};

use super::create_product::already_exists;
use super::ledger::{Cause, Move, move_stock};
use super::{Command, Context, Footprint};

/// What is to change; `None` leaves a thing as it is.
#[derive(Debug, Default, Clone)]
pub struct ProductChanges {
    /// Name. The slug stays.
    pub name: Option<String>,
    /// Slug.
    pub slug: Option<String>,
    /// Description; an inner `None` removes it.
    pub description: Option<Option<String>>,
    /// Minor units and ISO 4217.
    pub price: Option<(i64, String)>,
    /// Whether stock is managed.
    pub manage_stock: Option<bool>,
    /// 0 switches the warning off.
    pub low_stock_threshold: Option<i32>,
}

/// Changes a product.
#[derive(Debug)]
pub struct UpdateProduct {
    /// Which.
    pub product: ProductId,
    /// How.
    pub changes: ProductChanges,
}

impl Command for UpdateProduct {
    type Answer = ProductRecord;

    fn footprint(&self) -> Footprint {
        Footprint {
            catalogue: vec![self.product],
            // One that cannot be taken is nobody's.
            slugs: self.changes.slug.iter().filter_map(|slug| text::slug(slug).ok()).collect(),
            ..Footprint::default()
        }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ProductRecord, Rejections> {
        let before = world.product(self.product).map_err(|r| r.at(["id"]))?.clone();
        let mut product = before.clone();
        self.change_texts(&mut product)?;
        if product.slug != before.slug {
            if world.owner_of(Unique::Slug, &product.slug).is_some_and(|owner| owner != product.id) {
                return Err(already_exists("slug").into());
            }
            world.give_up(Unique::Slug, before.slug.clone());
            world.take(Unique::Slug, product.slug.clone(), product.id);
        }
        if product != before {
            product.updated_at = product.updated_at.max(context.now);
            world.put_product(product);
        }
        self.change_stock_settings(world, context)?;
        Ok(world.product_record(self.product)?)
    }
}

impl UpdateProduct {
    /// What is as it was needs no check: it may have been made under older rules.
    fn change_texts(&self, product: &mut Product) -> Result<(), Rejections> {
        let changes = &self.changes;
        if let Some(name) = changes.name.as_ref().filter(|name| **name != product.name) {
            product.name = text::line("name", name, text::MAX_NAME_LENGTH)?;
        }
        if let Some(slug) = &changes.slug {
            product.slug = text::slug(slug)?;
        }
        if let Some(description) = changes.description.as_ref().filter(|text| **text != product.description) {
            let max = text::MAX_DESCRIPTION_LENGTH;
            product.description = text::optional_lines("description", description.as_deref(), max)?;
        }
        if let Some((amount, currency)) = &changes.price {
            product.price = Money::price(*amount, currency)?;
        }
        Ok(())
    }

    fn change_stock_settings(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<(), Rejections> {
        let before = world.stock(self.product)?;
        let managed = self.changes.manage_stock.unwrap_or(before.managed);
        let threshold = self.changes.low_stock_threshold.unwrap_or(before.low_stock_threshold);
        quantity::at_least_zero(threshold).map_err(|r| r.at(["lowStockThreshold"]))?;
        if managed == before.managed && threshold == before.low_stock_threshold {
            return Ok(());
        }
        let is_first_time = managed && before.sequence == 0;
        let stock = world.edit_stock(self.product)?;
        if is_first_time {
            (stock.managed, stock.low_stock_threshold) = (managed, threshold);
            let create = Move { product: self.product, action: Action::Create, quantity: 0, holder: Holder::Staff };
            move_stock(world, context, create, &Cause::plain(Reason::Initial))?;
        } else {
            stock.change(context.now, context.public_stock, |stock| {
                (stock.managed, stock.low_stock_threshold) = (managed, threshold);
                Ok(())
            })?;
        }
        Ok(())
    }
}
