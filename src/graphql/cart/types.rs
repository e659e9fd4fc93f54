//! The cart as clients see it. Its prices are those of now.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use tokio::sync::OnceCell;

use crate::graphql::Viewer;
use crate::graphql::budget::Charged;
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::loaders::{OrderOfCart, load, load_many};
use crate::graphql::money::Money;
use crate::graphql::order::Order;
use crate::graphql::product::Product;
use crate::graphql::scalars::{DateTime, Long};
use domain::product::ProductRecord;
use domain::{cart, money};

/// What a shopper means to buy.
#[derive(Debug, Clone)]
pub struct Cart {
    cart: cart::Cart,
    /// Its items with the prices of now, which are read once for everything that is asked about them.
    priced: Arc<OnceCell<Vec<CartItem>>>,
}

impl From<cart::Cart> for Cart {
    fn from(cart: cart::Cart) -> Self {
        Self { cart, priced: Arc::default() }
    }
}

/// What a shopper means to buy, in one currency. It holds no stock. Whoever knows the id of a guest's cart may use it.
#[Object(guard = "Charged")]
impl Cart {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.cart.id.into()
    }

    /// How far it has come.
    async fn status(&self) -> CartStatus {
        self.cart.status.into()
    }

    /// What is in it, in the order in which it was added. At most 100.
    async fn items(&self, context: &Context<'_>) -> async_graphql::Result<&[CartItem]> {
        self.priced(context).await
    }

    /// How many units are in it.
    async fn total_quantity(&self) -> Long {
        Long(self.cart.items.iter().map(|item| i64::from(item.quantity)).sum())
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
            // A cart is checked out in the moment in which its order is made: one that was read before has none.
            if self.cart.status != cart::Status::CheckedOut {
                return Ok(None);
            }
            let found = load(context, OrderOfCart(self.cart.id)).await?;
            let actor = &Viewer::of(context).actor;
            Ok(found.filter(|found| actor.may_use(found.order.owner.as_deref())).map(Order))
        })
        .await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.cart.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.cart.updated_at)
    }
}

impl Cart {
    async fn priced(&self, context: &Context<'_>) -> async_graphql::Result<&[CartItem]> {
        let priced = self.priced.get_or_try_init(async || {
            let mut products = load_many(context, self.cart.items.iter().map(|item| item.product)).await?;
            let found =
                self.cart.items.iter().filter_map(|item| Some(CartItem::of(item, products.remove(&item.product)?)));
            Ok::<_, async_graphql::Error>(found.collect())
        });
        priced.await.map(Vec::as_slice)
    }
}

/// A quantity of a product.
#[derive(Debug, SimpleObject)]
#[graphql(guard = "Charged")]
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

impl CartItem {
    fn of(item: &cart::Item, record: ProductRecord) -> Self {
        let price = record.product.price;
        // A price that rose since may take an item out of range; it then shows the largest amount, and check-out refuses.
        let subtotal = price.times(item.quantity).unwrap_or(money::Money { amount: money::MAX_AMOUNT, ..price });
        Self {
            product: Product(record),
            quantity: item.quantity,
            unit_price: price.into(),
            subtotal: subtotal.into(),
            price,
        }
    }
}

/// How far a cart has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::cart::Status")]
pub enum CartStatus {
    /// Being filled.
    Open,
    /// Turned into an order.
    CheckedOut,
    /// Left alone for too long.
    Expired,
}
