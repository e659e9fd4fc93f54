//! Changes what the catalogue says of a product, and whether and how its stock is watched. It never moves stock,
//! except that a product that becomes managed for the first time gets its CREATE row.

use crate::domain::id::ProductId;
use crate::domain::money::Money;
use crate::domain::product::Product;
use crate::domain::rejection::Refusal;
use crate::domain::stock::{Action, Holder, Stock};
use crate::domain::transaction::Reason;
use crate::domain::{quantity, text};
use crate::writer::world::{Unique, World};

use super::create_product::already_exists;
use super::ledger::{Cause, move_stock};
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
    type Answer = ProductId;

    fn footprint(&self) -> Footprint {
        Footprint {
            catalogue: vec![self.product],
            // One that cannot be taken is nobody's.
            slugs: self.changes.slug.iter().filter_map(|slug| text::slug(slug).ok()).collect(),
            ..Footprint::default()
        }
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<ProductId, Refusal> {
        let before = world.product(self.product).map_err(|r| r.at(["id"]))?.clone();
        let mut product = before.clone();
        self.change_words(&mut product)?;
        if product.slug != before.slug {
            let key = (Unique::Slug, product.slug.clone());
            if world.taken.get(&key).is_some_and(|owner| *owner != product.id) {
                return Err(already_exists("slug").into());
            }
            world.taken.remove(&(Unique::Slug, before.slug.clone()));
            world.taken.insert(key, product.id);
        }
        if product != before {
            product.updated_at = product.updated_at.max(context.now);
            world.products.insert(product.id, product);
        }
        self.change_stock_watch(world, context)?;
        Ok(self.product)
    }
}

impl UpdateProduct {
    /// What is as it was needs no check: it may have been made under older rules.
    fn change_words(&self, product: &mut Product) -> Result<(), Refusal> {
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

    fn change_stock_watch(&self, world: &mut World, context: &mut Context<'_>) -> Result<(), Refusal> {
        let before = world.stock(self.product)?;
        let managed = self.changes.manage_stock.unwrap_or(before.managed);
        let threshold = self.changes.low_stock_threshold.unwrap_or(before.low_stock_threshold);
        quantity::at_least_zero(threshold).map_err(|r| r.at(["lowStockThreshold"]))?;
        if managed == before.managed && threshold == before.low_stock_threshold {
            return Ok(());
        }
        let is_first_time = managed && before.sequence == 0;
        if let Some(stock) = world.stocks.edit(&self.product) {
            let watch = |stock: &mut Stock| {
                (stock.managed, stock.low_stock_threshold) = (managed, threshold);
                Ok(())
            };
            if is_first_time {
                watch(stock)?;
            } else {
                stock.change(context.now, context.public_stock, watch)?;
            }
        }
        if is_first_time {
            let create = (Action::Create, 0, Holder::Staff);
            move_stock(world, context, self.product, create, &Cause::plain(Reason::Initial))?;
        }
        Ok(())
    }
}
