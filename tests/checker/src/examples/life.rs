//! The sound history goes on: an order that was held, authorized, captured, shipped in part and refunded in parts; one whose
//! authorization was voided; and one whose money came after its payment was voided by force.

use serde_json::json;
use uuid::Uuid;

use super::history::{History, done, item_of, key_of};
use crate::database::Operation;
use crate::id::id;
use crate::journal::{GatewayEvent, Record};

/// Held, authorized, captured, shipped in part, and refunded in two parts.
pub const CAPTURED: Uuid = Uuid::from_u128(14);
/// Authorized and voided.
pub const GIVEN_UP: Uuid = Uuid::from_u128(15);
/// Voided by force, and charged all the same.
pub const LATE: Uuid = Uuid::from_u128(16);
/// The payment of the first.
pub const RESERVED: Uuid = Uuid::from_u128(24);
/// The payment of the second.
pub const FREED: Uuid = Uuid::from_u128(25);
/// The payment of the third.
pub const FORCED: Uuid = Uuid::from_u128(26);
/// The capture.
pub const CAPTURE: Uuid = Uuid::from_u128(40);
/// The first refund, of a unit that was still held.
pub const REFUND: Uuid = Uuid::from_u128(41);
/// The second refund, of a unit that was shipped.
pub const RETURN: Uuid = Uuid::from_u128(42);
/// The refund of what came late.
pub const SENT_BACK: Uuid = Uuid::from_u128(45);

impl History {
    /// The sound one, and these three orders.
    pub fn life() -> Self {
        let mut history = Self::sound();
        history.captured();
        history.given_up();
        history.late();
        history.tell_the_last();
        history
    }

    fn captured(&mut self) {
        self.order(CAPTURED, 4);
        self.check_out(CAPTURED, true);
        for (action, quantity, reason) in [
            ("allocate", 4, "hold"),
            ("ship", 2, "order_shipped"),
            ("deallocate", 1, "refunded"),
            ("increment", 1, "return"),
        ] {
            self.add_row_for(action, quantity, CAPTURED, reason);
        }
        self.set_states(CAPTURED, "complete", "partially_refunded", "partially_fulfilled");
        let item = self.item(CAPTURED);
        (item.allocated, item.shipped, item.cancelled, item.returned) = (1, 2, 1, 1);
        self.send(CAPTURED, 2);
        self.add_payment(RESERVED, CAPTURED, "http", "succeeded");
        (self.payment(RESERVED).method, self.payment(RESERVED).refunded) = ("authorize".to_owned(), 200);
        self.gateway(RESERVED, CAPTURED, GatewayEvent::Authorized);
        self.pay(CAPTURED, RESERVED, "AUTHORIZED");
        let part = json!([{ "orderItemId": id("item", item_of(CAPTURED)), "quantity": 2 }]);
        self.call("shipOrder", json!({ "orderId": id("order", CAPTURED), "items": part }), done(json!({})));
        self.operate(CAPTURE, RESERVED, "capture", 400);
        self.operate(REFUND, RESERVED, "refund", 100);
        self.operate(RETURN, RESERVED, "refund", 100);
    }

    fn given_up(&mut self) {
        self.order(GIVEN_UP, 1);
        self.check_out(GIVEN_UP, false);
        self.add_row_for("allocate", 1, GIVEN_UP, "order_payment");
        self.add_row_for("deallocate", 1, GIVEN_UP, "payment_voided");
        self.add_payment(FREED, GIVEN_UP, "http", "voided");
        self.payment(FREED).method = "authorize".to_owned();
        self.gateway(FREED, GIVEN_UP, GatewayEvent::Authorized);
        self.pay(GIVEN_UP, FREED, "AUTHORIZED");
        self.operate(Uuid::from_u128(43), FREED, "void", 100);
        self.gateway(FREED, GIVEN_UP, GatewayEvent::Voided);
    }

