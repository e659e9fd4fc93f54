//! A small history in which every promise was kept: one product, four orders, two gateways, a subscriber and a reader.

use sea_orm::prelude::DateTimeUtc;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::{CartItem, Item, LogRow, Order, Payment, Shop, Stock};
use crate::id::id;
use crate::journal::{GatewayEvent, Outcome, Record};

/// The product.
pub const PRODUCT: Uuid = Uuid::from_u128(1);
/// Paid through the gateway and shipped.
pub const SHIPPED: Uuid = Uuid::from_u128(10);
/// Declined once, voided once, and unpaid.
pub const UNPAID: Uuid = Uuid::from_u128(11);
/// Cancelled before anybody paid.
pub const CANCELLED: Uuid = Uuid::from_u128(12);
/// Paid without a gateway, not shipped yet.
pub const PAID: Uuid = Uuid::from_u128(13);
/// A cart that nobody checked out.
pub const CART: Uuid = Uuid::from_u128(30);
/// The payment of the order that was shipped.
pub const CHARGED: Uuid = Uuid::from_u128(20);
/// The payment that was declined.
pub const DECLINED: Uuid = Uuid::from_u128(21);
/// The payment that was voided.
pub const VOIDED: Uuid = Uuid::from_u128(22);
/// The payment without a gateway.
pub const MANUAL: Uuid = Uuid::from_u128(23);
/// Nobody's.
pub const OTHER: Uuid = Uuid::from_u128(99);
/// The SKU of the product.
pub const SKU: &str = "ONE";
/// Price of a unit.
pub const PRICE: i64 = 100;
/// Who looks on.
pub const SUBSCRIBER: u64 = 1;

/// A shop and what its clients wrote down.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What is stored.
    pub shop: Shop,
    /// What was written down.
    pub journal: Vec<Record>,
    calls: u64,
}

impl History {
    /// The sound one.
    pub fn sound() -> Self {
        let mut history = Self::default();
        history.stock();
        for (order, units) in [(SHIPPED, 2), (UNPAID, 1), (CANCELLED, 1), (PAID, 3)] {
            history.order(order, units);
        }
        history.ends();
        history.calls_about_stock();
        for (order, cart) in history.shop.orders.clone().into_values().map(|order| (order.id, order.cart_id)) {
            history.calls_about_order(order, cart);
        }
        history.cart(CART, 4);
        history.calls_about_payments();
        history.subscriber();
        history
    }

    fn stock(&mut self) {
        let moves: [(&str, i32, Option<Uuid>); 9] = [
            ("create", 10, None),
            ("increment", 5, None),
            ("allocate", 2, Some(SHIPPED)),
            ("ship", 2, Some(SHIPPED)),
            ("allocate", 1, Some(UNPAID)),
            ("deallocate", 1, Some(UNPAID)),
            ("allocate", 1, Some(UNPAID)),
            ("deallocate", 1, Some(UNPAID)),
            ("allocate", 3, Some(PAID)),
        ];
        for (action, quantity, order) in moves {
            self.add_row(action, quantity, order);
        }
        self.row(2).note = Some("delivery".to_owned());
        self.shop.skus.insert(PRODUCT, SKU.to_owned());
    }

    /// Adds a row of the log, and makes the stock what it says.
    pub fn add_row(&mut self, action: &str, quantity: i32, order_id: Option<Uuid>) {
        let reason = match (action, order_id) {
            ("create", _) => "initial",
            ("allocate", Some(_)) => "order_payment",
            ("deallocate", Some(_)) => "payment_failed",
            ("ship", Some(_)) => "order_shipped",
            ("increment", Some(_)) => "return",
            _ => "other",
        };
        let rows = self.shop.log.entry(PRODUCT).or_default();
        let (total, allocated) = rows.last().map_or((0, 0), |row| (row.total_after, row.allocated_after));
        let (total_delta, allocated_delta) = match action {
            "allocate" => (0, quantity),
            "deallocate" => (0, -quantity),
            "ship" => (-quantity, -quantity),
            "decrement" => (-quantity, 0),
            "set" => (quantity - total, 0),
            _ => (quantity, 0),
        };
        let (total, allocated) = (total + total_delta, allocated + allocated_delta);
        let sequence = i32::try_from(rows.len() + 1).expect("a short log");
        rows.push(LogRow {
            product_id: PRODUCT,
            sequence,
            action: action.to_owned(),
            quantity,
            total_delta,
            allocated_delta,
            total_after: total,
            allocated_after: allocated,
            available_after: total - allocated,
            reason: reason.to_owned(),
            note: None,
            order_id,
            created_at: DateTimeUtc::from_timestamp(i64::from(sequence), 0).expect("a time"),
        });
        let by_hand = rows.iter().filter(|row| row.order_id.is_none()).map(|row| row.allocated_delta).sum();
        let stock = Stock {
            product_id: PRODUCT,
            managed: true,
            total,
            allocated,
            by_hand,
            held: 0,
            sequence,
            version: sequence,
        };
        self.shop.stocks.insert(PRODUCT, stock);
    }

