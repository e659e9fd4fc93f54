//! Each limit of a document: exactly what is allowed is executed, one more is refused, over HTTP and over a websocket, and
//! nothing of it happens.

use std::fmt::Write as _;

use domain::stock::PublicStock;
use onhand::graphql::document::limits as max;
use serde_json::{Value, json};

use onhand::graphql::Limits;

use crate::support::{Client, Shop, Socket, Wanted};

/// What a client sends.
struct Sent {
    query: String,
    name: Option<&'static str>,
    variables: Value,
}

impl Sent {
    fn query(query: String) -> Self {
        Self { query, name: None, variables: json!({}) }
    }

    fn body(&self) -> Value {
        json!({ "query": self.query, "operationName": self.name, "variables": self.variables })
    }
}

/// The code of the first error, or nothing when there is none.
fn code(answer: &Value) -> Option<String> {
    let error = answer["errors"].get(0)?;
    Some(error["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}")).to_owned())
}

async fn over_http(client: &Client, sent: &Sent) -> (Option<String>, String) {
    let mut request = client.http.post(format!("{}/graphql", client.url)).json(&sent.body());
    if let Some(authorization) = &client.authorization {
        request = request.header("authorization", authorization);
    }
    let text = request.send().await.expect("an answer").text().await.expect("text");
    (code(&serde_json::from_str(&text).expect("JSON")), text)
}

async fn over_socket(client: &Client, sent: &Sent) -> Option<String> {
    let mut socket = Socket::open(client).await;
    socket.send(&json!({ "type": "subscribe", "id": "1", "payload": sent.body() })).await;
    let message = socket.next().await;
    match message["type"].as_str() {
        Some("error") => code(&json!({ "errors": message["payload"] })),
        Some("next") => code(&message["payload"]),
        _ => panic!("{message}"),
    }
}

/// So many times.
fn times(count: u64, each: impl Fn(u64) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(" ")
}

fn n(limit: usize) -> u64 {
    u64::try_from(limit).expect("a small limit")
}

/// Something in every product of a page of one.
fn of_products(fields: &str) -> String {
    format!("{{ products(first: 1) {{ nodes {{ {fields} }} }} }}")
}

/// A chain of fields that is so deep.
fn deep(root: &str, leaf: &str, steps: [&str; 2], depth: u64) -> String {
    let taken = n(root.matches('{').count()) + 1;
    let steps: Vec<_> =
        (taken..depth).map(|at| steps[usize::try_from(at - taken).expect("a small depth") % 2]).collect();
    let open: String = steps.iter().fold(String::new(), |mut text, step| {
        write!(text, "{step} {{ ").expect("a text");
        text
    });
    format!("{{ {root} {open} {leaf} {} }}", "}".repeat(steps.len() + root.matches('{').count()))
}

/// A page of a hundred products that costs so much.
fn costs(cost: u64) -> String {
    let each = (cost - 3) / 100;
    let rest = cost - 3 - each * 100;
    let fields = times(each, |_| "id".to_owned());
    let page = times(rest, |_| "hasNextPage".to_owned());
    format!("{{ products(first: 100) {{ nodes {{ {fields} }} pageInfo {{ {page} }} }} }}")
}

/// Selections in selections, partly by fragments.
fn nested_selections(count: u64) -> String {
    let inline = usize::try_from(count - 41).expect("more than the fragments");
    let chain = times(39, |at| format!("fragment F{at} on Query {{ ...F{} }}", at + 1));
    let last = format!("{}__typename{}", "... { ".repeat(inline), " }".repeat(inline));
    format!("{{ ...F0 }} {chain} fragment F39 on Query {{ {last} }}")
}

/// A limit of a document: its name, the greatest count that is allowed, and a request with so many.
type Row<'a> = (&'static str, u64, Box<dyn Fn(u64) -> Sent + Send + 'a>);

fn row<'a>(what: &'static str, most: u64, make: impl Fn(u64) -> String + Send + 'a) -> Row<'a> {
    (what, most, Box::new(move |count| Sent::query(make(count))))
}

/// Limits of the text and of what comes with it.
fn rows_of_text() -> Vec<Row<'static>> {
    let usize = |count: u64| usize::try_from(count).expect("a small count");
    let variables = move |count| {
        let value = "x".repeat(usize(count) - json!({ "a": "" }).to_string().len());
        Sent { variables: json!({ "a": value }), ..Sent::query("{ __typename }".to_owned()) }
    };
    let operations = |count| {
        let query = times(count, |at| format!("query Q{at} {{ __typename }}"));
        Sent { name: Some("Q0"), ..Sent::query(query) }
    };
    vec![
        row("characters", n(Limits::DEFAULT.length), move |count| {
            format!("{{ __typename }} #{}", "é".repeat(usize(count - 16)))
        }),
        row("tokens", n(Limits::DEFAULT.tokens), |count| of_products(&times(count - 13, |_| "id".to_owned()))),
        row("characters of a name", n(max::MAX_WORD), move |count| {
            format!("{{ {}: __typename }}", "a".repeat(usize(count)))
        }),
        row("brackets", n(max::MAX_NESTING), move |count| {
            let inside = usize(count - 1);
            format!("{{ {} __typename {} }}", "... {".repeat(inside), "}".repeat(inside))
        }),
        ("bytes of variables", n(Limits::DEFAULT.variables_size), Box::new(variables)),
        ("operations", n(max::MAX_OPERATIONS), Box::new(operations)),
    ]
}

