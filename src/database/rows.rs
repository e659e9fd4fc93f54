//! Rows of the database as values of the domain, and back. Nothing here decides anything; a row that the domain cannot
//! express is an error and never guessed at.

use entity::{
    cart, cart_item, idempotency_key, order, order_item, product, shipment, shipment_item, stock, stock_transaction,
};
use sea_orm::DbErr;
use sea_orm::prelude::Uuid;

use domain::audit::LogEntry;
use domain::cart::{Cart, Item as CartItem};
use domain::id::{CartId, OperationId, OrderId, OrderItemId, PaymentId, ProductId, ShipmentId, StockTransactionId};
use domain::money::{Currency, Money};
use domain::order::{Customer, Item, Order};
use domain::payment::KeyId;
use domain::product::Product;
use domain::shipment::{self as domain_shipment, Shipment};
use domain::stock::{Movement, Numbers, Stock};
use domain::text;
use domain::transaction::StockTransaction;
use domain::world::idempotency::{Kept, KeyRecord};

use super::error::UNKNOWN;

pub(super) type Decoded<T> = Result<T, DbErr>;

pub(super) fn known<T>(value: Option<T>, what: &str, found: &str) -> Decoded<T> {
    value.ok_or_else(|| DbErr::Type(format!("{found:?} is no {what} {UNKNOWN}")))
}

macro_rules! code {
    ($kind:path, $text:expr) => {{
        use $kind as Kind;
        known(Kind::parse(&$text), stringify!($kind), &$text)
    }};
}
pub(super) use code;

pub use super::payment_rows::{
    charge, charge_operation, charge_operation_row, charge_row, operation, operation_row, payment, payment_row,
};

pub(super) fn money(amount: i64, currency: &str) -> Decoded<Money> {
    Ok(Money { amount, currency: known(Currency::from_code(currency), "currency", currency)? })
}

