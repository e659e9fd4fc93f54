//! Fills an empty catalogue with products whose ids are fixed, all of them or none. It never adds to a catalogue that
//! has something in it already: the caller looks first, and a taken SKU refuses the whole.

use crate::id::ProductId;
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint, NewProduct};

/// Products with the ids that they shall have.
#[derive(Debug)]
pub struct FillCatalogue(pub Vec<(ProductId, NewProduct)>);

impl Command for FillCatalogue {
    type Answer = usize;

    fn footprint(&self) -> Footprint {
        self.0.iter().map(|(_, product)| product.footprint()).fold(Footprint::default(), |mut all, one| {
            all.absorb(one);
            all
        })
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<usize, Rejections> {
        for (id, product) in &self.0 {
            product.create(*id, None, world, context)?;
        }
        Ok(self.0.len())
    }
}
