//! What people do in a shop, in the words of the API, short enough to tell a story.

use serde_json::{Value, json};

use super::Client;

const CART: &str =
    "id status items { quantity product { sku } subtotal { amount } } totalQuantity subtotal { amount currency }";
const ORDER: &str = "id number status payment shipping total { amount currency } cancelReason \
    items { id sku name quantity allocatedQuantity shippedQuantity cancelledQuantity returnedQuantity unitPrice { amount } subtotal { amount } } \
    payments { id status declineReason refunded { amount } refunds { id status failureReason reference amount { amount } } } shipments { id carrier trackingNumber items { quantity orderItem { sku } } }";
const ERRORS: &str = "userErrors { code message field }";

/// What became of paying, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// `SUCCEEDED` and so on; `-` for no payment.
    pub payment: String,
    /// `PAID` and so on.
    pub order: String,
    /// The codes of the user errors.
    pub codes: Vec<String>,
}

/// What became of paying, to compare with.
pub fn paid(payment: &str, order: &str, codes: &[&str]) -> Paid {
    Paid { payment: payment.into(), order: order.into(), codes: codes.iter().map(|code| (*code).to_owned()).collect() }
}

/// The codes of the user errors of a payload.
pub fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().expect("userErrors").iter().filter_map(|error| error["code"].as_str()).collect()
}