    /// Adds a row of the log that somebody asked for, who was not answered.
    pub fn add_adjustment(&mut self, action: &str, quantity: i32) {
        self.add_row(action, quantity, None);
        let sequence = self.stock_of().sequence;
        let note = format!("adjustment {sequence}");
        self.row(usize::try_from(sequence).expect("a row")).note = Some(note.clone());
        let change =
            json!({ "productId": id("product", PRODUCT), "action": action.to_uppercase(), "quantity": quantity });
        self.call("adjustStock", json!({ "changes": [change], "note": note }), None::<Outcome>);
    }

    /// Adds an unpaid order, and its cart.
    pub fn order(&mut self, order: Uuid, units: i32) {
        let cart = Uuid::from_u128(order.as_u128() + 100);
        let total_amount = PRICE * i64::from(units);
        let (status, payment, shipping) = ("incomplete".to_owned(), "unpaid".to_owned(), "unfulfilled".to_owned());
        let number = format!("N{}", order.as_u128());
        self.shop.orders.insert(
            order,
            Order { id: order, number, status, payment, shipping, cart_id: cart, total_amount, held_until: None },
        );
        self.shop.items.insert(
            order,
            vec![Item {
                id: item_of(order),
                order_id: order,
                product_id: PRODUCT,
                unit_amount: PRICE,
                quantity: units,
                allocated: 0,
                shipped: 0,
                cancelled: 0,
                returned: 0,
            }],
        );
        self.cart(cart, units);
        self.shop.carts.insert(cart, "checked_out".to_owned());
    }

    fn cart(&mut self, cart: Uuid, quantity: i32) {
        self.shop.carts.insert(cart, "open".to_owned());
        self.shop.cart_items.insert(cart, vec![CartItem { cart_id: cart, product_id: PRODUCT, quantity }]);
        let items = json!([{ "productId": id("product", PRODUCT), "quantity": quantity }]);
        self.call("createCart", json!({ "items": items }), done(json!({ "cart": id("cart", cart) })));
    }

    /// How the orders ended.
    fn ends(&mut self) {
        let states = [(SHIPPED, "complete", "paid", "fulfilled"), (PAID, "complete", "paid", "unfulfilled")];
        for (order, status, payment, shipping) in states {
            self.set_states(order, status, payment, shipping);
        }
        self.order_of(CANCELLED).status = "cancelled".to_owned();
        self.item(SHIPPED).shipped = 2;
        self.item(PAID).allocated = 3;
        self.send(SHIPPED, 2);
        self.add_payment(CHARGED, SHIPPED, "http", "succeeded");
        self.add_payment(DECLINED, UNPAID, "http", "declined");
        self.add_payment(VOIDED, UNPAID, "http", "voided");
        self.add_payment(MANUAL, PAID, "manual", "succeeded");
    }

    /// How it stands with an order.
    pub fn set_states(&mut self, order: Uuid, status: &str, payment: &str, shipping: &str) {
        let order = self.order_of(order);
        (order.status, order.payment, order.shipping) = (status.to_owned(), payment.to_owned(), shipping.to_owned());
    }

    /// Puts units of an order into a shipment.
    pub fn send(&mut self, order: Uuid, units: i32) {
        *self.shop.shipments.entry(order).or_default() += 1;
        let parcels = self.shop.parcels.entry(order).or_default();
        parcels.push(Uuid::from_u128(1_000 * order.as_u128() + parcels.len() as u128));
        *self.shop.sent.entry(item_of(order)).or_default() += units;
    }

