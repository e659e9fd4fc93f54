//! Requests that are not what a GraphQL client sends, and documents that are too large or nest too deep.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Stand, outcome};
use crate::support::{Shop, Socket};

const JSON: Option<&str> = Some("application/json");

impl Stand {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.shop.client().request(method, format!("{}{path}", self.shop.url))
    }

    /// Sends a body of this media type: the status and the answer.
    async fn post(&self, kind: Option<&str>, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let request = self.request(Method::POST, "/graphql").body(body);
        answer(kind.into_iter().fold(request, |request, kind| request.header("content-type", kind))).await
    }

    /// A mutation that would work.
    fn order(&self) -> String {
        let (cart, product) = (&self.cart, &self.product);
        format!(
            "mutation {{ addToCart(input: {{ cartId: \"{cart}\", \
             items: [{{ productId: \"{product}\", quantity: 1 }}] }}) {{ userErrors {{ code }} }} }}"
        )
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

async fn is_alive(shop: &Shop) -> bool {
    shop.data("{ __typename }", json!({})).await["__typename"] == "Query"
}

#[tokio::test]
async fn only_json_is_taken() {
    let stand = Stand::open().await;
    let body = json!({ "query": stand.order() }).to_string();
    let form = format!("query={}", stand.order());
    let multipart = format!("--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{body}\r\n--x--\r\n");
    for (kind, body) in [
        (None, &body),
        (Some(""), &body),
        (Some("text/plain"), &body),
        (Some("text/plain; application/json"), &body),
        (Some("application/jsonp"), &body),
        (Some("application/json; charset=utf-16"), &body),
        (Some("application/json; Charset = \"latin1\""), &body),
        (Some("application/json; charset="), &body),
        (Some("application/json; charset=utf-8; charset=utf-16"), &body),
        (Some("application/graphql"), &stand.order()),
        (Some("application/x-www-form-urlencoded"), &form),
        (Some("multipart/form-data; boundary=x"), &multipart),
    ] {
        let (status, answer) = stand.post(kind, body.clone()).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
        assert_eq!(outcome(&answer), "error BAD_USER_INPUT");
    }
    assert_eq!(stand.looks().await, stand.before);
    for kind in ["application/json; charset=utf-8", "Application/JSON; a=b;Charset=\"UTF-8\"", "application/json;"] {
        assert_eq!(stand.post(Some(kind), body.clone()).await.0, StatusCode::OK, "{kind}");
    }
    stand.shop.close().await;
}

#[tokio::test]
async fn a_body_is_one_operation() {
    let stand = Stand::open().await;
    let order = json!({ "query": stand.order() });
    let cut = order.to_string().replace('}', "");
    for body in [
        json!([order]).to_string(),
        format!(" \n[{order},{order}]"),
        format!("{order}{order}"),
        cut,
        json!({}).to_string(),
        json!({ "query": 5 }).to_string(),
        json!({ "query": null }).to_string(),
        json!({ "query": [stand.order()] }).to_string(),
        json!({ "query": stand.order(), "variables": [] }).to_string(),
        json!({ "query": stand.order(), "variables": "{}" }).to_string(),
        json!({ "query": stand.order(), "operationName": 5 }).to_string(),
        "null".to_owned(),
        "5".to_owned(),
        String::new(),
        stand.order(),
        format!("\u{feff}\u{feff}{order}"),
        format!("{{ \"query\": \"{{ __typename }}\", \"variables\": {{ \"a\": {} }} }}", "9".repeat(200_000)),
    ] {
        let (status, answer) = stand.post(JSON, body.clone()).await;
        let start: String = body.chars().take(80).collect();
        assert_eq!((status, outcome(&answer).as_str()), (StatusCode::BAD_REQUEST, "error BAD_USER_INPUT"), "{start}");
    }
    let (status, answer) = stand.post(JSON, [&b"{\"query\":\"{ __typename }\xff\"}"[..]].concat()).await;
    assert_eq!((status, outcome(&answer).as_str()), (StatusCode::BAD_REQUEST, "error BAD_USER_INPUT"), "no UTF-8");
    stand.close_unchanged().await;
}

#[tokio::test]
async fn what_clients_add_to_an_operation_is_overlooked() {
    let stand = Stand::open().await;
    let right = json!({ "data": { "__typename": "Query" } });
    let (status, told) = stand.post(JSON, "\u{feff}{\"query\":\"{ __typename }\"}").await;
    assert_eq!((status, &told), (StatusCode::OK, &right), "a mark of the order of bytes");
    let mut socket = Socket::open(&stand.shop).await;
    socket.send_raw(Message::Text("\u{feff}{\"type\":\"ping\"}".into())).await;
    assert_eq!(socket.next().await["type"], "pong");
    for parts in ["variables=null", "extensions=null", "variables=%20", "variables=null&extensions=%0A&operationName="]
    {
        let path = format!("/graphql?query=%7B__typename%7D&{parts}");
        assert_eq!(answer(stand.request(Method::GET, &path)).await, (StatusCode::OK, right.clone()), "{parts}");
    }
    let get = stand.request(Method::GET, "/graphql/?query=%7B__typename%7D");
    assert_eq!(answer(get).await, (StatusCode::OK, right.clone()), "a slash");
    for coding in ["", "identity", "Identity, identity"] {
        let request = stand.request(Method::POST, "/graphql").json(&json!({ "query": "{ __typename }" }));
        let told = answer(request.header("content-encoding", coding)).await;
        assert_eq!(told, (StatusCode::OK, right.clone()), "{coding:?}");
    }
    for coding in ["gzip", "zip", "identity, br", "none"] {
        let request = stand.request(Method::POST, "/graphql").json(&json!({ "query": stand.order() }));
        let response = request.header("content-encoding", coding).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding}");
        assert_eq!(response.headers()["accept-encoding"], "identity");
        assert_eq!(outcome(&response.json().await.expect("JSON")), "error BAD_USER_INPUT");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_told() {
    let stand = Stand::open().await;
    for (body, name) in [
        (r#"{"query":1,"query":2}"#, "query"),
        (r#"{"query":"{ __typename }","query":"{ __typename }"}"#, "query"),
        (r#"{"query":"{ __typename }","variables":{},"variables":{}}"#, "variables"),
        (r#"{"operationName":1,"query":"{ __typename }","operationName":"a"}"#, "operationName"),
    ] {
        let (status, told) = stand.post(JSON, body).await;
        let message = told["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(status == StatusCode::BAD_REQUEST, "{body}: {status}");
        assert!(message.starts_with(&format!("`{name}` is there twice")), "{body}: {message}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_link_can_ask_but_not_change() {
    let stand = Stand::open().await;
    let link = |query: &str| {
        let mut url = reqwest::Url::parse(&format!("{}/graphql", stand.shop.url)).expect("an address");
        url.query_pairs_mut().append_pair("query", query);
        stand.shop.client().get(url)
    };
    let (status, shown) = answer(link("{ products { nodes { sku } } }")).await;
    assert_eq!((status, &shown["data"]["products"]["nodes"][0]["sku"]), (StatusCode::OK, &json!("MUG")));
    let response = link(&stand.order()).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(outcome(&response.json().await.expect("JSON")), "error BAD_USER_INPUT");
    let two = format!("query ask {{ __typename }} {}", stand.order().replace("mutation", "mutation change"));
    assert_eq!(answer(link(&two)).await.1["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    let subscription = "subscription { stockTransactionAdded { cursor } }";
    assert_eq!(answer(link(subscription)).await.0, StatusCode::BAD_REQUEST);
    for (method, path) in [(Method::PUT, "/graphql"), (Method::DELETE, "/graphql"), (Method::PATCH, "/graphql")] {
        let response = stand.request(method.clone(), path).body(stand.order()).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    for path in ["/graphql", "/graphql?query=", "/graphql?query={__typename}&variables=[1]", "/graphql?query=%ff"] {
        let response = stand.request(Method::GET, path).send().await.expect("an answer");
        assert!([200, 400].contains(&response.status().as_u16()), "{path}");
        assert!(response.json::<Value>().await.expect("JSON")["errors"][0]["extensions"]["code"].is_string(), "{path}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_body_has_at_most_256_kilobytes_and_a_document_10_000_characters() {
    const MOST: usize = 256 * 1_024;
    let stand = Stand::open().await;
    let query = r#"{"query":"{ __typename }"}"#;
    let body = |size: usize| format!("{query}{}", " ".repeat(size - query.len()));
    assert_eq!(stand.post(JSON, body(MOST)).await.0, StatusCode::OK);
    for size in [MOST + 1, 2 * MOST, 50_000_000] {
        // The server may answer and hang up before it has heard it all; then the client has no answer to read.
        let request = stand.request(Method::POST, "/graphql").header("content-type", "application/json");
        if let Ok(response) = request.body(body(size)).send().await {
            assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{size}");
            assert_eq!(outcome(&response.json().await.expect("JSON")), "error LIMIT_EXCEEDED");
        } else {
            assert!(size > 2 * MOST, "{size}: no answer");
        }
        assert!(is_alive(&stand.shop).await);
    }
    for (document, right) in [
        (format!("{:10000}", "{ __typename }"), "done"),
        (format!("{:10001}", "{ __typename }"), "error LIMIT_EXCEEDED"),
        (format!("{{ __typename }} #{}", "é".repeat(9_984)), "done"),
        (format!("{{ __typename }} #{}", "é".repeat(9_985)), "error LIMIT_EXCEEDED"),
        (format!("{{ {}}}", "__typename ".repeat(2_100)), "error LIMIT_EXCEEDED"),
        (format!("{{ {}}}", "a,".repeat(2_100)), "error LIMIT_EXCEEDED"),
        (format!("{{ stock(productId: {}) {{ id }} }}", "9".repeat(200_000)), "error LIMIT_EXCEEDED"),
    ] {
        let answer = stand.shop.ask(&document, json!({})).await;
        let answer =
            if answer == json!({ "data": { "__typename": "Query" } }) { "done".into() } else { outcome(&answer) };
        assert_eq!(answer, right, "{}", document.len());
    }
    stand.close_unchanged().await;
}

/// Brackets within each other, so many deep, wherever a document may have them.
fn nested(depth: usize) -> Vec<String> {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    let (objects, ends) = ("{a:".repeat(depth), "}".repeat(depth));
    vec![
        format!("{{ nodes(ids: {open}{close}) {{ id }} }}"),
        format!("{{ products(filter: {objects}1{ends}) {{ nodes {{ id }} }} }}"),
        format!("query($a: [ID!] = {open}{close}) {{ nodes(ids: $a) {{ id }} }}"),
        format!("query($a: {open}ID{close}) {{ nodes(ids: $a) {{ id }} }}"),
        format!("{{ __typename @include(if: {open}{close}) }}"),
        format!("{}__typename{}", "{node(id:1)".repeat(depth), "}".repeat(depth)),
        format!("{}__typename{}", "{...on Query".repeat(depth), "}".repeat(depth)),
        "{a".repeat(depth),
        "(".repeat(depth),
    ]
}

#[tokio::test]
async fn brackets_nest_only_so_deep_but_may_stand_in_text() {
    let stand = Stand::open().await;
    for depth in [100, 1_000, 4_000, 50_000] {
        for document in nested(depth) {
            let answer = stand.shop.ask(&document, json!({})).await;
            let start: String = document.chars().take(60).collect();
            assert_eq!(outcome(&answer), "error LIMIT_EXCEEDED", "{depth}: {start}");
            assert!(answer.get("data").is_none_or(Value::is_null), "nothing is executed");
        }
        // In variables they are the business of JSON.
        let variables = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let query = "query($it: [ID!]!) { nodes(ids: $it) { id } }";
        let body = format!(r#"{{ "query": "{query}", "variables": {{ "it": {variables} }} }}"#);
        assert!(outcome(&stand.post(JSON, body).await.1).starts_with("error "), "{depth}");
        assert!(is_alive(&stand.shop).await);
    }
    for text in ["[".repeat(4_000), "{".repeat(4_000), "(((".repeat(1_000)] {
        for document in [
            format!("{{ products(search: \"{}\") {{ nodes {{ id }} }} }}", &text[..200]),
            format!("{{ product(by: {{ sku: \"{text}\" }}) {{ id }} }}"),
            format!("{{ product(by: {{ sku: \"\"\"{text}\"\"\" }}) {{ id }} }}"),
            format!("{{ products {{ nodes {{ id }} }} }} # {text}"),
        ] {
            assert!(stand.shop.ask(&document, json!({})).await.get("errors").is_none(), "{}", &document[..40]);
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn documents_that_mean_nothing_are_told_apart() {
    let stand = Stand::open().await;
    for (document, right) in [
        ("", "error GRAPHQL_PARSE_FAILED"),
        ("   # nothing", "error GRAPHQL_PARSE_FAILED"),
        ("{", "error GRAPHQL_PARSE_FAILED"),
        ("{ }", "error GRAPHQL_PARSE_FAILED"),
        ("hello", "error GRAPHQL_PARSE_FAILED"),
        ("{ a \0 }", "error GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "error GRAPHQL_VALIDATION_FAILED"),
        ("query a { __typename } query b { __typename }", "error GRAPHQL_VALIDATION_FAILED"),
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", "error GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Nothing) { __typename }", "error GRAPHQL_VALIDATION_FAILED"),
        ("{ cart(id: \"1\") }", "error GRAPHQL_VALIDATION_FAILED"),
        ("{ cart { id } }", "error GRAPHQL_VALIDATION_FAILED"),
        ("query($id: ID!) { cart(id: $id) { id } }", "error BAD_USER_INPUT"),
        ("{ product(by: {}) { id } }", "error GRAPHQL_VALIDATION_FAILED"),
        ("{ product(by: { sku: \"A\", slug: \"a\" }) { id } }", "error GRAPHQL_VALIDATION_FAILED"),
        ("{ product(by: { sku: null }) { id } }", "error GRAPHQL_VALIDATION_FAILED"),
    ] {
        assert_eq!(outcome(&stand.shop.ask(document, json!({})).await), right, "{document:?}");
    }
    stand.close_unchanged().await;
}
