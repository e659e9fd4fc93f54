//! The demo shop as a browser is given it: whole, under a strict policy, and in production only when it is wanted. What it
//! does, the browser tests tell.

use domain::stock::PublicStock;

use crate::support::Shop;

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

#[tokio::test]
async fn in_production_there_is_no_demo_shop_unless_it_is_wanted() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    for path in ["/demo", "/demo/", "/demo/assets/nothing.js"] {
        let found = shop.client().get(format!("{}{path}", shop.url)).send().await.unwrap();
        assert_eq!(found.status(), 404, "{path}");
    }
    shop.close().await;
}