impl Client {
    /// Makes a product with so many units, at 10.00 EUR, and returns its id.
    pub async fn product(&self, sku: &str, stock: i32) -> String {
        let input = json!({ "sku": sku, "name": format!("Product {sku}"), "initialStock": stock,
            "price": { "amount": 1000, "currency": "EUR" } });
        let payload = self.create_product(input).await;
        payload["product"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    /// Makes a product.
    pub async fn create_product(&self, input: Value) -> Value {
        let query = format!(
            "mutation($input: CreateProductInput!) {{ createProduct(input: $input) {{ product {{ id sku slug name description \
             manageStock lowStockThreshold availability status price {{ amount currency }} stock {{ total available allocated \
             version }} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "createProduct", input).await
    }

    /// Changes a product.
    pub async fn update_product(&self, input: Value) -> Value {
        let query = format!(
            "mutation($input: UpdateProductInput!) {{ updateProduct(input: $input) {{ product {{ id slug name description \
             manageStock availability price {{ amount }} stock {{ total available version }} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "updateProduct", input).await
    }

    /// Takes a product off sale.
    pub async fn archive(&self, product: &str) -> Value {
        let query = format!(
            "mutation($input: ArchiveProductInput!) {{ archiveProduct(input: $input) {{ product {{ status }} {ERRORS} }} }}"
        );
        self.mutate(&query, "archiveProduct", json!({ "id": product })).await
    }

    /// Puts a product back on sale.
    pub async fn restore(&self, product: &str) -> Value {
        let query = format!(
            "mutation($input: RestoreProductInput!) {{ restoreProduct(input: $input) {{ product {{ status }} {ERRORS} }} }}"
        );
        self.mutate(&query, "restoreProduct", json!({ "id": product })).await
    }

    /// Adjusts the stock of one product and returns the payload.
    pub async fn adjust(&self, product: &str, action: &str, quantity: i32) -> Value {
        let change = json!({ "productId": product, "action": action, "quantity": quantity });
        self.adjust_all(json!({ "changes": [change] })).await
    }

    /// Adjusts stock.
    pub async fn adjust_all(&self, input: Value) -> Value {
        let query = format!(
            "mutation($input: AdjustStockInput!) {{ adjustStock(input: $input) {{ stocks {{ total available allocated version }} \
             transactions {{ id action quantity sequence reason note reference operationId }} preview {{ product {{ sku }} before {{ total available \
             allocated }} after {{ total available allocated }} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "adjustStock", input).await
    }

    /// Makes a cart and returns the payload.
    pub async fn create_cart(&self, items: &[(&str, i32)]) -> Value {
        let query = format!(
            "mutation($input: CreateCartInput) {{ createCart(input: $input) {{ cart {{ {CART} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "createCart", json!({ "items": items_input(items) })).await
    }

    /// Makes a cart that must be accepted and returns its id.
    pub async fn cart(&self, items: &[(&str, i32)]) -> String {
        let payload = self.create_cart(items).await;
        payload["cart"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    /// Adds to a cart.
    pub async fn add_to_cart(&self, cart: &str, items: &[(&str, i32)]) -> Value {
        let query = format!(
            "mutation($input: AddToCartInput!) {{ addToCart(input: $input) {{ cart {{ {CART} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "addToCart", json!({ "cartId": cart, "items": items_input(items) })).await
    }

    /// Sets what is in a cart.
    pub async fn update_cart(&self, cart: &str, items: &[(&str, i32)]) -> Value {
        let query = format!(
            "mutation($input: UpdateCartInput!) {{ updateCart(input: $input) {{ cart {{ {CART} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "updateCart", json!({ "cartId": cart, "items": items_input(items) })).await
    }

    /// Reads a cart.
    pub async fn read_cart(&self, cart: &str) -> Value {
        let query = format!("query($id: ID!) {{ cart(id: $id) {{ {CART} order {{ id }} }} }}");
        self.data(&query, json!({ "id": cart })).await["cart"].take()
    }

    /// Checks a cart out and returns the payload.
    pub async fn check_out(&self, cart: &str) -> Value {
        self.check_out_with(json!({ "cartId": cart })).await
    }

    /// Checks a cart out.
    pub async fn check_out_with(&self, input: Value) -> Value {
        let query = format!(
            "mutation($input: CheckOutInput!) {{ checkOut(input: $input) {{ order {{ {ORDER} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "checkOut", input).await
    }

    /// Fills a cart, checks it out, and returns the id of the unpaid order.
    pub async fn order(&self, items: &[(&str, i32)]) -> String {
        let payload = self.check_out(&self.cart(items).await).await;
        payload["order"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    /// An unpaid order of one unit.
    pub async fn order_of(&self, product: &str) -> String {
        self.order(&[(product, 1)]).await
    }

    /// Reads an order.
    pub async fn read_order(&self, order: &str) -> Value {
        let query = format!("query($id: ID!) {{ order(id: $id) {{ {ORDER} }} }}");
        self.data(&query, json!({ "id": order })).await["order"].take()
    }

    /// Pays an order, the money being taken elsewhere.
    pub async fn pay(&self, order: &str) -> Paid {
        short(&self.pay_with(json!({ "orderId": order })).await)
    }

    /// Pays an order through the sandbox.
    pub async fn pay_sandbox(&self, order: &str, token: &str) -> Paid {
        short(&self.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": token })).await)
    }

    /// Pays an order and returns the payload.
    pub async fn pay_with(&self, input: Value) -> Value {
        let query = format!(
            "mutation($input: PayOrderInput!) {{ payOrder(input: $input) {{ payment {{ id status declineReason reference amount \
             {{ amount currency }} action {{ kind clientSecret expiresAt }} }} order {{ {ORDER} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "payOrder", input).await
    }

    /// Cancels an order.
    pub async fn cancel(&self, order: &str) -> Value {
        let query = format!(
            "mutation($input: CancelOrderInput!) {{ cancelOrder(input: $input) {{ order {{ {ORDER} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "cancelOrder", json!({ "orderId": order })).await
    }

    /// Captures a payment.
    pub async fn capture(&self, payment: &str) -> Paid {
        short(&self.operate("capturePayment", json!({ "paymentId": payment })).await)
    }

    /// Voids a payment.
    pub async fn void(&self, payment: &str, force: bool) -> Paid {
        short(&self.operate("voidPayment", json!({ "paymentId": payment, "force": force })).await)
    }

    /// Refunds a payment.
    pub async fn refund(&self, payment: &str, amount: Option<i64>) -> Paid {
        short(&self.operate("refundPayment", json!({ "paymentId": payment, "amount": amount })).await)
    }

    /// Captures, voids or refunds a payment and returns the payload.
    pub async fn operate(&self, mutation: &str, input: Value) -> Value {
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query = format!(
            "mutation($input: {kind}!) {{ {mutation}(input: $input) {{ payment {{ id status refunded {{ amount }} refunds {{ id \
             status failureReason amount {{ amount }} }} }} order {{ {ORDER} }} {ERRORS} }} }}"
        );
        self.mutate(&query, mutation, input).await
    }

    /// Authorizes the payment of an order through the sandbox, and returns the payment's id.
    pub async fn authorize(&self, order: &str, token: &str) -> String {
        let input = json!({ "orderId": order, "gateway": "sandbox", "token": token, "method": "AUTHORIZE" });
        let payload = self.pay_with(input).await;
        assert_eq!(short(&payload), paid("AUTHORIZED", "AUTHORIZED", &[]), "{payload}");
        payload["payment"]["id"].as_str().expect("an id").to_owned()
    }

    /// Ships an order.
    pub async fn ship(&self, order: &str) -> Value {
        let query = format!(
            "mutation($input: ShipOrderInput!) {{ shipOrder(input: $input) {{ order {{ {ORDER} }} {ERRORS} }} }}"
        );
        self.mutate(&query, "shipOrder", json!({ "orderId": order })).await
    }

    /// Total, allocated and available of a product, in the order of the cases.
    pub async fn stock(&self, product: &str) -> (i64, i64, i64) {
        let query = "query($id: ID!) { stock(productId: $id) { total allocated available } }";
        let data = self.data(query, json!({ "id": product })).await;
        let number = |name: &str| data["stock"][name].as_i64().unwrap_or_else(|| panic!("{data}"));
        (number("total"), number("allocated"), number("available"))
    }

    /// The log of a product from its beginning, as `ACTION quantity`. At most a hundred rows.
    pub async fn log(&self, product: &str) -> Vec<String> {
        let query =
            "query($id: ID!) { stock(productId: $id) { transactions(last: 100) { nodes { action quantity } } } }";
        let data = self.data(query, json!({ "id": product })).await;
        let rows = data["stock"]["transactions"]["nodes"].as_array().unwrap_or_else(|| panic!("{data}"));
        let row = |row: &Value| format!("{} {}", row["action"].as_str().unwrap_or_default(), row["quantity"]);
        rows.iter().rev().map(row).collect()
    }

    async fn mutate(&self, query: &str, field: &str, input: Value) -> Value {
        self.data(query, json!({ "input": input })).await[field].take()
    }
}

/// What became of paying, in short.
pub fn short(payload: &Value) -> Paid {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    Paid {
        payment: word(&payload["payment"]["status"]),
        order: word(&payload["order"]["payment"]),
        codes: codes(payload).into_iter().map(str::to_owned).collect(),
    }
}

fn items_input(items: &[(&str, i32)]) -> Value {
    items.iter().map(|(product, quantity)| json!({ "productId": product, "quantity": quantity })).collect()
}
