//! What is secret is in no message and in no line of the log, whatever is asked of the log.

use serde_json::json;

use crate::support::process::run;
use crate::support::providers::{StandIn, StripeStandIn};
use crate::support::{Place, Process, Socket};

const SECRET: &str = "of-nobody-but-us-0123456789-and-more";

#[tokio::test]
async fn the_finest_log_has_no_token_and_no_password() {
    let place = Place::new().await;
    let collector = format!("http://user:{SECRET}@127.0.0.1:9");
    for level in ["trace", "trace,tungstenite=trace,reqwest=trace,hyper_util=trace"] {
        let server = Process::start_with(&place, &["--log", level, "--otlp", &collector]).await;
        let (log, (url, client)) = (server.log(), server.another());
        let mut socket = Socket::connect(&url, "graphql-transport-ws").await;
        let payload = json!({ "Authorization": format!("Bearer {SECRET}") });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        let body = json!({ "query": "{ products { nodes { sku } } }" });
        let asked = client.post(format!("{url}/graphql")).json(&body).bearer_auth(SECRET).send().await;
        assert!(asked.expect("an answer").status().is_success());
        assert!(server.stop("TERM").await.success());
        let log = log.lock().expect("no panic").clone();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(log.contains("DEBUG") && told.is_empty(), "{level}: {told:#?}");
    }
}

/// Keys, client secrets and tokens of gateways: whether the provider answers, declines or does not accept the key.
#[tokio::test(flavor = "multi_thread")]
async fn the_finest_log_has_no_secret_of_a_gateway() {
    let place = Place::new().await;
    let provider = StripeStandIn::open().await;
    let settings = ["--log", "trace", "--gateways", "stripe", "--stripe-api", &provider.url];
    let webhooks = ["--stripe-webhook-secret", StripeStandIn::webhook_secret()];
    for key in [StripeStandIn::key(), "sk_test_that_is_not_accepted"] {
        let settings = [&settings[..], &webhooks, &["--stripe-secret-key", key]].concat();
        let server = Process::start_with(&place, &settings).await;
        let log = server.log();
        let cart = "mutation { createCart(input: { items: [{ productId: \"product_01j0000000e008000000000001\", quantity: 1 }] }) { cart { id } } }";
        let cart = server.ask(cart, json!({})).await.expect("a cart")["data"]["createCart"]["cart"]["id"].clone();
        let check_out = "mutation($c: ID!) { checkOut(input: { cartId: $c }) { order { id } } }";
        let order = server.ask(check_out, json!({ "c": cart })).await.expect("an order");
        let order = &order["data"]["checkOut"]["order"]["id"];
        let pay = "mutation($o: ID!, $t: String) { payOrder(input: { orderId: $o, gateway: \"stripe\", token: $t }) \
            { payment { status action { clientSecret } } } }";
        for token in [Some("pm_card_visa_chargeDeclined"), Some("pm_of_nobody"), None] {
            let paid = server.ask(pay, json!({ "o": order, "t": token })).await.expect("an answer");
            assert!(paid["data"]["payOrder"]["payment"]["status"].is_string(), "{paid}");
        }
        let event = server.another().1.post(format!("{}/webhooks/stripe", server.url)).body("{}");
        assert_eq!(event.header("stripe-signature", "t=1,v1=00").send().await.expect("an answer").status(), 400);
        assert!(server.stop("TERM").await.success());
        let log = log.lock().expect("no panic").clone();
        assert!(log.contains("Stripe"), "{log:.500}");
        for secret in [key, StripeStandIn::webhook_secret(), "_secret_x", "pm_card_visa_chargeDeclined", "pm_of_nobody"]
        {
            let told: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
            assert!(told.is_empty(), "{secret}: {told:#?}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_not_understood_is_not_repeated() {
    let place = Place::new().await;
    let file = place.folder().join("url");
    for text in [
        "host=db user=u password=SECRET".to_owned(),
        "SECRET".to_owned(),
        "u:SECRET@db/onhand".to_owned(),
        "postgres://u:ab?SECRET@db/d".to_owned(),
        "postgres://u:ab?x=SECRET@db/d".to_owned(),
        "mysql://u:SECRET@db/d".to_owned(),
    ] {
        std::fs::write(&file, &text).expect("a file");
        let path = file.display().to_string();
        let mut by_file = crate::support::process::command(&place);
        by_file.env_remove("DATABASE_URL").args(["migrate", "--database-url-file", &path]);
        let by_file = by_file.output().await.expect("a process");
        let by_file = String::from_utf8_lossy(&by_file.stderr).into_owned();
        let (code, by_flag) = run(&place, &["migrate", "--database-url", &text]).await;
        assert_eq!(code, 2, "{text}: {by_flag}");
        for said in [by_file, by_flag] {
            assert!(said.contains("DATABASE_URL must look like"), "{text}: {said}");
            assert!(!said.contains("SECRET"), "{text}: {said}");
        }
    }
}