/// Limits of what is in a document.
fn rows_of_contents(product: &str) -> Vec<Row<'_>> {
    vec![
        row("selections", n(max::MAX_NESTING), nested_selections),
        row("fragments", n(max::MAX_FRAGMENTS), |count| {
            let spreads = of_products(&times(count, |at| format!("...F{at}")));
            format!("{spreads} {}", times(count, |at| format!("fragment F{at} on Product {{ id }}")))
        }),
        row("variables", n(max::MAX_VARIABLES), move |count| {
            let definitions = times(count, |at| format!("$v{at}: ID! = \"{product}\""));
            let ids = times(count, |at| format!("$v{at}"));
            format!("query({definitions}) {{ stocks(productIds: [{ids}]) {{ total }} }}")
        }),
        row("aliases", n(max::MAX_ALIASES), |count| of_products(&times(count, |at| format!("a{at}: id")))),
        row("directives", n(max::MAX_DIRECTIVES), |count| {
            of_products(&times(count, |_| "id @include(if: true)".to_owned()))
        }),
        row("fields", max::MAX_FIELDS, |count| {
            let (spreads, rest) = (times(19, |_| "...F".to_owned()), times(count - 1_902, |_| "id".to_owned()));
            let fragment = format!("fragment F on Product {{ {} }}", times(100, |_| "id".to_owned()));
            format!("{} {fragment}", of_products(&format!("{spreads} {rest}")))
        }),
        row("fields at the root", max::MAX_ROOT_FIELDS, |count| {
            format!("{{ {} }}", times(count, |_| "__typename".to_owned()))
        }),
        row("depth", n(Limits::DEFAULT.depth), |count| {
            deep("products(first: 1) { nodes {", "id", ["stock", "product"], count)
        }),
        row("depth of introspection", n(max::MAX_INTROSPECTION_DEPTH), |count| {
            deep("__schema { types { fields { type {", "name", ["ofType", "ofType"], count)
        }),
        row("lists of introspection", n(max::MAX_INTROSPECTION_LISTS), |count| {
            let lists = ["fields { type {", "interfaces {", "possibleTypes {"];
            let open: String = lists.into_iter().take(usize::try_from(count).expect("few")).collect();
            format!("{{ __schema {{ types {{ {open} name {} }} }} }}", "}".repeat(open.matches('{').count()))
        }),
        row("cost", Limits::DEFAULT.cost_for_staff, costs),
    ]
}

#[tokio::test]
async fn exactly_what_is_allowed_is_executed_and_one_more_is_refused() {
    let shop = Shop::open().await;
    let product = shop.product("MUG", 5).await;
    for (what, most, make) in rows_of_text().into_iter().chain(rows_of_contents(&product)) {
        let (allowed, refused) = (make(most), make(most + 1));
        let (code, text) = over_http(&shop, &allowed).await;
        assert_eq!(code, None, "{most} {what} over HTTP: {}", text.chars().take(400).collect::<String>());
        assert_eq!(over_socket(&shop, &allowed).await, None, "{most} {what} over a websocket");
        let (code, text) = over_http(&shop, &refused).await;
        assert_eq!(code.as_deref(), Some("LIMIT_EXCEEDED"), "one more of {what} over HTTP: {text}");
        assert!(text.len() < 400 && text.contains("at most"), "{what}: {text}");
        let code = over_socket(&shop, &refused).await;
        assert_eq!(code.as_deref(), Some("LIMIT_EXCEEDED"), "one more of {what} over a websocket");
    }
    shop.close().await;
}