    /// Adds a payment of an order, under a key of its own.
    pub fn add_payment(&mut self, payment: Uuid, order: Uuid, gateway: &str, status: &str) {
        let amount = self.order_of(order).total_amount;
        let (gateway, status) = (gateway.to_owned(), status.to_owned());
        let key = Some(key_of(payment));
        self.shop.payments.entry(order).or_default().push(Payment {
            id: payment,
            order_id: order,
            gateway,
            method: "purchase".to_owned(),
            status,
            amount,
            refunded: 0,
            key,
        });
    }

    fn calls_about_stock(&mut self) {
        let product = id("product", PRODUCT);
        let versions = json!({ PRODUCT.to_string(): 1 });
        self.call("createProduct", json!({ "sku": SKU }), done(json!({ "product": product, "versions": versions })));
        self.adjust("delivery", done(json!({ "versions": { PRODUCT.to_string(): 2 } })));
        self.adjust("too much", refused("INSUFFICIENT_STOCK"));
    }

    /// A call that adjusts stock, under a note.
    pub fn adjust(&mut self, note: &str, outcome: impl Into<Option<Outcome>>) {
        let change = json!({ "productId": id("product", PRODUCT), "action": "INCREMENT", "quantity": 5 });
        self.call("adjustStock", json!({ "changes": [change], "note": note, "idempotencyKey": note }), outcome);
    }

    fn calls_about_order(&mut self, order: Uuid, cart: Uuid) {
        let key = format!("check out {cart}");
        let input = json!({ "cartId": id("cart", cart), "idempotencyKey": key });
        self.call("checkOut", input, done(json!({ "order": id("order", order) })));
    }

    fn calls_about_payments(&mut self) {
        self.pay(SHIPPED, CHARGED, "SUCCEEDED");
        self.pay(UNPAID, DECLINED, "DECLINED");
        self.pay(UNPAID, VOIDED, "IN_PROGRESS");
        self.pay(PAID, MANUAL, "SUCCEEDED");
        for (payment, order, end) in [
            (CHARGED, SHIPPED, GatewayEvent::Charged),
            (DECLINED, UNPAID, GatewayEvent::Declined),
            (VOIDED, UNPAID, GatewayEvent::Voided),
        ] {
            self.gateway(payment, order, GatewayEvent::Asked);
            self.gateway(payment, order, end);
        }
        let about = |order| json!({ "orderId": id("order", order) });
        self.call("shipOrder", about(SHIPPED), done(json!({ "order": id("order", SHIPPED) })));
        self.call("shipOrder", about(UNPAID), refused("INVALID_STATE"));
        self.call("cancelOrder", about(CANCELLED), done(json!({ "order": id("order", CANCELLED) })));
        self.call("cancelOrder", about(SHIPPED), refused("INVALID_STATE"));
    }

    /// A call that pays an order and is answered with this payment.
    pub fn pay(&mut self, order: Uuid, payment: Uuid, status: &str) {
        let input = json!({ "orderId": id("order", order), "idempotencyKey": key_of(payment) });
        let answer = json!({ "payment": id("payment", payment), "order": id("order", order), "status": status });
        self.call("payOrder", input, done(answer));
    }

    /// Something happens at the gateway.
    pub fn gateway(&mut self, payment: Uuid, order: Uuid, event: GatewayEvent) {
        let amount = self.shop.orders.get(&order).map_or(PRICE, |order| order.total_amount);
        self.journal.push(Record::Gateway { payment, order, operation: None, amount, event });
    }

    fn subscriber(&mut self) {
        let subscriber = SUBSCRIBER;
        self.journal.push(Record::Subscribed { subscriber, products: vec![PRODUCT] });
        for sequence in [1, 2, 9] {
            self.journal.push(self.saw(sequence));
        }
        self.journal.push(Record::Followed { subscriber, order: SHIPPED });
        let states = ["COMPLETE", "PAID", "FULFILLED"].map(str::to_owned);
        self.journal.push(Record::SawOrder { subscriber, order: SHIPPED, states });
        self.journal.push(Record::FollowedLog { subscriber });
        for sequence in 1..=9 {
            self.journal.push(Record::SawRow { subscriber, product: PRODUCT, sequence });
        }
        self.journal.push(Record::Rested { subscriber });
        self.read(9);
    }

