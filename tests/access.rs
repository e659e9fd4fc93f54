//! Who may do what: staff, customers and guests. Other people's things do not exist, by any path.

use std::time::Duration;

use domain::stock::PublicStock;
use onhand::config::Role;
use serde_json::{Value, json};

use crate::support::process::run;
use crate::support::{Client, Place, Shop, Socket, codes, paid};

const UNKNOWN_ORDER: &str = "order_7zzzzzzzzzzzzzzzzzzzzzzzzz";
const UNKNOWN_CART: &str = "cart_7zzzzzzzzzzzzzzzzzzzzzzzzz";

struct People {
    shop: Shop,
    staff: Client,
    ada: Client,
    bob: Client,
    guest: Client,
    mug: String,
}

async fn people() -> People {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let (ada, bob) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Customer, "bob").await);
    let guest = Client::clone(&shop);
    let mug = staff.product("MUG", 100).await;
    People { shop, staff, ada, bob, guest, mug }
}

#[tokio::test]
async fn what_is_for_staff_is_refused_to_everybody_else() {
    let People { shop, staff, ada, guest, mug, .. } = people().await;
    let order = ada.order(&[(&mug, 1)]).await;
    let change = format!("changes: [{{ productId: \"{mug}\", action: INCREMENT, quantity: 1 }}]");
    let (hook, _) = staff.webhook("http://127.0.0.1:9/", &["ORDER_PAID"]).await;
    assert_eq!(staff.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let sent = staff.deliveries(&hook).await[0]["id"].as_str().expect("a delivery").to_owned();
    let price = "price: { amount: 1, currency: \"EUR\" }";
    let documents = [
        format!("mutation {{ createProduct(input: {{ sku: \"X\", name: \"X\", {price} }}) {{ product {{ id }} }} }}"),
        format!("mutation {{ updateProduct(input: {{ id: \"{mug}\", name: \"X\" }}) {{ product {{ id }} }} }}"),
        format!("mutation {{ archiveProduct(input: {{ id: \"{mug}\" }}) {{ product {{ id }} }} }}"),
        format!("mutation {{ restoreProduct(input: {{ id: \"{mug}\" }}) {{ product {{ id }} }} }}"),
        format!("mutation {{ adjustStock(input: {{ {change} }}) {{ stocks {{ total }} }} }}"),
        format!("mutation {{ shipOrder(input: {{ orderId: \"{order}\" }}) {{ order {{ id }} }} }}"),
        format!("mutation {{ payOrder(input: {{ orderId: \"{order}\" }}) {{ order {{ id }} }} }}"),
        "{ stockTransactions { nodes { id } } }".to_owned(),
        format!("{{ stock(productId: \"{mug}\") {{ transactions {{ nodes {{ id }} }} }} }}"),
        format!("{{ order(id: \"{order}\") {{ stockTransactions {{ nodes {{ id }} }} }} }}"),
        "{ products(status: [ARCHIVED]) { nodes { id } } }".to_owned(),
        "{ webhooks { id } }".to_owned(),
        "mutation { createWebhook(input: { url: \"https://shop.example\", events: [ORDER_PAID] }) { secret } }"
            .to_owned(),
        format!("mutation {{ updateWebhook(input: {{ id: \"{hook}\", enabled: false }}) {{ webhook {{ id }} }} }}"),
        format!("mutation {{ repeatWebhookDelivery(input: {{ deliveryId: \"{sent}\" }}) {{ delivery {{ id }} }} }}"),
        format!("mutation {{ deleteWebhook(input: {{ id: \"{hook}\" }}) {{ deletedWebhookId }} }}"),
    ];
    for client in [&ada, &guest] {
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let found = client.data(query, json!({ "ids": [hook, sent] })).await;
        assert_eq!(found["nodes"], json!([null, null]), "to others they do not exist");
    }
    let before = staff.log(&mug).await;
    for document in &documents {
        assert_eq!(ada.code(document, json!({})).await, "FORBIDDEN", "{document}");
        // To a guest the order is not hidden by being refused: it does not exist, or the refusal comes first.
        let hidden = document.starts_with("{ order(");
        if !hidden {
            assert_eq!(guest.code(document, json!({})).await, "UNAUTHENTICATED", "{document}");
        }
    }
    assert_eq!(staff.log(&mug).await, before, "nothing moved");
    assert_eq!(staff.read_webhook(&hook).await["status"], "ENABLED");
    let log = "subscription { stockTransactionAdded { cursor } }";
    for (client, code) in [(&ada, "FORBIDDEN"), (&guest, "UNAUTHENTICATED")] {
        let mut socket = Socket::open(client).await;
        socket.subscribe("log", log, json!({})).await;
        assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], code);
    }
    assert_eq!(guest.code("{ orders { nodes { id } } }", json!({})).await, "UNAUTHENTICATED");
    shop.close().await;
}

