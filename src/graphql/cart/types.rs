//! The cart as clients see it. Its prices are those of now.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::domain::{cart, money, order as domain_order};
use crate::graphql::Viewer;
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::loaders::{OrderOfCart, load, load_many};
use crate::graphql::order::Order;
use crate::graphql::product::{Money, Product};
use crate::graphql::scalars::{DateTime, Long};

/// What a shopper means to buy.
#[derive(Debug, Clone)]
pub struct Cart(pub cart::Cart);

/// What a shopper means to buy, in one currency. It holds no stock. Whoever knows the id of a guest's cart may use it.
#[Object]
impl Cart {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// How far it has come.
    async fn status(&self) -> CartStatus {
        self.0.status.into()
    }

    /// What is in it, in the order in which it was added. At most 100.
    async fn items(&self, context: &Context<'_>) -> async_graphql::Result<Vec<CartItem>> {
        self.priced(context).await
    }

    /// How many units are in it.
    async fn total_quantity(&self) -> Long {
        Long(self.0.lines.iter().map(|line| i64::from(line.quantity)).sum())
    }

    /// What it costs now. Null while the cart is empty, and while its prices do not add up to one amount.
    async fn subtotal(&self, context: &Context<'_>) -> Nullable<Money> {
        nullable(async {
            let items = self.priced(context).await?;
            let mut sum: Option<money::Money> = None;
            for item in items {
                let Ok(price) = item.price.times(item.quantity) else { return Ok(None) };
                sum = match sum.map_or(Ok(price), |sum| sum.plus(price)) {
                    Ok(sum) => Some(sum),
                    Err(_) => return Ok(None),
                };
            }
            Ok(sum.map(Into::into))
        })
        .await
    }

    /// The order that it became.
    async fn order(&self, context: &Context<'_>) -> Nullable<Order> {
        nullable(async {
            let found = load(context, OrderOfCart(self.0.id)).await?;
            let usable = |order: &domain_order::Order| Viewer::of(context).party.may_use(order.owner.as_deref());
            Ok(found.filter(usable).map(Order))
        })
        .await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

impl Cart {
    async fn priced(&self, context: &Context<'_>) -> async_graphql::Result<Vec<CartItem>> {
        let mut products = load_many(context, self.0.lines.iter().map(|line| line.product)).await?;
        let item = |line: &cart::Line| {
            let product = products.remove(&line.product)?;
            let price = product.price;
            // A price that rose since may take a line out of range; it then shows the largest amount, and check-out refuses.
            let subtotal = price.times(line.quantity).unwrap_or(money::Money { amount: money::MAX_AMOUNT, ..price });
            Some(CartItem {
                product: Product(product),
                quantity: line.quantity,
                unit_price: price.into(),
                subtotal: subtotal.into(),
                price,
            })
        };
        Ok(self.0.lines.iter().filter_map(item).collect())
    }
}

/// So many units of one product.
#[derive(Debug, SimpleObject)]
pub struct CartItem {
    /// Of what.
    product: Product,
    /// How many.
    quantity: i32,
    /// What one costs now.
    unit_price: Money,
    /// What they cost now.
    subtotal: Money,
    #[graphql(skip)]
    price: money::Money,
}

/// How far a cart has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::cart::Status")]
pub enum CartStatus {
    /// Being filled.
    Open,
    /// Turned into an order.
    CheckedOut,
    /// Left alone for too long.
    Expired,
}
