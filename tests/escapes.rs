//! Characters beyond the basic plane, as clients write them: as they are, as `\\u{…}`, and as a pair of surrogates.

use serde_json::{Value, json};

use crate::support::{Shop, Socket};

const PAIR: &str = r#"mutation { createProduct(input: { sku: "EMOJI-1", name: "Mug \uD83D\uDE00", price: { amount: 900, currency: "EUR" } }) { product { name } userErrors { code } } }"#;

fn search(string: &str) -> String {
    format!("{{ products(search: {string}) {{ nodes {{ name }} }} }}")
}

#[tokio::test]
async fn they_are_one_character_however_they_are_written() {
    let shop = Shop::open().await;
    let created = shop.data(PAIR, json!({})).await;
    assert_eq!(created["createProduct"], json!({ "product": { "name": "Mug \u{1F600}" }, "userErrors": [] }));
    let found = json!({ "products": { "nodes": [{ "name": "Mug \u{1F600}" }] } });
    let mut socket = Socket::open(&shop).await;
    for string in
        [r#""\u{1F600}""#, r#""\uD83D\uDE00""#, "\"\u{1F600}\"", r#""\u{4d}ug \u{1f600}""#, "\"\"\"\u{1F600}\"\"\""]
    {
        let query = search(string);
        assert_eq!(shop.data(&query, json!({})).await, found, "{string}");
        let by_get = shop.client().get(format!("{}/graphql", shop.url)).query(&[("query", &query)]);
        assert_eq!(by_get.send().await.unwrap().json::<Value>().await.unwrap()["data"], found, "{string}");
        socket.subscribe("1", &query, json!({})).await;
        assert_eq!(socket.data("1").await, found, "{string}");
        assert_eq!(socket.next().await["type"], "complete");
    }
    // In a block string an escape is none.
    let none = shop.data(&search(r#""""\u{1F600}""""#), json!({})).await;
    assert_eq!(none["products"]["nodes"], json!([]));
    for half in [r#""\uD83D""#, r#""\uDE00""#, r#""\uD83D \uDE00""#, r#""\u{D83D}""#] {
        assert_eq!(shop.code(&search(half), json!({})).await, "GRAPHQL_PARSE_FAILED", "{half}");
    }
    shop.close().await;
}

#[tokio::test]
async fn half_a_character_in_the_json_is_told_as_what_it_is() {
    let shop = Shop::open().await;
    let query = r#""query":"query($s:String){products(search:$s){nodes{sku}}}""#;
    let post = async |body: String| {
        let request = shop.client().post(format!("{}/graphql", shop.url)).header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        let error = &answer["errors"][0];
        (status, error["extensions"]["code"].clone(), error["message"].as_str().unwrap_or_default().to_owned())
    };
    for (variables, word) in [
        (r#"{"s":"mug \ud83d"}"#, "half a character"),
        (r#"{"s":"\ude00"}"#, "half a character"),
        (r#"{"s":["a",{"b":"\ud83d\ud83d"}]}"#, "half a character"),
        (r#"{"\ud83d":1}"#, "half a character"),
        (r#"{"s":1e999}"#, "out of range"),
        ("[]", "`variables`"),
        (r#""{}""#, "`variables`"),
    ] {
        let (status, code, message) = post(format!("{{{query},\"variables\":{variables}}}")).await;
        assert_eq!((status, code), (400, json!("BAD_USER_INPUT")), "{variables}: {message}");
        assert!(message.contains(word), "{variables}: {message}");
    }
    let (_, _, message) = post(format!("{{{query},\n\"variables\":{{\"s\":\"mug \\ud83d\"}}}}")).await;
    assert!(message.contains("line 2, column "), "{message}");
    let (_, _, message) = post(format!("{{{query},}}")).await;
    assert!(message.contains("breaks at line 1"), "{message}");
    let by_get = shop.client().get(format!("{}/graphql", shop.url));
    let by_get = by_get.query(&[("query", "{ a }"), ("variables", r#"{"s":"\ud83d"}"#)]).send().await.unwrap();
    assert!(by_get.text().await.unwrap().contains("half a character"));
    shop.close().await;
}
