//! The schema is a contract: the committed file is what the code says, and everything in it is described.

use onhand::graphql::sdl;
use serde_json::{Value, json};

use crate::support::Shop;

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed != sdl() {
        std::fs::write(path, sdl()).expect("schema.graphql can be written");
        panic!("schema.graphql was not what the code says. It has been rewritten: review and commit it.");
    }
}

#[tokio::test]
async fn everything_is_described() {
    let shop = Shop::open().await;
    let query = "{ __schema { types { name description fields { name description args { name description } } \
        inputFields { name description } enumValues { name description } } } }";
    let data = shop.data(query, json!({})).await;
    let mut silent = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for kind in list(&data["__schema"]["types"]) {
        let name = kind["name"].as_str().unwrap_or_default().to_owned();
        if name.starts_with("__") || ["Boolean", "Float", "ID", "Int", "String"].contains(&name.as_str()) {
            continue; // The specification describes these.
        }
        let mut look = |path: String, thing: &Value| {
            if thing["description"].as_str().unwrap_or_default().is_empty() {
                silent.push(path);
            }
        };
        look(name.clone(), &kind);
        for part in ["fields", "inputFields", "enumValues"] {
            for thing in list(&kind[part]) {
                let path = format!("{name}.{}", thing["name"].as_str().unwrap_or_default());
                look(path.clone(), &thing);
                for argument in list(&thing["args"]) {
                    look(format!("{path}({})", argument["name"]), &argument);
                }
            }
        }
    }
    assert!(silent.is_empty(), "without a description: {silent:#?}");
    shop.close().await;
}

/// Three facts about errors that some releases of the library get wrong: they are why its version is pinned.
#[tokio::test]
async fn null_goes_where_the_specification_says() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;

    // A nullable field that fails is null, and its neighbours keep their data, in the order of the document.
    let document = "{ z: products { nodes { sku } } bad: products(first: -1) { nodes { sku } } a: __typename }";
    let sent = shop.client().post(format!("{}/graphql", shop.url)).json(&json!({ "query": document })).send();
    let text = sent.await.expect("an answer").text().await.expect("text");
    let at = |key: &str| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is missing: {text}"));
    assert!(at("z") < at("bad") && at("bad") < at("a"), "{text}");
    let response: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(response["data"]["bad"], json!(null));
    assert_eq!(response["data"]["z"]["nodes"][0]["sku"], "MUG");
    assert_eq!(response["errors"][0]["path"], json!(["bad"]));

    // A non-null field that fails takes its nearest nullable parent along: here the whole of `data`.
    let response = shop.ask("{ __typename stocks(productIds: [\"nonsense\"]) { total } }", json!({})).await;
    assert_eq!(response["data"], json!(null), "{response}");
    assert!(response.as_object().is_some_and(|response| response.contains_key("data")), "{response}");

    // After a failed non-null mutation the later ones are not executed.
    let adjust = |name: &str, id: &str| {
        format!(
            "{name}: adjustStock(input: {{ changes: [{{ productId: \"{id}\", action: INCREMENT, quantity: 1 }}] }}) {{ __typename }}"
        )
    };
    let document = format!("mutation {{ {} {} {} }}", adjust("a", &mug), adjust("b", "nonsense"), adjust("c", &mug));
    let response = shop.ask(&document, json!({})).await;
    assert_eq!(response["data"], json!(null), "{response}");
    assert_eq!(shop.stock(&mug).await, (6, 0, 6), "the first was executed, the third was not");
    shop.close().await;
}