pub fn product(row: product::Model) -> Decoded<Product> {
    Ok(Product {
        id: ProductId(row.id),
        price: money(row.price_amount, &row.price_currency)?,
        status: code!(domain::product::Status, row.status)?,
        sku: row.sku,
        slug: row.slug,
        name: row.name,
        description: row.description,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub fn product_row(product: &Product) -> product::Model {
    product::Model {
        id: product.id.0,
        sku: product.sku.clone(),
        sku_key: text::sku_key(&product.sku),
        slug: product.slug.clone(),
        name: product.name.clone(),
        name_key: text::name_key(&product.name),
        description: product.description.clone(),
        price_amount: product.price.amount,
        price_currency: product.price.currency.code().to_owned(),
        status: product.status.as_str().to_owned(),
        created_at: product.created_at,
        updated_at: product.updated_at,
    }
}

pub fn stock(row: &stock::Model) -> Stock {
    Stock {
        product: ProductId(row.product_id),
        managed: row.managed,
        low_stock_threshold: row.low_stock_threshold,
        numbers: Numbers { total: row.total, allocated: row.allocated },
        manually_allocated: row.by_hand,
        sequence: row.sequence,
        version: row.version,
        updated_at: row.updated_at,
        public_version: row.shown_version,
        public_changed_at: row.shown_at,
    }
}

pub fn stock_row(stock: &Stock) -> stock::Model {
    stock::Model {
        product_id: stock.product.0,
        managed: stock.managed,
        low_stock_threshold: stock.low_stock_threshold,
        total: stock.numbers.total,
        allocated: stock.numbers.allocated,
        by_hand: stock.manually_allocated,
        sequence: stock.sequence,
        version: stock.version,
        updated_at: stock.updated_at,
        shown_version: stock.public_version,
        shown_at: stock.public_changed_at,
    }
}

pub fn transaction(row: stock_transaction::Model) -> Decoded<StockTransaction> {
    Ok(StockTransaction {
        id: StockTransactionId(row.id),
        product: ProductId(row.product_id),
        sequence: row.sequence,
        movement: Movement {
            action: code!(domain::stock::Action, row.action)?,
            quantity: row.quantity,
            total_delta: row.total_delta,
            allocated_delta: row.allocated_delta,
        },
        after: Numbers { total: row.total_after, allocated: row.allocated_after },
        reason: code!(domain::transaction::Reason, row.reason)?,
        note: row.note,
        reference: row.reference,
        actor: row.actor,
        order: row.order_id.map(OrderId),
        operation: OperationId(row.operation_id),
        created_at: row.created_at,
    })
}

/// The columns of a [`LogEntryRow`].
pub const LOG_ENTRY_COLUMNS: [stock_transaction::Column; 9] = {
    use stock_transaction::Column::{
        Action, AllocatedAfter, AllocatedDelta, OrderId, ProductId, Reason, Sequence, TotalAfter, TotalDelta,
    };
    [OrderId, ProductId, Sequence, Action, Reason, TotalDelta, AllocatedDelta, TotalAfter, AllocatedAfter]
};

/// What comparisons need of a row of the log, as it is stored.
pub type LogEntryRow = (Option<Uuid>, Uuid, i32, String, String, i32, i32, i32, i32);

/// The order that caused a row, and the row.
pub fn log_entry(row: LogEntryRow) -> Decoded<(Option<OrderId>, LogEntry)> {
    let (order, product, sequence, action, reason, total_delta, allocated_delta, total, allocated) = row;
    // A reason that this release does not know is told of, although nothing here depends on it.
    code!(domain::transaction::Reason, reason)?;
    let entry = LogEntry {
        product: ProductId(product),
        sequence,
        action: code!(domain::stock::Action, action)?,
        total_delta,
        allocated_delta,
        after: Numbers { total, allocated },
    };
    Ok((order.map(OrderId), entry))
}

/// The position is the database's to give.
pub fn transaction_row(row: &StockTransaction) -> stock_transaction::Model {
    stock_transaction::Model {
        position: 0,
        id: row.id.0,
        product_id: row.product.0,
        sequence: row.sequence,
        action: row.movement.action.as_str().to_owned(),
        quantity: row.movement.quantity,
        total_delta: row.movement.total_delta,
        allocated_delta: row.movement.allocated_delta,
        available_delta: row.movement.total_delta - row.movement.allocated_delta,
        total_after: row.after.total,
        allocated_after: row.after.allocated,
        available_after: row.after.available(),
        reason: row.reason.as_str().to_owned(),
        note: row.note.clone(),
        reference: row.reference.clone(),
        actor: row.actor.clone(),
        order_id: row.order.map(|order| order.0),
        operation_id: row.operation.0,
        created_at: row.created_at,
    }
}

/// Items in the order in which they were added.
pub fn cart(row: cart::Model, mut items: Vec<cart_item::Model>) -> Decoded<Cart> {
    items.sort_by_key(|item| item.line);
    Ok(Cart {
        id: CartId(row.id),
        status: code!(domain::cart::Status, row.status)?,
        owner: row.owner,
        items: items
            .iter()
            .map(|item| CartItem { product: ProductId(item.product_id), quantity: item.quantity })
            .collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub fn cart_rows(cart: &Cart) -> (cart::Model, Vec<cart_item::Model>) {
    let row = cart::Model {
        id: cart.id.0,
        status: cart.status.as_str().to_owned(),
        owner: cart.owner.clone(),
        created_at: cart.created_at,
        updated_at: cart.updated_at,
    };
    let items = (0..).zip(&cart.items).map(|(line, item)| cart_item::Model {
        cart_id: cart.id.0,
        product_id: item.product.0,
        line,
        quantity: item.quantity,
    });
    (row, items.collect())
}

/// Items in the order of the cart's lines.
pub fn order(row: order::Model, mut items: Vec<order_item::Model>) -> Decoded<Order> {
    items.sort_by_key(|item| item.line);
    let total = money(row.total_amount, &row.total_currency)?;
    let item = |item: order_item::Model| Item {
        id: OrderItemId(item.id),
        product: ProductId(item.product_id),
        sku: item.sku,
        name: item.name,
        unit_price: Money { amount: item.unit_amount, ..total },
        quantity: item.quantity,
        allocated: item.allocated,
        shipped: item.shipped,
        cancelled: item.cancelled,
        returned: item.returned,
    };
    Ok(Order {
        id: OrderId(row.id),
        number: row.number,
        status: code!(domain::order::Status, row.status)?,
        payment: code!(domain::order::PaymentStatus, row.payment)?,
        shipping: code!(domain::order::ShippingStatus, row.shipping)?,
        cart: CartId(row.cart_id),
        owner: row.owner,
        customer: row.customer_email.map(|email| Customer { name: row.customer_name, email }),
        items: items.into_iter().map(item).collect(),
        total,
        cancel_reason: match row.cancel_reason {
            Some(reason) => Some(code!(domain::order::CancelReason, reason)?),
            None => None,
        },
        cancel_note: row.cancel_note,
        version: row.version,
        placed_at: row.placed_at,
        updated_at: row.updated_at,
    })
}

pub fn order_rows(order: &Order) -> (order::Model, Vec<order_item::Model>) {
    let customer = order.customer.as_ref();
    let row = order::Model {
        id: order.id.0,
        number: order.number.clone(),
        status: order.status.as_str().to_owned(),
        payment: order.payment.as_str().to_owned(),
        shipping: order.shipping.as_str().to_owned(),
        cart_id: order.cart.0,
        owner: order.owner.clone(),
        customer_name: customer.and_then(|customer| customer.name.clone()),
        customer_email: customer.map(|customer| customer.email.clone()),
        total_amount: order.total.amount,
        total_currency: order.total.currency.code().to_owned(),
        cancel_reason: order.cancel_reason.map(|reason| reason.as_str().to_owned()),
        cancel_note: order.cancel_note.clone(),
        version: order.version,
        placed_at: order.placed_at,
        updated_at: order.updated_at,
    };
    let items = (0..).zip(&order.items).map(|(line, item)| order_item::Model {
        id: item.id.0,
        order_id: order.id.0,
        line,
        product_id: item.product.0,
        sku: item.sku.clone(),
        name: item.name.clone(),
        unit_amount: item.unit_price.amount,
        quantity: item.quantity,
        allocated: item.allocated,
        shipped: item.shipped,
        cancelled: item.cancelled,
        returned: item.returned,
    });
    (row, items.collect())
}

pub fn shipment(row: shipment::Model, mut items: Vec<shipment_item::Model>) -> Shipment {
    items.sort_by_key(|item| item.line);
    let item = |item: shipment_item::Model| domain_shipment::Item {
        order_item: OrderItemId(item.order_item_id),
        quantity: item.quantity,
    };
    Shipment {
        id: ShipmentId(row.id),
        order: OrderId(row.order_id),
        items: items.into_iter().map(item).collect(),
        carrier: row.carrier,
        tracking_number: row.tracking_number,
        shipped_at: row.shipped_at,
    }
}

pub fn shipment_rows(shipment: &Shipment) -> (shipment::Model, Vec<shipment_item::Model>) {
    let row = shipment::Model {
        id: shipment.id.0,
        order_id: shipment.order.0,
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        shipped_at: shipment.shipped_at,
    };
    let items = (0..).zip(&shipment.items).map(|(line, item)| shipment_item::Model {
        shipment_id: shipment.id.0,
        order_item_id: item.order_item.0,
        line,
        quantity: item.quantity,
    });
    (row, items.collect())
}

/// An answer that cannot be read is told of by the command that asks for it, and not before.
pub fn key(row: idempotency_key::Model) -> KeyRecord {
    KeyRecord {
        id: KeyId { scope: row.scope, key: row.key },
        mutation: row.mutation,
        fingerprint: row.fingerprint,
        payment: row.payment_id.map(PaymentId),
        answer: row.answer.map(|answer| serde_json::from_str(&answer).unwrap_or(Kept::Unreadable)),
        created_at: row.created_at,
    }
}

/// # Errors
/// When the answer cannot be written: one that this release could not read.
pub fn key_row(key: &KeyRecord) -> Decoded<idempotency_key::Model> {
    let answer = key.answer.as_ref().map(serde_json::to_string).transpose();
    Ok(idempotency_key::Model {
        scope: key.id.scope.clone(),
        key: key.id.key.clone(),
        mutation: key.mutation.clone(),
        fingerprint: key.fingerprint.clone(),
        payment_id: key.payment.map(|payment| payment.0),
        answer: answer.map_err(|error| DbErr::Custom(format!("an answer cannot be kept: {error}")))?,
        created_at: key.created_at,
    })
}

/// Groups rows by the id of what they belong to.
pub fn group<R>(rows: Vec<R>, parent: impl Fn(&R) -> Uuid) -> std::collections::BTreeMap<Uuid, Vec<R>> {
    let mut groups = std::collections::BTreeMap::<Uuid, Vec<R>>::new();
    for row in rows {
        groups.entry(parent(&row)).or_default().push(row);
    }
    groups
}

#[cfg(test)]
mod tests {
    use domain::commands::{AdjustedRows, ImportedRow, PayAnswer, RowResult};
    use domain::rejection::Rejection;

    use super::*;

    /// Releases that run beside each other read each other's answers: this is how they are stored, byte for byte.
    #[test]
    fn kept_answers_are_stored_as_they_always_were() {
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let text = id.to_string();
        let pay = PayAnswer {
            payment: Some(PaymentId(id)),
            order: OrderId(id),
            errors: vec![Rejection::insufficient_stock().at(["orderId"])],
        };
        let none = PayAnswer { payment: None, errors: Vec::new(), ..pay.clone() };
        let adjust =
            AdjustedRows { stocks: vec![ProductId(id)], transactions: vec![StockTransactionId(id)], preview: vec![] };
        let numbers = Numbers { total: 5, allocated: 2 };
        let row =
            ImportedRow { run: id, result: RowResult::Set, before: Some(numbers), after: numbers, is_archived: false };
        let errors =
            r#"[{"code":"InsufficientStock","message":"There is not enough stock.","field":["input","orderId"]}]"#;
        for (kept, stored) in [
            (Kept::from(pay), format!(r#"{{"payment":"{text}","order":"{text}","errors":{errors}}}"#)),
            (Kept::from(none), format!(r#"{{"payment":null,"order":"{text}","errors":[]}}"#)),
            (Kept::from(adjust), format!(r#"{{"stocks":["{text}"],"transactions":["{text}"],"preview":[]}}"#)),
            (
                Kept::from(row),
                format!(
                    r#"{{"run":"{text}","result":"Set","before":{{"total":5,"allocated":2}},"after":{{"total":5,"allocated":2}},"is_archived":false}}"#
                ),
            ),
            (Kept::from(CartId(id)), format!(r#""{text}""#)),
            (Kept::from(OrderId(id)), format!(r#""{text}""#)),
            (Kept::from(id), format!(r#""{text}""#)),
        ] {
            assert_eq!(serde_json::to_string(&kept).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Kept>(&stored).unwrap(), kept, "{stored}");
        }
        let old = format!(r#"{{"run":"{text}","result":"Added","before":null,"after":{{"total":5,"allocated":2}}}}"#);
        assert!(matches!(serde_json::from_str(&old), Ok(Kept::Row(row)) if !row.is_archived), "an earlier release's");
        for other in ["{}", "7", "null", r#"{"order":1}"#] {
            assert!(serde_json::from_str::<Kept>(other).is_err(), "{other}");
        }
        assert!(serde_json::to_string(&Kept::Unreadable).is_err(), "what cannot be read is never written");
    }
}