    fn late(&mut self) {
        self.order(LATE, 1);
        self.check_out(LATE, false);
        self.add_row_for("allocate", 1, LATE, "order_payment");
        self.add_row_for("deallocate", 1, LATE, "payment_voided");
        self.add_payment(FORCED, LATE, "http", "voided");
        self.payment(FORCED).refunded = 100;
        self.pay(LATE, FORCED, "IN_PROGRESS");
        let forced = Uuid::from_u128(44);
        self.operate(forced, FORCED, "forced_void", 100);
        self.operation(forced).status = "failed".to_owned();
        self.gateway(FORCED, LATE, GatewayEvent::Charged);
        self.add_operation(SENT_BACK, FORCED, "refund", 100);
        self.operation(SENT_BACK).actor = "system".to_owned();
        self.moved(SENT_BACK, GatewayEvent::Refunded);
    }

    fn check_out(&mut self, order: Uuid, hold: bool) {
        let input = json!({ "cartId": id("cart", self.order_of(order).cart_id), "hold": hold });
        self.call("checkOut", input, done(json!({ "order": id("order", order) })));
    }

    fn add_row_for(&mut self, action: &str, quantity: i32, order: Uuid, reason: &str) {
        self.add_row(action, quantity, Some(order));
        let last = usize::try_from(self.stock_of().sequence).expect("a row");
        reason.clone_into(&mut self.row(last).reason);
    }

    /// Adds an operation that has succeeded, under a key of its own.
    pub fn add_operation(&mut self, operation: Uuid, payment: Uuid, kind: &str, amount: i64) {
        let order_id = self.payment(payment).order_id;
        let [kind, status, actor] = [kind, "succeeded", "development"].map(str::to_owned);
        let key = Some(key_of(operation));
        let row = Operation { id: operation, order_id, payment_id: payment, kind, status, amount, actor, key };
        self.shop.operations.entry(payment).or_default().push(row);
    }

    /// Adds an operation that somebody asked for, what it moved, and its answer.
    fn operate(&mut self, operation: Uuid, payment: Uuid, kind: &str, amount: i64) {
        self.add_operation(operation, payment, kind, amount);
        let mut input = json!({ "paymentId": id("payment", payment), "idempotencyKey": key_of(operation) });
        let mutation = match kind {
            "capture" => "capturePayment",
            "refund" => "refundPayment",
            _ => "voidPayment",
        };
        if kind == "refund" {
            input["restock"] = json!([{ "orderItemId": id("item", item_of(CAPTURED)), "quantity": 1 }]);
        }
        if kind == "forced_void" {
            input["force"] = true.into();
        }
        self.call(mutation, input, done(json!({ "payment": id("payment", payment) })));
        match kind {
            "capture" => self.moved(operation, GatewayEvent::Captured),
            "refund" => self.moved(operation, GatewayEvent::Refunded),
            _ => {}
        }
    }

    /// An operation.
    pub fn operation(&mut self, operation: Uuid) -> &mut Operation {
        let mut all = self.shop.operations.values_mut().flatten();
        all.find(|known| known.id == operation).expect("an operation")
    }

    /// Money moves at the service, as this operation says.
    pub fn moved(&mut self, operation: Uuid, event: GatewayEvent) {
        let Operation { order_id, payment_id, amount, .. } = self.operation(operation).clone();
        self.moves(payment_id, order_id, operation, amount, event);
    }

    /// Money moves at the service under this id.
    pub fn moves(&mut self, payment: Uuid, order: Uuid, operation: Uuid, amount: i64, event: GatewayEvent) {
        self.journal.push(Record::Gateway { payment, order, operation: Some(operation), amount, event });
    }

    /// Takes away what was moved under an id.
    pub fn forget_movement(&mut self, of: Uuid) {
        self.forget_all(|record| matches!(record, Record::Gateway { operation: Some(id), .. } if *id == of));
    }
}
