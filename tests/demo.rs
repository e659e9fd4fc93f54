//! The demo shop as a browser is given it: whole, under a strict policy, and in production only when it is wanted. What it
//! does, the browser tests tell.

use domain::stock::PublicStock;
use onhand::config::GatewaySettings;

use crate::support::providers::{StandIn, StripeStandIn};
use crate::support::{Shop, Wanted};

#[tokio::test]
async fn the_demo_shop_is_given_whole_and_may_talk_to_us_only() {
    let shop = Shop::open().await;
    let get = async |path: &str| shop.client().get(format!("{}{path}", shop.url)).send().await.unwrap();
    let page = get("/demo").await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"] {
        assert!(policy.split("; ").any(|one| one == rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    // Relative to the page, so that they are found under the path prefix of a proxy, too.
    let files: Vec<&str> = html.split('"').filter(|part| part.contains("assets/")).collect();
    assert_eq!(files.len(), 3, "an icon, a script and styles: {html}");
    for file in files {
        assert!(file.starts_with("demo/assets/"), "{file}");
        let found = get(&format!("/{file}")).await;
        assert_eq!(found.status(), 200, "{file}");
        assert_eq!(found.headers()["cache-control"], "public, max-age=31536000, immutable", "{file}");
    }
    assert_eq!(get("/demo/assets/nothing.js").await.status(), 404);
    let with_slash = get("/demo/").await;
    assert_eq!(with_slash.url().path(), "/demo", "it is sent to where its files are found");
    assert_eq!(with_slash.status(), 200);
    shop.close().await;
}

/// Stripe's script comes from Stripe, so the policy is opened for it, and only where a publishable key is set.
#[tokio::test]
async fn the_demo_shop_may_load_stripe_only_where_it_is_paid_through() {
    let settings = StripeStandIn::open().await.settings();
    let with_key = GatewaySettings { stripe_publishable_key: Some("pk_test_1".to_owned()), ..settings.clone() };
    let key_only = GatewaySettings { gateways: Vec::new(), ..with_key.clone() };
    for (gateways, is_open) in [(with_key, true), (settings, false), (key_only, false)] {
        let shop = Shop::open_as(Wanted { gateways, ..Wanted::default() }).await;
        let page = shop.client().get(format!("{}/demo", shop.url)).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let html = page.text().await.unwrap();
        assert_eq!(policy.contains("stripe.com"), is_open, "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(html.contains("<meta name=\"onhand-stripe-key\" content=\"pk_test_1\" />"), is_open, "{html}");
        shop.close().await;
    }
}

#[tokio::test]
async fn in_production_there_is_no_demo_shop_unless_it_is_wanted() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    for path in ["/demo", "/demo/", "/demo/assets/nothing.js"] {
        let found = shop.client().get(format!("{}{path}", shop.url)).send().await.unwrap();
        assert_eq!(found.status(), 404, "{path}");
    }
    shop.close().await;
}
