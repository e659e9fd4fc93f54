//! Rows that name a row which is not there. Foreign keys forbid them; somebody with the rights to it can get around those,
//! and `verify` then says so. It repairs nothing.

use entity::{
    cart, cart_item, order, order_item, payment, payment_operation, product, shipment, shipment_item, stock,
    stock_transaction,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::error::Error;
use domain::id::{CartId, OrderId, OrderItemId, PaymentId, ProductId, ShipmentId};

use super::Snapshot;

/// Most rows of one kind that are told to be missing.
const MAX_MISSING: u64 = 500;

impl Snapshot {
    /// What is missing although other rows name it, as sentences.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn missing(&self) -> Result<Vec<String>, Error> {
        use {cart_item as ci, order as o, order_item as oi, product as p, shipment as s, shipment_item as si};
        use {payment_operation as po, stock as st, stock_transaction as t};
        let of_product = |id| ProductId(id).to_string();
        let of_order = |id| OrderId(id).to_string();
        let of_payment = |id| PaymentId(id).to_string();
        let of_cart = |id| CartId(id).to_string();
        let (of_shipment, of_item) = (|id| ShipmentId(id).to_string(), |id| OrderItemId(id).to_string());
        let stock_of = |id| format!("the stock record of {}", ProductId(id));
        let all = [
            self.named::<p::Entity, st::Entity>(p::Column::Id, st::Column::ProductId, "products", stock_of).await?,
            self.named::<st::Entity, p::Entity>(st::Column::ProductId, p::Column::Id, "stock records", of_product)
                .await?,
            self.named::<t::Entity, p::Entity>(t::Column::ProductId, p::Column::Id, "rows of the log", of_product)
                .await?,
            self.named::<t::Entity, o::Entity>(t::Column::OrderId, o::Column::Id, "rows of the log", of_order).await?,
            self.named::<ci::Entity, cart::Entity>(ci::Column::CartId, cart::Column::Id, "cart items", of_cart).await?,
            self.named::<ci::Entity, p::Entity>(ci::Column::ProductId, p::Column::Id, "cart items", of_product).await?,
            self.named::<o::Entity, cart::Entity>(o::Column::CartId, cart::Column::Id, "orders", of_cart).await?,
            self.named::<oi::Entity, o::Entity>(oi::Column::OrderId, o::Column::Id, "order items", of_order).await?,
            self.named::<oi::Entity, p::Entity>(oi::Column::ProductId, p::Column::Id, "order items", of_product)
                .await?,
            self.named::<payment::Entity, o::Entity>(payment::Column::OrderId, o::Column::Id, "payments", of_order)
                .await?,
            self.named::<po::Entity, o::Entity>(po::Column::OrderId, o::Column::Id, "operations on payments", of_order)
                .await?,
            self.named::<po::Entity, payment::Entity>(
                po::Column::PaymentId,
                payment::Column::Id,
                "operations on payments",
                of_payment,
            )
            .await?,
            self.named::<s::Entity, o::Entity>(s::Column::OrderId, o::Column::Id, "shipments", of_order).await?,
            self.named::<si::Entity, s::Entity>(si::Column::ShipmentId, s::Column::Id, "shipped items", of_shipment)
                .await?,
            self.named::<si::Entity, oi::Entity>(si::Column::OrderItemId, oi::Column::Id, "shipped items", of_item)
                .await?,
        ];
        Ok(all.into_iter().flatten().collect())
    }

    /// Rows of `To` that are missing although a column of `From` names them, and by how many rows.
    async fn named<From: EntityTrait, To: EntityTrait>(
        &self,
        column: From::Column,
        key: To::Column,
        rows: &str,
        name: impl Fn(Uuid) -> String,
    ) -> Result<Vec<String>, Error> {
        let is_it = key.into_expr().equals((From::default(), column));
        let there = Query::select().expr(Expr::val(1)).from(To::default().table_ref()).and_where(is_it).take();
        let query = From::find()
            .select_only()
            .column(column)
            .expr_as(Expr::col((From::default(), column)).count(), "count")
            .filter(column.is_not_null())
            .filter(Expr::exists(there).not())
            .group_by(column)
            .order_by_asc(column)
            .limit(MAX_MISSING);
        let found: Vec<(Uuid, i64)> = query.into_tuple().all(&self.0).await?;
        Ok(found
            .into_iter()
            .map(|(id, count)| format!("{}: missing; {rows} that name it: {count}", name(id)))
            .collect())
    }
}
