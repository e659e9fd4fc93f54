//! What is refused, by which code, and what is not.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use domain::actor::Actor;
use domain::stock::PublicStock;

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new(Limits::default()).unwrap());

/// What becomes of a document and its variables: the code and the message of the first error, or nothing.
fn refusal(text: &str, variables: &Value, actor: Actor) -> Option<(String, String)> {
    let documents = &*DOCUMENTS;
    let viewer = Viewer { client: (&actor).into(), actor, public_stock: PublicStock::Exact };
    let read = documents.read(text);
    let faults = read
        .and_then(|document| documents.admit(&document, (None, variables.as_object()), &viewer, Delivery::Once))
        .err()?;
    let answer = serde_json::to_value(&faults).unwrap();
    assert!(answer.to_string().len() <= 8_000, "{answer}");
    assert!(faults.len() <= MAX_ERRORS);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let first = &answer[0];
    assert!(!word(&first["message"]).contains('\n'), "{answer}");
    Some((word(&first["extensions"]["code"]), word(&first["message"])))
}

fn code(text: &str, variables: &Value) -> String {
    refusal(text, variables, Actor::System).map_or_else(|| "fine".to_owned(), |(code, _)| code)
}

const VALID: &str = "fine";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";
const INPUT: &str = "BAD_USER_INPUT";
const LIMIT: &str = "LIMIT_EXCEEDED";

#[test]
fn documents_are_validated_as_the_specification_says() {
    let add = |input: &str| format!("addToCart(input: {{ cartId: \"x\", items: [{input}] }}) {{ cart {{ id }} }}");
    let table = [
        ("{ products { nodes { sku } } }".to_owned(), VALID),
        ("{".to_owned(), UNPARSED),
        (String::new(), UNPARSED),
        ("{ products { nodes { sku } } } }".to_owned(), UNPARSED),
        ("{ nothing }".to_owned(), INVALID),
        ("{ products }".to_owned(), INVALID),
        ("{ __typename { x } }".to_owned(), INVALID),
        ("{ product(by: {}) { id } }".to_owned(), INVALID),
        ("{ stock(productId: true) { id } }".to_owned(), INVALID),
        ("{ stock { id } }".to_owned(), INVALID),
        ("{ stock(productId: \"a\", productId: \"b\") { id } }".to_owned(), INVALID),
        ("{ __typename @unknown }".to_owned(), INVALID),
        ("{ __typename @include }".to_owned(), INVALID),
        ("{ a: __typename @skip(if: true) @skip(if: true) }".to_owned(), INVALID),
        ("query @skip(if: true) { __typename }".to_owned(), INVALID),
        ("query($a: Int) { __typename }".to_owned(), INVALID),
        ("{ stock(productId: $a) { id } }".to_owned(), INVALID),
        ("query($a: ID) { stock(productId: $a) { id } }".to_owned(), INVALID),
        ("query($a: ID) { stocks(productIds: [$a]) { id } }".to_owned(), INVALID),
        ("query($a: Product) { __typename }".to_owned(), INVALID),
        ("query($a: [ID!]!) { stocks(productIds: [$a]) { id } }".to_owned(), INVALID),
        (
            "query($a: StockAction) { stockTransactions(filter: { actions: [$a] }) { nodes { id } } }".to_owned(),
            INVALID,
        ),
        (format!("mutation {{ {} }}", add("{ productId: \"a\", productId: \"b\", quantity: 1 }")), INVALID),
        (format!("mutation {{ {} }}", add("{ productId: \"a\", quantity: 1, other: 1 }")), INVALID),
        (format!("mutation {{ {} }}", add("{ productId: \"a\", quantity: \"1\" }")), INVALID),
        (format!("mutation {{ {} }}", add("{ productId: \"a\" }")), INVALID),
        (format!("mutation($q: Int) {{ {} }}", add("{ productId: \"a\", quantity: $q }")), INVALID),
        (
            "query($a: [ProductStatus!] = [ACTIVE, NOTHING]) { products(status: $a) { nodes { id } } }".to_owned(),
            INVALID,
        ),
        ("{ a: products { nodes { id } } a: orders { nodes { id } } }".to_owned(), INVALID),
        ("{ ...F }".to_owned(), INVALID),
        ("{ ...F } fragment F on Query { __typename ...F }".to_owned(), INVALID),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned(), INVALID),
        ("{ __typename } fragment F on Query { __typename }".to_owned(), INVALID),
        ("{ ...F } fragment F on Nothing { __typename }".to_owned(), INVALID),
        ("{ __typename } { __typename }".to_owned(), INVALID),
        ("query A { __typename } query A { __typename }".to_owned(), INVALID),
        ("query A { __typename } query B { __typename }".to_owned(), INVALID),
        ("type Query { a: Int }".to_owned(), INVALID),
    ];
    for (text, right) in table {
        assert_eq!(code(&text, &json!({})), right, "{text}");
    }
}

