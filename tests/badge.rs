//! The script of the stock badge, as a shop's page of another origin gets it. What it does there, the browser tests tell.

use domain::stock::PublicStock;
use reqwest::header::{HeaderMap, IF_NONE_MATCH};

use crate::support::Shop;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn the_script_of_the_badge_is_given_to_every_page_and_in_production_too() {
    for shop in [Shop::open().await, Shop::open_public(PublicStock::Exact).await] {
        let request =
            shop.client().get(format!("{}/stock-badge.js", shop.url)).header("origin", "https://shop.example");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        for (name, expected) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "public, max-age=300"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(response.headers(), name), expected, "{name}");
        }
        let built = include_bytes!("../web/stock-badge/dist/stock-badge.js");
        assert!(response.bytes().await.unwrap() == built.as_slice(), "it is what was built");
        shop.close().await;
    }
}

/// So a page that is let in nowhere else tells a server that is there from a cache that has its script.
#[tokio::test]
async fn the_refusal_to_have_the_script_written_is_given_to_every_page() {
    for shop in [Shop::open().await, Shop::open_public(PublicStock::Exact).await] {
        let request =
            shop.client().post(format!("{}/stock-badge.js", shop.url)).header("origin", "https://shop.example");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(header(response.headers(), "access-control-allow-origin"), "*");
        assert_eq!(header(response.headers(), "allow"), "GET,HEAD");
        shop.close().await;
    }
}

#[tokio::test]
async fn a_browser_that_has_the_script_is_not_sent_it_again() {
    let shop = Shop::open().await;
    let get = || shop.client().get(format!("{}/stock-badge.js", shop.url));
    let first = get().send().await.unwrap();
    let tag = header(first.headers(), "etag").to_owned();
    for (known, status) in [(tag.clone(), 304), (format!("\"other\", {tag}"), 304), ("W/\"other\"".to_owned(), 200)] {
        let again = get().header(IF_NONE_MATCH, &known).send().await.unwrap();
        assert_eq!(again.status(), status, "{known}");
        assert_eq!(header(again.headers(), "etag"), tag);
        assert_eq!(header(again.headers(), "access-control-allow-origin"), "*");
        assert_eq!(again.bytes().await.unwrap().is_empty(), status == 304);
    }
    shop.close().await;
}
