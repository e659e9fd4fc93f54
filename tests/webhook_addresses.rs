//! Where webhooks are sent to: public addresses over https unless a setting allows more, and never where a redirect points.

use onhand::config::WebhookSettings;
use onhand::webhooks::Webhooks;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Receiver, Shop, Wanted, eventually, webhook_settings};

const PUBLIC_ONLY: WebhookSettings = WebhookSettings { webhook_private_networks: false, ..webhook_settings() };

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_when_they_are_registered() {
    let shop = Shop::open_as(Wanted { webhooks: Some(PUBLIC_ONLY), ..Wanted::default() }).await;
    for address in [
        "http://shop.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://0.0.0.0/",
        "https://10.1.2.3/",
        "https://172.20.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.0.2.1/",
        "https://198.51.100.1/",
        "https://203.0.113.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
        "https://[64:ff9b::7f00:1]/",
    ] {
        let refused = shop.create_webhook(json!({ "url": address, "events": ["ORDER_PAID"] })).await;
        let expected = json!([{ "code": "INVALID_INPUT", "field": ["input", "url"] }]);
        assert_eq!(refused["userErrors"], expected, "{address}");
    }
    shop.webhook("https://shop.example/", &["ORDER_PAID"]).await;
    shop.close().await;
}

/// Registered when it was allowed, the address is checked again before each request.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_checked_again_before_each_request() {
    let (shop, receiver) = (Shop::open().await, Receiver::open().await);
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    shop.pay(&shop.order(&[(&mug, 1)]).await).await;
    let app = &shop.app;
    let strict = Webhooks::new(app.store.clone(), app.writer.clone(), app.clock.clone(), PUBLIC_ONLY);
    let stop = CancellationToken::new();
    let sending = tokio::spawn(onhand::webhooks::send(strict, stop.clone()));
    eventually("it is refused", async || {
        shop.deliveries(&hook).await[0]["error"] == "The address of a webhook begins with https://."
    })
    .await;
    stop.cancel();
    sending.await.expect("no panic");
    assert_eq!(receiver.received().len(), 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let elsewhere = Receiver::open().await;
    let to = elsewhere.url.clone();
    receiver.answers(move |_| Answer::Redirect(to.clone()));
    let (hook, _) = shop.webhook(&receiver.url, &["ORDER_PAID"]).await;
    let mug = shop.product("MUG", 9).await;
    shop.pay(&shop.order(&[(&mug, 1)]).await).await;
    receiver.receives(2).await;
    eventually("it failed", async || {
        let delivery = shop.deliveries(&hook).await[0].clone();
        delivery["responseStatus"] == 302 && delivery["error"] == "The answer was 302: redirects are not followed."
    })
    .await;
    assert_eq!(elsewhere.received().len(), 0);
    shop.close().await;
}