#[test]
fn escapes_of_characters_beyond_the_basic_plane_are_read() {
    for (string, right) in [
        (r#""\u{1F600}""#, VALID),
        (r#""\uD83D\uDE00""#, VALID),
        (r#""\ud83d\ude00 \u{1f600}""#, VALID),
        (r#""\u{10FFFF} \u{0041}""#, VALID),
        (r#""""\uD83D""""#, VALID),
        (r#""\\uD83D""#, VALID),
        (r#""\uD83D""#, UNPARSED),
        (r#""\uDE00""#, UNPARSED),
        (r#""\uDE00\uD83D""#, UNPARSED),
        (r#""\uD83D \uDE00""#, UNPARSED),
        (r#""\uD83D\u0041""#, UNPARSED),
        (r#""\uD83D\u{DE00}""#, UNPARSED),
        (r#""\u{D83D}""#, UNPARSED),
        (r#""\u{110000}""#, UNPARSED),
        (r#""\u{}""#, UNPARSED),
        (r#""\u{1F600""#, UNPARSED),
        (r#""\u{XYZ}""#, UNPARSED),
        (r#""\u12""#, UNPARSED),
        (r#""\x41""#, UNPARSED),
    ] {
        let text = format!("{{ products(search: {string}) {{ nodes {{ id }} }} }}");
        assert_eq!(code(&text, &json!({})), right, "{text}");
    }
    // What follows a string is where it was.
    let text = r#"{ a: products(search: "\uD83D\uDE00 \u{1F600}") { nodes { id nothing } } }"#;
    let faults = DOCUMENTS.read(text).expect_err("there is no such field");
    assert_eq!(faults[0].locations[0].column, text.find("nothing").unwrap() + 1);
}

#[test]
fn a_subscription_has_one_field_of_its_own() {
    for (text, right) in [
        ("subscription { orderChanged(id: \"a\") { id } }", VALID),
        ("subscription { a: orderChanged(id: \"a\") { id } b: orderChanged(id: \"b\") { id } }", INVALID),
        ("subscription { ...F } fragment F on Subscription { orderChanged(id: \"a\") { id } }", VALID),
        ("subscription { ... on Subscription { orderChanged(id: \"a\") { id } } }", VALID),
        ("subscription { ... { orderChanged(id: \"a\") { id } } }", VALID),
        (
            "subscription { ...F } fragment F on Subscription { ... { ...G } } fragment G on Subscription { orderChanged(id: \"a\") { id } }",
            VALID,
        ),
        ("subscription { ... { a: orderChanged(id: \"a\") { id } } b: orderChanged(id: \"b\") { id } }", INVALID),
        ("subscription { ... @skip(if: false) { orderChanged(id: \"a\") { id } } }", INVALID),
        ("subscription { ... { __typename } }", INVALID),
        ("subscription { ...F } fragment F on Query { product(by: { id: \"a\" }) { id } }", INVALID),
        ("subscription { ...F } fragment F on Subscription { ...F }", INVALID),
        ("subscription { __typename }", INVALID),
        ("subscription { orderChanged(id: \"a\") { ...F } } fragment F on Order { id }", VALID),
    ] {
        assert_eq!(code(text, &json!({})), right, "{text}");
    }
}

#[test]
fn variables_fit_their_types() {
    let lists = "query($a: [ID!]!) { stocks(productIds: $a) { id } }";
    let number = "query($a: Int) { products(first: $a) { nodes { id } } }";
    let needed = "query($a: Int!) { products(first: $a) { nodes { id } } }";
    let input = "mutation($a: AddToCartInput!) { addToCart(input: $a) { cart { id } } }";
    let status = "query($a: [ProductStatus!] = [ACTIVE]) { products(status: $a) { nodes { id } } }";
    let one = "query($a: ProductKey!) { product(by: $a) { id } }";
    let moment = "query($a: DateTime) { stockTransactions(filter: { since: $a }) { nodes { id } } }";
    let price = "mutation($a: UpdateProductInput!) { updateProduct(input: $a) { product { id } } }";
    let table = [
        (lists, json!({ "a": ["x"] }), VALID),
        (lists, json!({ "a": "x" }), VALID),
        (lists, json!({ "a": [7] }), VALID),
        (lists, json!({ "a": [null] }), INPUT),
        (lists, json!({ "a": [1.5] }), INPUT),
        (lists, json!({ "a": null }), INPUT),
        (lists, json!({}), INPUT),
        (number, json!({}), VALID),
        (number, json!({ "a": null, "another": 1 }), VALID),
        (number, json!({ "a": "1" }), INPUT),
        (number, json!({ "a": 1.5 }), INPUT),
        (number, json!({ "a": 2_147_483_648_u64 }), INPUT),
        (number, json!({ "a": [1] }), INPUT),
        (number, json!({ "a": {} }), INPUT),
        (needed, json!({}), INPUT),
        (needed, json!({ "a": null }), INPUT),
        (input, json!({ "a": { "cartId": "x", "items": [] } }), VALID),
        (input, json!({ "a": { "cartId": "x" } }), INPUT),
        (input, json!({ "a": { "cartId": "x", "items": [], "other": 1 } }), INPUT),
        (input, json!({ "a": { "cartId": "x", "items": [{ "productId": "x", "quantity": "1" }] } }), INPUT),
        (input, json!({ "a": [] }), INPUT),
        (status, json!({}), VALID),
        (status, json!({ "a": "ACTIVE" }), VALID),
        (status, json!({ "a": ["NOTHING"] }), INPUT),
        (status, json!({ "a": [true] }), INPUT),
        (one, json!({ "a": { "sku": "x" } }), VALID),
        (one, json!({ "a": {} }), INPUT),
        (one, json!({ "a": { "sku": null } }), INPUT),
        (one, json!({ "a": { "sku": "x", "id": "y" } }), INPUT),
        (moment, json!({ "a": "2026-01-31T12:00:00Z" }), VALID),
        (moment, json!({ "a": null }), VALID),
        (moment, json!({ "a": "yesterday" }), INPUT),
        (moment, json!({ "a": 7 }), INPUT),
        (
            price,
            json!({ "a": { "id": "x", "price": { "amount": 9_007_199_254_740_991_i64, "currency": "EUR" } } }),
            VALID,
        ),
        (
            price,
            json!({ "a": { "id": "x", "price": { "amount": 9_007_199_254_740_992_i64, "currency": "EUR" } } }),
            INPUT,
        ),
        (price, json!({ "a": { "id": "x", "price": { "amount": 1.5, "currency": "EUR" } } }), INPUT),
        (number, json!({ "a": "x".repeat(32 * 1_024) }), LIMIT),
        (number, json!({ "a": "x".repeat(30_000) }), INPUT),
    ];
    for (text, variables, right) in table {
        assert_eq!(code(text, &variables), right, "{text} {variables}");
    }
}

#[test]
fn variables_inside_of_values_fit_where_they_stand() {
    for (text, variables, right) in [
        ("query($a: ID!) { stocks(productIds: [$a]) { id } }", json!({ "a": "x" }), VALID),
        ("query($a: ID = \"x\") { stocks(productIds: [$a]) { id } }", json!({}), VALID),
        (
            "mutation($r: StockReason) { adjustStock(input: { changes: [], reason: $r }) { userErrors { code } } }",
            json!({}),
            VALID,
        ),
        (
            "mutation($r: StockAction) { adjustStock(input: { changes: [], reason: $r }) { userErrors { code } } }",
            json!({}),
            INVALID,
        ),
        (
            "query A($a: ID!) { ...F } fragment F on Query { stocks(productIds: [$a]) { id } }",
            json!({ "a": "x" }),
            VALID,
        ),
        ("query A($a: ID) { ...F } fragment F on Query { stocks(productIds: [$a]) { id } }", json!({}), INVALID),
    ] {
        assert_eq!(code(text, &variables), right, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let documents = &*DOCUMENTS;
    for (text, message, line, column) in [
        ("{\n  nothing\n}", "Type `Query` does not have a field `nothing`.", 2, 3),
        ("{ products(first: \"1\") { nodes { id } } }", "Expected value of type Int, found a string.", 1, 19),
        ("{ a(", "Syntax error: expected an Argument.", 1, 5),
        // Columns are characters, and lines end where the language says.
        ("{ products(search:\"ééé\"){nodes{nam}} }", "Type `Product` does not have a field `nam`.", 1, 32),
        ("{ products(search:\"\u{1f9f5}é\"){nodes{nam}} }", "Type `Product` does not have a field `nam`.", 1, 31),
        ("{ products(search: \"\u{2028}\") { nodes { nam } } }", "Type `Product` does not have a field `nam`.", 1, 35),
        ("#é\r\n{\r  nothing\r}", "Type `Query` does not have a field `nothing`.", 3, 3),
        ("{ product(by: { sku: \"é\", sku: \"é\" }) { id } }", "The input field `sku` is given more than once.", 1, 27),
    ] {
        let faults = documents.read(text).unwrap_err();
        assert_eq!(faults[0].message, message);
        assert_eq!((faults[0].locations[0].line, faults[0].locations[0].column), (line, column), "{text}");
    }
}

#[test]
fn a_cost_is_one_for_each_field_times_the_rows_it_is_asked_for() {
    let documents = &*DOCUMENTS;
    let cost = |text: &str, variables: Value| {
        let document = documents.read(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let operation = document.compiled.operations.get(None).unwrap();
        let values =
            variables::coerce(&documents.schema, operation, variables.as_object(), &documents.limits, false).unwrap();
        cost::of(&document.compiled, operation, &values)
    };
    let none = || json!({});
    for (text, variables, right) in [
        ("{ __typename }", none(), 1),
        ("{ stock(productId: \"x\") { id total } }", none(), 3),
        ("{ products { nodes { id sku } } }", none(), 1 + 1 + 20 * 2),
        ("{ products(first: 100) { nodes { id sku } pageInfo { hasNextPage } } }", none(), 1 + 1 + 100 * 2 + 2),
        ("{ products(last: 3) { edges { cursor node { id } } } }", none(), 1 + 1 + 3 * 3),
        ("query($n: Int) { products(first: $n) { nodes { id } } }", json!({ "n": 7 }), 1 + 1 + 7),
        ("query($n: Int = 8) { products(first: $n) { nodes { id } } }", none(), 1 + 1 + 8),
        ("query($n: Int) { products(first: $n) { nodes { id } } }", none(), 1 + 1 + 20),
        ("{ products(first: null) { nodes { id } } }", none(), 1 + 1 + 20),
        ("{ products(first: -1) { nodes { id } } }", none(), 1 + 1 + 1),
        ("{ products(first: 2147483647) { nodes { id } } }", none(), 1 + 1 + 100),
        ("{ stocks(productIds: [\"a\", \"b\", \"c\"]) { id } }", none(), 1 + 3),
        ("query($a: [ID!]!) { nodes(ids: $a) { id } }", json!({ "a": ["a", "b"] }), 1 + 2),
        ("query($a: [ID!]!) { nodes(ids: $a) { id } }", json!({ "a": "a" }), 1 + 1),
        ("{ order(id: \"x\") { items { id sku } } }", none(), 1 + 1 + 5 * 2),
        ("{ products(first: 10) { ...F } } fragment F on ProductConnection { nodes { id } }", none(), 1 + 1 + 10),
        ("{ __schema { types { name fields { name } } } }", none(), 5),
        (
            "{ stockTransactions(first: 10) { nodes { product { stock { transactions(first: 10) { nodes { id } } } } } } }",
            none(),
            1 + 1 + 10 * (1 + 1 + 1 + 1 + 10),
        ),
    ] {
        assert_eq!(cost(text, variables), right, "{text}");
    }
}

#[test]
fn shoppers_may_spend_less_than_staff() {
    let documents = |rows: usize| format!("{{ products(first: {rows}) {{ nodes {{ {} }} }} }}", "id ".repeat(10));
    let code = |text: &str, actor| refusal(text, &json!({}), actor).map(|(code, _)| code);
    assert_eq!(code(&documents(99), Actor::Guest), None);
    assert_eq!(code(&documents(100), Actor::Guest).as_deref(), Some(LIMIT));
    assert_eq!(code(&documents(100), Actor::Customer("x".to_owned())).as_deref(), Some(LIMIT));
    assert_eq!(code(&documents(100), Actor::Staff("x".to_owned())), None);
}

/// The query that graphql-js makes for `getIntrospectionQuery` with all of its options.
#[test]
fn the_whole_schema_can_be_asked_for_by_everybody() {
    let mut kind = "kind name".to_owned();
    for _ in 0..9 {
        kind = format!("kind name ofType {{ {kind} }}");
    }
    let text = format!(
        "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }} \
         subscriptionType {{ name kind }} types {{ ...FullType }} directives {{ name description isRepeatable locations \
         args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
         fragment FullType on __Type {{ kind name description specifiedByURL isOneOf \
         fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ ...InputValue }} \
         type {{ ...TypeRef }} isDeprecated deprecationReason }} \
         inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }} \
         enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }} \
         possibleTypes {{ ...TypeRef }} }} \
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated \
         deprecationReason }} fragment TypeRef on __Type {{ {kind} }}"
    );
    assert_eq!(refusal(&text, &json!({}), Actor::Guest), None);
}

#[test]
fn many_faults_make_a_short_answer() {
    let mut fields = String::new();
    for number in 0..900 {
        write!(fields, "a{number} ").unwrap();
    }
    let long = "\\\\\\u0001\\\"".repeat(900);
    for (text, right) in [
        (format!("{{ products {{ nodes {{ {fields} }} }} }}"), INVALID),
        (format!("{{ products(first: \"{long}\") {{ nodes {{ id }} }} }}"), INVALID),
        (format!("{{ {} }}", "x(y: \"\\\"\") ".repeat(20)), INVALID),
        ("}".repeat(1_900), UNPARSED),
        ("\u{1}".repeat(1_900), UNPARSED),
    ] {
        assert_eq!(code(&text, &json!({})), right, "{}", &text[..60]);
    }
    let query = "query($a: Int) { products(first: $a) { nodes { id } } }";
    assert_eq!(code(query, &json!({ "a": "\u{1}\"\\\n".repeat(2_500) })), INPUT);
}

static SUGGESTING: LazyLock<Documents> = LazyLock::new(|| Documents::new(Limits::default()).unwrap().suggesting(true));

/// What is said of a document, with suggestions and without.
fn told(text: &str) -> (Vec<String>, Vec<String>) {
    let messages = |documents: &Documents| {
        let faults = documents.read(text).expect_err(text);
        faults.into_iter().map(|fault| fault.message).collect()
    };
    (messages(&SUGGESTING), messages(&DOCUMENTS))
}

#[test]
fn near_names_are_suggested_only_where_that_is_wanted() {
    for (text, expected) in [
        ("{ produts { nodes { id } } }", "Did you mean `products` or `product`?"),
        ("{ products { nodes { stock { avialable } } } }", "Did you mean `available`?"),
        ("{ products(frist: 1) { nodes { id } } }", "Did you mean `first` or `last`?"),
        ("{ products @include(iff: true, if: true) { nodes { id } } }", "Did you mean `if`?"),
        ("{ products @skp(if: true) { nodes { id } } }", "Did you mean `@skip`?"),
        ("{ products(availability: [IN_STOK]) { nodes { id } } }", "Did you mean `IN_STOCK`?"),
        ("mutation { createCart(input: { itms: [] }) { cart { id } } }", "Did you mean `items`?"),
        ("{ node(id: \"x\") { ... on Prodct { id } } }", "Did you mean `Product`?"),
        ("query($a: [Availabilty!]) { products(availability: $a) { nodes { id } } }", "Did you mean `Availability`?"),
        ("subscription { stockChangd(productIds: []) { version } }", "Did you mean `stockChanged`?"),
    ] {
        let (with, without) = told(text);
        let found = with.iter().any(|message| message.ends_with(expected));
        assert!(found, "{text}: {with:?}");
        assert!(without.iter().all(|message| !message.contains("Did you mean")), "{text}: {without:?}");
    }
    let (with, _) = told("{ node(id: \"x\") { sku } }");
    assert_eq!(with, ["Type `Node` does not have a field `sku`. Did you mean `... on OrderItem` or `... on Product`?"]);
    let (with, without) = told("{ products { nodes { xyzzy } } }");
    assert_eq!(with, without, "nothing is near");
}

#[test]
fn near_names_are_suggested_for_what_is_in_variables() {
    let text = "query($a: [Availability!], $by: ProductKey!) { products(availability: $a) { nodes { id } } product(by: $by) { id } }";
    let actor = Actor::System;
    let viewer = Viewer { client: (&actor).into(), actor, public_stock: PublicStock::Exact };
    for (variables, expected) in [
        (json!({ "a": ["IN_STOK"], "by": { "sku": "x" } }), "Did you mean `IN_STOCK`?"),
        (json!({ "by": { "skuu": "x" } }), "Did you mean `sku` or `slug`?"),
    ] {
        for (documents, suggests) in [(&*SUGGESTING, true), (&*DOCUMENTS, false)] {
            let document = documents.read(text).unwrap();
            let faults =
                documents.admit(&document, (None, variables.as_object()), &viewer, Delivery::Once).unwrap_err();
            assert_eq!(faults[0].message.ends_with(expected), suggests, "{:?}", faults[0].message);
        }
    }
}

#[test]
fn an_unknown_field_alone_is_one_fault() {
    for text in ["{ products { nothing } }", "{ products {\n nothing\n } }", "{ products(search: \"é\") { nothing } }"]
    {
        let (_, without) = told(text);
        assert_eq!(without, ["Type `ProductConnection` does not have a field `nothing`."], "{text}");
    }
    let (_, missing) = told("{ products }");
    assert_eq!(missing, ["Interface, union and object types must have a subselection set."]);
    let (_, both) = told("{ products { nodes { stock } } produts { id } }");
    assert_eq!(both.len(), 2, "{both:?}");
}