/// Byte for byte what a random id gets, by every path there is.
#[tokio::test]
async fn other_peoples_things_do_not_exist() {
    let People { shop, staff, ada, bob, guest, mug } = people().await;
    let cart = ada.cart(&[(&mug, 1)]).await;
    let order = ada.order(&[(&mug, 1)]).await;
    ada.pay_sandbox(&order, "succeed").await;
    staff.ship(&order).await;
    let query = "query($id: ID!) { order(id: $id) { items { id } payments { id } shipments { id } } }";
    let parts = ada.data(query, json!({ "id": order })).await["order"].take();
    let row =
        staff.data("{ stockTransactions { nodes { id } } }", json!({})).await["stockTransactions"]["nodes"][0]["id"]
            .clone();

    for stranger in [&bob, &guest] {
        for (document, mine, unknown) in [
            ("query($id: ID!) { order(id: $id) { number } }", &order, UNKNOWN_ORDER),
            ("query($id: ID!) { cart(id: $id) { status } }", &cart, UNKNOWN_CART),
            ("query($id: ID!) { node(id: $id) { id } }", &order, UNKNOWN_ORDER),
            ("query($id: ID!) { node(id: $id) { id } }", &cart, UNKNOWN_CART),
            ("query($id: ID!) { nodes(ids: [$id]) { id } }", &order, UNKNOWN_ORDER),
        ] {
            let theirs = stranger.ask(document, json!({ "id": mine })).await;
            assert_eq!(theirs, stranger.ask(document, json!({ "id": unknown })).await, "{document}");
        }
        for id in [&parts["items"][0]["id"], &parts["payments"][0]["id"], &parts["shipments"][0]["id"], &row] {
            let query = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
            let found = stranger.data(query, json!({ "id": id })).await;
            assert_eq!(found, json!({ "node": null, "nodes": [null] }), "{id}");
        }
        assert_eq!(
            stranger.add_to_cart(&cart, &[(&mug, 1)]).await,
            stranger.add_to_cart(UNKNOWN_CART, &[(&mug, 1)]).await
        );
        assert_eq!(
            stranger.update_cart(&cart, &[(&mug, 0)]).await,
            stranger.update_cart(UNKNOWN_CART, &[(&mug, 0)]).await
        );
        assert_eq!(stranger.check_out(&cart).await, stranger.check_out(UNKNOWN_CART).await);
        assert_eq!(stranger.cancel(&order).await, stranger.cancel(UNKNOWN_ORDER).await);
        let pay = async |id: &str| stranger.pay_with(json!({ "orderId": id, "gateway": "sandbox" })).await;
        assert_eq!(pay(&order).await, pay(UNKNOWN_ORDER).await);
        let mut socket = Socket::open(stranger).await;
        for (id, order) in [("a", order.as_str()), ("b", UNKNOWN_ORDER)] {
            socket
                .subscribe(id, "subscription($id: ID!) { orderChanged(id: $id) { number } }", json!({ "id": order }))
                .await;
            let message = socket.next().await;
            assert_eq!(message["payload"][0]["extensions"]["code"], "NOT_FOUND", "{message}");
        }
    }
    // What they may not see is theirs all the same.
    let mine = ada.data("{ orders { nodes { id } } }", json!({})).await;
    assert_eq!(mine["orders"]["nodes"], json!([{ "id": order }]));
    assert_eq!(bob.data("{ orders { nodes { id } } }", json!({})).await["orders"]["nodes"], json!([]));
    assert_eq!(
        ada.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": parts["payments"][0]["id"] })).await["node"]
            ["id"],
        parts["payments"][0]["id"]
    );
    shop.close().await;
}