/// There are not as many directives as one place may have, and none may be repeated.
#[tokio::test]
async fn directives_at_one_place_are_counted_before_they_are_looked_at() {
    let shop = Shop::open().await;
    let query = |count: usize| format!("{{ __typename {} }}", "@include(if: true) ".repeat(count));
    assert_eq!(shop.code(&query(max::MAX_DIRECTIVES_PER_PLACE), json!({})).await, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(shop.code(&query(max::MAX_DIRECTIVES_PER_PLACE + 1), json!({})).await, "LIMIT_EXCEEDED");
    shop.close().await;
}

#[tokio::test]
async fn of_too_many_mutations_not_one_is_executed() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let change = format!("changes: [{{ productId: \"{mug}\", action: INCREMENT, quantity: 1 }}]");
    let one = |at: u64| format!("a{at}: adjustStock(input: {{ {change} }}) {{ userErrors {{ code }} }}");
    let inline = |count: u64| format!("mutation {{ {} }}", times(count, one));
    let spread = |count: u64| {
        let (first, rest) = (one(0), times(count - 1, |at| one(at + 1)));
        format!("mutation {{ {first} ...F }} fragment F on Mutation {{ {rest} }}")
    };
    for refused in [inline(max::MAX_MUTATIONS + 1), spread(max::MAX_MUTATIONS + 1)] {
        assert_eq!(shop.code(&refused, json!({})).await, "LIMIT_EXCEEDED");
    }
    assert_eq!(shop.stock(&mug).await, (5, 0, 5), "nothing was executed");
    for allowed in [inline(max::MAX_MUTATIONS), spread(max::MAX_MUTATIONS)] {
        shop.data(&allowed, json!({})).await;
    }
    assert_eq!(shop.stock(&mug).await, (15, 0, 15), "all of them were executed");
    shop.close().await;
}

#[tokio::test]
async fn shoppers_may_ask_for_less_than_staff() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(onhand::config::Role::Staff, "ada").await;
    let customer = shop.signed_in(onhand::config::Role::Customer, "bob").await;
    for (who, client, most) in [
        ("a guest", &*shop, Limits::DEFAULT.cost_for_shoppers),
        ("a customer", &customer, Limits::DEFAULT.cost_for_shoppers),
        ("staff", &staff, Limits::DEFAULT.cost_for_staff),
    ] {
        for (cost, right) in [(most, None), (most + 1, Some("LIMIT_EXCEEDED"))] {
            let sent = Sent::query(costs(cost));
            assert_eq!(over_http(client, &sent).await.0.as_deref(), right, "{who}, {cost}");
            assert_eq!(over_socket(client, &sent).await.as_deref(), right, "{who}, {cost}, over a websocket");
        }
    }
    shop.close().await;
}

/// A chain of fields that is so deep and goes round in a circle.
fn circle(first: &[&str], circle: &[&str], depth: usize) -> String {
    let steps: Vec<_> = first.iter().chain(circle.iter().cycle()).take(depth - 1).copied().collect();
    format!("{{ {} {{ __typename {} }}", steps.join(" { "), "}".repeat(depth - 1))
}

/// As deep as it may ever be set, also without optimisation, where everything needs most of the stack.
#[tokio::test]
async fn the_greatest_depth_that_can_be_set_is_executed() {
    let deepest = max::MAX_SETTABLE_DEPTH;
    let documents = Limits { depth: deepest, ..Limits::default() };
    let shop = Shop::open_as(Wanted { documents, ..Wanted::default() }).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay_sandbox(&order, "succeed").await;
    let (page, stock) = ("stockTransactions(last: 1)", format!("stock(productId: \"{mug}\")"));
    let circles: [(usize, &[&str], &[&str]); 5] = [
        (deepest, &["products(first: 1)", "nodes"], &["stock", "product"]),
        (deepest, &[&stock], &["transactions(last: 1)", "edges", "node", "product", "stock"]),
        (deepest, &[page, "nodes"], &["order", page, "nodes"]),
        (deepest, &[page, "edges", "node"], &["order", "items", "product", "stock", "transactions(last: 1)", "nodes"]),
        (max::MAX_INTROSPECTION_DEPTH, &["__schema", "types", "fields", "type"], &["ofType"]),
    ];
    for (depth, first, steps) in circles {
        let sent = Sent::query(circle(first, steps, depth));
        assert_eq!(over_http(&shop, &sent).await.0, None, "{}", sent.query);
        assert_eq!(over_socket(&shop, &sent).await, None, "{}", sent.query);
        let deeper = circle(first, steps, depth + 1);
        assert_eq!(shop.code(&deeper, json!({})).await, "LIMIT_EXCEEDED", "{deeper}");
    }
    shop.close().await;
}

/// A page that is asked for by a variable, or by its default, costs as much as one that is written down.
#[tokio::test]
async fn no_page_is_cheaper_by_a_variable() {
    let shop = Shop::open().await;
    let inside = "transactions(first: $n) { nodes { id } }";
    let query = |definition: &str| {
        format!("query({definition}) {{ products(first: $n) {{ nodes {{ stock {{ {inside} }} }} }} }}")
    };
    for (query, variables, right) in [
        (query("$n: Int"), json!({ "n": 98 }), None),
        (query("$n: Int"), json!({ "n": 100 }), Some("LIMIT_EXCEEDED")),
        (query("$n: Int = 98"), json!({}), None),
        (query("$n: Int = 100"), json!({}), Some("LIMIT_EXCEEDED")),
        (query("$n: Int = 100"), json!({ "n": 1 }), None),
        (query("$n: Int"), json!({}), None),
    ] {
        assert_eq!(code(&shop.ask(&query, variables.clone()).await).as_deref(), right, "{query} {variables}");
    }
    shop.close().await;
}
