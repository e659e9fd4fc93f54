//! The gateways `http` and `stripe`, against servers that speak their wires and misbehave: whatever goes wrong, at most one
//! charge of an order keeps money, and units are held exactly as long as money was or may be taken.

/// Plays each story with each provider.
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        mod http {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story::<crate::support::providers::PaymentService>().await;
            })*
        }

        mod stripe {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story::<crate::support::providers::StripeStandIn>().await;
            })*
        }
    };
}

mod both;
mod http;
mod operations;
mod package;
mod stripe;

use std::time::Duration;

use onhand::config::PaymentTimeouts;
use serde_json::{Value, json};

use crate::support::providers::{Fate, StandIn};
use crate::support::{Paid, Shop, Wanted, codes, eventually, patient_times, short, short_times};

/// So long after a payment began a search at Stripe is not late any more, and the lease of the attempt is over.
const SOON: Duration = Duration::from_mins(6);

/// Payment times for what is answered: nothing is ever given up.
const fn answered() -> PaymentTimeouts {
    PaymentTimeouts { pay_lease: Duration::from_secs(100), ..patient_times() }
}

/// Payment times for what is not: whoever asks is answered when the provider was waited for long enough, on any machine.
const fn silent() -> PaymentTimeouts {
    PaymentTimeouts { pay_answer: answered().pay_answer, ..short_times() }
}

/// A shop and its payment provider. Every product has one unit, at 10.00 EUR.
struct Till<S> {
    shop: Shop,
    provider: S,
}

/// An order for the only unit of a product.
struct Sale {
    product: String,
    order: String,
}

impl<S: StandIn> Till<S> {
    async fn open(times: PaymentTimeouts) -> Self {
        Self::open_as(Wanted { times, ..Wanted::default() }).await
    }

    async fn open_as(wanted: Wanted) -> Self {
        let provider = S::open().await;
        let shop = Shop::open_as(Wanted { gateways: provider.settings(), ..wanted }).await;
        provider.desk().connect(&shop.url);
        Self { shop, provider }
    }

    async fn sale(&self, sku: &str) -> Sale {
        let product = self.shop.product(sku, 1).await;
        let order = self.shop.order_of(&product).await;
        Sale { product, order }
    }

    async fn pay(&self, sale: &Sale, fate: Fate) -> Paid {
        let input = json!({ "orderId": sale.order, "gateway": S::GATEWAY, "token": S::token(fate) });
        short(&self.shop.pay_with(input).await)
    }

    /// Pays as `payOrder`'s method says. Returns the id of the payment.
    async fn authorize(&self, sale: &Sale) -> String {
        let input = json!({ "orderId": sale.order, "gateway": S::GATEWAY, "method": "AUTHORIZE",
            "token": S::token(Fate::Succeed) });
        let payload = self.shop.pay_with(input).await;
        payload["payment"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    /// Captures, voids or refunds. Returns the codes of the user errors.
    async fn operate(&self, mutation: &str, input: Value) -> Vec<String> {
        let kind = mutation[..1].to_ascii_uppercase() + &mutation[1..];
        let query = format!(
            "mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{ payment {{ status }} userErrors {{ code message }} }} }}"
        );
        let data = self.shop.data(&query, json!({ "input": input })).await;
        codes(&data[mutation]).into_iter().map(str::to_owned).collect()
    }

    /// The clocks of both go forward.
    fn advance(&self, by: Duration) {
        self.shop.advance(by);
        self.provider.desk().advance(by);
    }

    async fn payment(&self, sale: &Sale) -> String {
        let order = self.shop.read_order(&sale.order).await;
        order["payment"].as_str().expect("a status").to_owned()
    }

    /// Pays for an order and refunds a part of it. Returns the id of the payment.
    async fn refunded_in_part(&self, sale: &Sale) -> String {
        self.pay(sale, Fate::Succeed).await;
        self.becomes(sale, "PAID").await;
        let order = self.shop.read_order(&sale.order).await;
        let payment = order["payments"][0]["id"].as_str().expect("an id").to_owned();
        self.operate("refundPayment", json!({ "paymentId": payment, "amount": 400 })).await;
        self.becomes(sale, "PARTIALLY_REFUNDED").await;
        payment
    }

    /// The only refund of an order failed for this reason, once, and all money can be refunded.
    async fn is_due_again(&self, sale: &Sale, payment: &str, reason: &str) {
        let order = self.shop.read_order(&sale.order).await;
        let paid = &order["payments"][0];
        let refund = &paid["refunds"][0];
        assert_eq!((&order["payment"], &paid["refunded"]["amount"]), (&json!("PAID"), &json!(0)), "{order}");
        assert_eq!((&refund["status"], &refund["failureReason"]), (&json!("FAILED"), &json!(reason)), "{order}");
        self.is_allocated_once(sale).await;
        assert_eq!(self.operate("refundPayment", json!({ "paymentId": payment, "amount": 600 })).await, [""; 0]);
        self.becomes(sale, "PARTIALLY_REFUNDED").await;
    }

    async fn becomes(&self, sale: &Sale, payment: &str) {
        eventually(payment, async || self.payment(sale).await == payment).await;
    }

    /// The order, its unit and the money agree. Returns whether the order is paid.
    async fn adds_up(&self, sale: &Sale, what: &str) -> bool {
        let payment = self.payment(sale).await;
        let (total, allocated, available) = self.shop.stock(&sale.product).await;
        let (taken, charges) = (self.provider.taken(&sale.order), self.provider.charges(&sale.order));
        assert_eq!((total, allocated + available), (1, 1), "{what}");
        let expected = match payment.as_str() {
            "PAID" => (1_000, 1, 1),
            "UNPAID" => (0, 0, 0),
            other => panic!("{what}: {other}"),
        };
        assert_eq!((taken, charges, allocated), expected, "{what}: {payment}");
        payment == "PAID"
    }

    async fn is_held(&self, sale: &Sale, what: &str) {
        assert_eq!(self.payment(sale).await, "IN_PROGRESS", "{what}");
        assert_eq!(self.shop.stock(&sale.product).await, (1, 1, 0), "{what}");
    }

    /// Its log has one allocation, and nothing else since it was made.
    async fn is_allocated_once(&self, sale: &Sale) {
        let log = self.shop.log(&sale.product).await;
        assert_eq!(log, ["CREATE 1", "ALLOCATE 1"]);
    }
}
