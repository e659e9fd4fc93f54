//! Takes a product off sale, or puts it back. It moves no stock: what is allocated still ships or cancels. The stock
//! record becomes a newer version all the same, so that whoever shows it live learns that it can not be bought any more.

use crate::id::ProductId;
use crate::product::{ProductRecord, Status};
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Gives a product the status that it shall have. Asking for what it is already changes nothing.
#[derive(Debug)]
pub struct ArchiveProduct {
    /// Which.
    pub product: ProductId,
    /// Archived, or active again.
    pub to: Status,
}

impl Command for ArchiveProduct {
    type Answer = ProductRecord;

    fn footprint(&self) -> Footprint {
        Footprint { catalogue: vec![self.product], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ProductRecord, Rejections> {
        let status = world.product(self.product).map_err(|r| r.at(["id"]))?.status;
        if status != self.to {
            let product = world.edit_product(self.product)?;
            product.status = self.to;
            product.updated_at = product.updated_at.max(context.now);
            world.edit_stock(self.product)?.touch(context.now)?;
        }
        Ok(world.product_record(self.product)?)
    }
}
