//! Who asks, and what they may see. To anybody else, other people's things do not exist, by any path: whatever loads a
//! cart or an order for a client loads it here.

use std::sync::Arc;

use async_graphql::Context;

use crate::writer::Submitter;
use domain::actor::Actor;
use domain::cart::Cart;
use domain::client::ClientKey;
use domain::id::{CartId, OrderId};
use domain::order::Order;
use domain::order::OrderRecord;
use domain::stock::PublicStock;

use super::Code;
use super::loaders::load;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Who they are.
    pub actor: Actor,
    /// As which client they are counted.
    pub client: ClientKey,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
}

impl Viewer {
    /// Who asks in this request.
    pub fn of<'a>(context: &Context<'a>) -> &'a Self {
        context.data_unchecked()
    }

    /// Refuses everybody but staff.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for guests, `FORBIDDEN` for customers.
    pub fn must_be_staff(&self) -> async_graphql::Result<()> {
        self.must_be_staff_for("This")
    }

    /// The same, naming what is for staff only.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for guests, `FORBIDDEN` for customers.
    pub fn must_be_staff_for(&self, what: &str) -> async_graphql::Result<()> {
        match self.actor {
            Actor::System | Actor::Staff(_) => Ok(()),
            Actor::Customer(_) => Err(Code::Forbidden.error(format!("{what} is for staff only."))),
            Actor::Guest => Err(Code::Unauthenticated.error(format!("{what} is for staff only; sign in."))),
        }
    }

    /// What this viewer sees of counts.
    pub const fn sees(&self) -> PublicStock {
        if self.actor.is_staff() { PublicStock::Exact } else { self.public_stock }
    }

    /// Whether this viewer may reach the parts of an order by their own ids. A guest reaches them through the order.
    pub fn owns(&self, order: &Order) -> bool {
        match &self.actor {
            Actor::System | Actor::Staff(_) => true,
            Actor::Customer(subject) => order.owner.as_ref() == Some(subject),
            Actor::Guest => false,
        }
    }
}

impl From<&Viewer> for Submitter {
    fn from(viewer: &Viewer) -> Self {
        Self { actor: viewer.actor.clone(), client: viewer.client.clone() }
    }
}

/// A cart, if this viewer may use it.
///
/// # Errors
/// When the database does not answer.
pub async fn cart(context: &Context<'_>, id: CartId) -> async_graphql::Result<Option<Cart>> {
    let found: Option<Cart> = load(context, id).await?;
    Ok(found.filter(|cart| Viewer::of(context).actor.may_use(cart.owner.as_deref())))
}

/// An order, if this viewer may use it.
///
/// # Errors
/// When the database does not answer.
pub async fn order(context: &Context<'_>, id: OrderId) -> async_graphql::Result<Option<Arc<OrderRecord>>> {
    Ok(usable_order(context, load(context, id).await?))
}

/// An order that was loaded together with others, if this viewer may use it.
pub fn usable_order(context: &Context<'_>, found: Option<Arc<OrderRecord>>) -> Option<Arc<OrderRecord>> {
    found.filter(|found| Viewer::of(context).actor.may_use(found.order.owner.as_deref()))
}