/// The id of a guest's order is the key to it; the ids of its parts are written on labels and in mails, and open nothing.
#[tokio::test]
async fn the_parts_of_a_guests_order_are_reached_through_it_only() {
    let People { shop, staff, ada, guest, mug, .. } = people().await;
    let order = guest.order(&[(&mug, 1)]).await;
    guest.pay_sandbox(&order, "succeed").await;
    staff.ship(&order).await;
    let query = "query($id: ID!) { order(id: $id) { items { id } payments { id } shipments { id } } }";
    let parts = guest.data(query, json!({ "id": order })).await["order"].take();
    for kind in ["items", "payments", "shipments"] {
        let id = &parts[kind][0]["id"];
        assert!(id.is_string(), "{parts}");
        let query = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
        for stranger in [&guest, &ada] {
            let found = stranger.data(query, json!({ "id": id })).await;
            assert_eq!(found, json!({ "node": null, "nodes": [null] }), "{id}");
        }
        assert_eq!(staff.data(query, json!({ "id": id })).await["node"]["id"], *id);
    }
    shop.close().await;
}

#[tokio::test]
async fn whoever_holds_the_id_of_a_guests_cart_may_use_it_until_somebody_owns_it() {
    let People { shop, staff, ada, guest, mug, .. } = people().await;
    let cart = guest.cart(&[(&mug, 1)]).await;
    assert_eq!(codes(&ada.add_to_cart(&cart, &[(&mug, 1)]).await), Vec::<&str>::new());
    let order = guest.order(&[(&mug, 2)]).await;
    assert_eq!(guest.pay_sandbox(&order, "succeed").await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(guest.read_order(&order).await["payments"][0]["status"], "SUCCEEDED", "through its order");
    assert_eq!(codes(&guest.cancel(&order).await), ["INVALID_STATE"], "a paid order is the shop's to cancel");
    assert_eq!(codes(&staff.cancel(&order).await), Vec::<&str>::new());

    let theirs = ada.check_out(&cart).await["order"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(guest.read_order(&theirs).await, json!(null), "checked out by a customer it is theirs");
    assert_eq!(guest.read_cart(&cart).await, json!(null));
    let fraud =
        "mutation($id: ID!) { cancelOrder(input: { orderId: $id, reason: FRAUD }) { userErrors { code field } } }";
    let refused = ada.data(fraud, json!({ "id": theirs })).await["cancelOrder"]["userErrors"].take();
    assert_eq!(refused, json!([{ "code": "INVALID_INPUT", "field": ["input", "reason"] }]), "that is staff's to say");
    assert_eq!(codes(&ada.cancel(&theirs).await), Vec::<&str>::new());

    let log = staff
        .data("{ stockTransactions(filter: { actions: [ALLOCATE, DEALLOCATE] }) { nodes { actor } } }", json!({}))
        .await;
    assert_eq!(log["stockTransactions"]["nodes"], json!([{ "actor": "sam" }, { "actor": "guest" }]));
    shop.close().await;
}

/// The scope of a key is its holder: another person's key is another key.
#[tokio::test]
async fn idempotency_keys_belong_to_their_holder() {
    let People { shop, staff, ada, bob, guest, mug } = people().await;
    let check_out = async |client: &Client, cart: &str| {
        client.check_out_with(json!({ "cartId": cart, "idempotencyKey": "K" })).await["order"]["id"].clone()
    };
    let mut orders = Vec::new();
    for client in [&ada, &bob, &guest, &guest] {
        let cart = client.cart(&[(&mug, 1)]).await;
        orders.push(check_out(client, &cart).await);
        assert_eq!(check_out(client, &cart).await, orders[orders.len() - 1], "a replay");
    }
    assert!(orders.iter().all(Value::is_string), "each gets an order: {orders:?}");
    let different: std::collections::BTreeSet<_> = orders.iter().map(Value::to_string).collect();
    assert_eq!(different.len(), 4);
    // Staff, too, and the key of one subject is for one input only.
    let sam = check_out(&staff, &staff.cart(&[(&mug, 1)]).await).await;
    assert!(sam.is_string() && !orders.contains(&sam), "{sam}");
    let again = ada.check_out_with(json!({ "cartId": ada.cart(&[(&mug, 1)]).await, "idempotencyKey": "K" })).await;
    assert_eq!(codes(&again), ["IDEMPOTENCY_KEY_REUSED"]);
    shop.close().await;
}

#[tokio::test]
async fn a_token_that_is_not_good_makes_nobody_a_guest() {
    let People { shop, ada, guest, .. } = people().await;
    let good = ada.authorization.clone().expect("a token");
    let (head, rest) = good.split_at(good.len() - 4);
    let unsigned =
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJpc3MiOiJ0ZXN0cyIsImF1ZCI6InNob3AiLCJleHAiOjQwMDAwMDAwMDB9.";
    let expired = shop.expired(Role::Customer, "ada").await.authorization.expect("a token");
    let bad = [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic YWRhOmFkYQ==".to_owned(),
        "nonsense".to_owned(),
        unsigned.to_owned(),
        expired,
        format!("{head}AAAA"),
        format!("Bearer {}", "x".repeat(10_000)),
        format!("{good}{rest}"),
    ];
    for authorization in bad {
        let client = Client { authorization: Some(authorization.clone()), ..guest.clone() };
        assert_eq!(client.code("{ products { nodes { id } } }", json!({})).await, "UNAUTHENTICATED", "{authorization}");
        let mut socket = Socket::connect(&guest.url, "graphql-transport-ws").await;
        socket.send(&json!({ "type": "connection_init", "payload": { "Authorization": authorization } })).await;
        assert_eq!(socket.closed().await, 4403, "{authorization}");
    }
    shop.close().await;
}

/// C59: no data after a token has expired.
#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let People { shop, staff, mug, .. } = people().await;
    let short = shop.signed_in_for(Role::Customer, "ada", Duration::from_secs(3)).await;
    let mut socket = Socket::open(&short).await;
    socket
        .subscribe(
            "s",
            "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { available } }",
            json!({ "ids": [mug] }),
        )
        .await;
    assert_eq!(socket.data("s").await["stockChanged"]["available"], 100);
    assert_eq!(socket.closed().await, 4403);
    staff.adjust(&mug, "INCREMENT", 1).await;
    shop.close().await;
}

#[tokio::test]
async fn capped_readers_see_no_more_than_the_cap_and_hear_no_more_often() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let (staff, guest) = (shop.signed_in(Role::Staff, "sam").await, Client::clone(&shop));
    let mug = staff.product("MUG", 50).await;
    let query =
        "query($id: ID!) { stock(productId: $id) { total available allocated availability version updatedAt } }";
    let seen = async |client: &Client| client.data(query, json!({ "id": mug })).await["stock"].take();
    let first = seen(&guest).await;
    assert_eq!((&first["total"], &first["available"], &first["allocated"]), (&json!(null), &json!(5), &json!(null)));
    assert_eq!(seen(&staff).await["available"], 50);

    let watch = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total available version } }";
    let mut socket = Socket::open(&guest).await;
    socket.subscribe("s", watch, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("s").await["stockChanged"], json!({ "total": null, "available": 5, "version": 1 }));
    for _ in 0..4 {
        staff.adjust(&mug, "DECREMENT", 10).await;
    }
    assert_eq!(seen(&guest).await, first, "ten are left, five are shown: nothing has changed, not even a time");
    assert!(socket.is_silent_for(Duration::from_millis(150)).await, "and nothing is told");
    staff.adjust(&mug, "DECREMENT", 7).await;
    assert_eq!(socket.data("s").await["stockChanged"], json!({ "total": null, "available": 3, "version": 2 }));
    let through_product =
        "query($id: ID!) { product(by: { id: $id }) { stock { total available allocated version } } }";
    let stock = guest.data(through_product, json!({ "id": mug })).await["product"]["stock"].take();
    assert_eq!(stock, json!({ "total": null, "available": 3, "allocated": null, "version": 2 }));
    let cart = guest.create_cart(&[(&mug, 4)]).await;
    assert_eq!(codes(&cart), ["INSUFFICIENT_STOCK"]);
    assert!(!cart.to_string().contains(['3', '4']), "{cart}");
    for (threshold, shown) in [(3, 3), (40, 5)] {
        staff.update_product(json!({ "id": mug, "lowStockThreshold": threshold })).await;
        for (client, threshold) in [(&staff, threshold), (&guest, shown)] {
            let query = "query($id: ID!) { product(by: { id: $id }) { lowStockThreshold } }";
            let product = client.data(query, json!({ "id": mug })).await["product"].take();
            assert_eq!(product, json!({ "lowStockThreshold": threshold }), "a threshold tells of a count, too");
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn production_tells_nothing_about_itself_and_has_no_sandbox() {
    let access = onhand::config::Access {
        secret: Some(crate::support::SECRET.to_owned()),
        issuer: Some("tests".to_owned()),
        audience: Some("shop".to_owned()),
        ..onhand::config::Access::default()
    };
    let shop = Shop::open_as(crate::support::Wanted { access, ..crate::support::Wanted::default() }).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    assert_eq!(shop.code("{ __schema { types { name } } }", json!({})).await, "GRAPHQL_VALIDATION_FAILED");
    let typo = shop.ask("{ prodcts { nodes { id } } }", json!({})).await;
    assert!(!typo.to_string().contains("products"), "{typo}");
    assert_eq!(shop.client().get(&shop.url).send().await.expect("an answer").status(), 404);
    let mug = staff.product("MUG", 5).await;
    let order = staff.order(&[(&mug, 1)]).await;
    assert_eq!(staff.pay_sandbox(&order, "succeed").await, paid("-", "UNPAID", &["NOT_FOUND"]));
    assert_eq!(staff.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    shop.close().await;
}

#[tokio::test]
async fn settings_that_do_not_fit_together_are_refused_and_tokens_can_be_made() {
    let place = Place::new().await;
    let secret = ["--secret", crate::support::SECRET];
    for (arguments, complaint) in [
        (vec!["--listen", "0.0.0.0:0"], "loopback"),
        (vec!["--secret", "short"], "at least 32 bytes"),
        (secret.to_vec(), "ONHAND_ISSUER"),
        (vec!["--jwks", "nowhere.json"], "nowhere.json"),
        (vec!["--jwks", "nowhere.json", secret[0], secret[1]], "not both"),
        (vec!["--public-stock", "capped:0"], "capped:N"),
        (vec!["token", "--role", "staff", "--sub", "sam"], "ONHAND_SECRET"),
    ] {
        let (code, said) = run(&place, &arguments).await;
        assert!(code == 2 && said.contains(complaint), "{arguments:?}: {said}");
    }
    let (code, help) = run(&place, &["token", "--help"]).await;
    assert!(
        code == 0 && ["ONHAND_ISSUER", "ONHAND_AUDIENCE", "server"].iter().all(|word| help.contains(word)),
        "{help}"
    );
    let mut arguments = vec!["token", "--role", "staff", "--sub", "sam", "--issuer", "tests", "--audience", "shop"];
    arguments.extend(secret);
    let (code, token) = run(&place, &arguments).await;
    assert_eq!((code, token.trim().split('.').count()), (0, 3), "{token}");
    let shop = Shop::open_public(PublicStock::Exact).await;
    let sam = Client { authorization: Some(format!("Bearer {}", token.trim())), ..Client::clone(&shop) };
    sam.product("MUG", 1).await;
    shop.close().await;
}

/// The log tells a token that names itself like the server from the server.
#[tokio::test]
async fn nobody_signs_as_somebody_else() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "system").await;
    let mug = staff.product("MUG", 5).await;
    let guest = shop.signed_in(Role::Customer, "guest").await;
    let order = guest.order_of(&mug).await;
    assert_eq!(guest.pay_sandbox(&order, "decline").await, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    let log = staff.data("{ stockTransactions { nodes { action actor } } }", json!({})).await;
    let row = |action: &str, actor: &str| json!({ "action": action, "actor": actor });
    let rows = [row("DEALLOCATE", "subject:guest"), row("ALLOCATE", "subject:guest"), row("CREATE", "subject:system")];
    assert_eq!(log["stockTransactions"]["nodes"], json!(rows));
    shop.close().await;
}