    /// A state that the subscriber was sent: the one after this row of the log.
    pub fn saw(&self, sequence: i32) -> Record {
        let row = &self.shop.log[&PRODUCT][usize::try_from(sequence - 1).expect("a row")];
        let numbers = [row.total_after, row.allocated_after, row.available_after];
        Record::Saw { subscriber: SUBSCRIBER, product: PRODUCT, version: sequence, numbers }
    }

    /// Somebody reads this version.
    pub fn read(&mut self, version: i32) {
        self.calls += 1;
        self.journal.push(Record::Read { read: self.calls, product: PRODUCT });
        self.journal.push(Record::Found { read: self.calls, version });
    }

    /// A call, and its answer if there is one.
    pub fn call(&mut self, mutation: &str, input: Value, outcome: impl Into<Option<Outcome>>) {
        self.calls += 1;
        let call = self.calls;
        self.journal.push(Record::Call { call, mutation: mutation.to_owned(), input });
        self.journal.extend(outcome.into().map(|outcome| Record::Answer { call, outcome }));
    }

    /// Takes records out of the journal.
    pub fn forget_all(&mut self, is_it: impl Fn(&Record) -> bool) {
        self.journal.retain(|record| !is_it(record));
    }

    /// Puts a record before the first one that is like this.
    pub fn insert_before(&mut self, record: Record, is_like: impl Fn(&Record) -> bool) {
        let at = self.journal.iter().position(is_like).expect("a record");
        self.journal.insert(at, record);
    }

    /// Lets the subscriber hear of the stock as it is now, and of every row of the log. Nobody has read it.
    pub fn tell_the_last(&mut self) {
        let (subscriber, product) = (SUBSCRIBER, PRODUCT);
        let stock = self.stock_of().clone();
        let numbers = [stock.total, stock.allocated, stock.total - stock.allocated];
        self.journal.retain(|record| !matches!(record, Record::Saw { version: 9, .. } | Record::Found { .. }));
        let saw = Record::Saw { subscriber, product, version: stock.version, numbers };
        self.insert_before(saw, |record| matches!(record, Record::Followed { .. }));
        for sequence in 10..=stock.sequence {
            let row = Record::SawRow { subscriber, product, sequence };
            self.insert_before(row, |record| matches!(record, Record::Rested { .. }));
        }
    }

    /// Takes away what happened at the gateway about a payment.
    pub fn forget(&mut self, of: Uuid, what: GatewayEvent) {
        let is_it = |record: &Record| matches!(record, Record::Gateway { payment, event, .. } if *payment == of && *event == what);
        self.journal.retain(|record| !is_it(record));
    }

    /// A row of the log.
    pub fn row(&mut self, sequence: usize) -> &mut LogRow {
        &mut self.shop.log.get_mut(&PRODUCT).expect("a log")[sequence - 1]
    }

    /// The stock.
    pub fn stock_of(&mut self) -> &mut Stock {
        self.shop.stocks.get_mut(&PRODUCT).expect("stock")
    }

    /// An order.
    pub fn order_of(&mut self, order: Uuid) -> &mut Order {
        self.shop.orders.get_mut(&order).expect("an order")
    }

    /// The only line of an order.
    pub fn item(&mut self, order: Uuid) -> &mut Item {
        &mut self.shop.items.get_mut(&order).expect("items")[0]
    }

    /// A payment.
    pub fn payment(&mut self, payment: Uuid) -> &mut Payment {
        let mut all = self.shop.payments.values_mut().flatten();
        all.find(|known| known.id == payment).expect("a payment")
    }
}

/// It was done.
pub fn done(data: Value) -> Outcome {
    Outcome::Done { data, codes: Vec::new() }
}

/// It was refused.
pub fn refused(code: &str) -> Outcome {
    Outcome::Refused { codes: vec![code.to_owned()] }
}

/// The only line of an order.
pub fn item_of(order: Uuid) -> Uuid {
    Uuid::from_u128(order.as_u128() + 300)
}

/// The key under which a payment was begun.
pub fn key_of(payment: Uuid) -> String {
    format!("pay {}", payment.as_u128())
}
