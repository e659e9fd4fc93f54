//! Which responses shared caches may store, and for how long. Everything else is `no-store`.

use async_graphql::Request;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// `Cache-Control` of an anonymous read of the catalogue.
const CATALOGUE: HeaderValue = HeaderValue::from_static("public, max-age=5");

/// `Vary` of such a response.
const VARIES: HeaderValue = HeaderValue::from_static("accept, authorization, cookie");

/// Returns the `Cache-Control` of a successful response if it is not `no-store`: of an anonymous GET for the catalogue
/// without stock. Stock is never cached, because a read after a change shows that change.
pub fn cache_control(request: &mut Request, is_get: bool, headers: &HeaderMap) -> Option<HeaderValue> {
    let is_anonymous = !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE);
    let is_catalogue = is_get && is_anonymous && request.parsed_query().is_ok_and(is_catalogue);
    is_catalogue.then_some(CATALOGUE)
}

/// Sets `Cache-Control` on a response.
pub fn set_cache_control(response: &mut Response, cache: Option<HeaderValue>) {
    if let Some(cache) = cache {
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
        response.headers_mut().append(header::VARY, VARIES);
    }
}

fn is_catalogue(document: &ExecutableDocument) -> bool {
    let DocumentOperations::Single(operation) = &document.operations else { return false };
    let root = &operation.node.selection_set.node;
    let only_products = root.items.iter().all(|item| match &item.node {
        // Which products a filter by availability finds changes with the stock.
        Selection::Field(field) => {
            let name = field.node.name.node.as_str();
            matches!(name, "product" | "products") && field.node.get_argument("availability").is_none()
        }
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    });
    operation.node.ty == OperationType::Query && only_products && is_without_stock(document, root)
}

/// Returns whether nothing that changes with the stock is selected. Fragments are checked where they are defined and not
/// where they are spread, so that a cycle of them is no loop here.
fn is_without_stock(document: &ExecutableDocument, root: &SelectionSet) -> bool {
    let mut open: Vec<&SelectionSet> = document.fragments.values().map(|one| &one.node.selection_set.node).collect();
    open.push(root);
    while let Some(set) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) if matches!(field.node.name.node.as_str(), "stock" | "availability") => {
                    return false;
                }
                Selection::Field(field) => open.push(&field.node.selection_set.node),
                Selection::InlineFragment(fragment) => open.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_catalogue_says_may_be_kept() {
        for (query, expected) in [
            ("{ products { nodes { sku name } } }", true),
            ("{ a: product(by: { sku: \"A\" }) { ...F } } fragment F on Product { name }", true),
            ("{ __typename products { nodes { sku } } }", false),
            ("{ products { nodes { stock { available } } } }", false),
            ("{ products(availability: [OUT_OF_STOCK]) { nodes { sku } } }", false),
            (
                "query($a: [Availability!]) { a: products(first: 1) { nodes { sku } } b: products(availability: $a) { nodes { sku } } }",
                false,
            ),
            ("{ products(search: \"mug\", first: 5) { nodes { sku } } }", true),
            ("{ products { nodes { ... { availability } } } }", false),
            ("{ products { nodes { ...F } } } fragment F on Product { stock { total } }", false),
            ("{ ...F } fragment F on Query { orders { nodes { id } } }", false),
            ("{ orders { nodes { id } } }", false),
            ("mutation { product }", false),
            ("query A { products { nodes { sku } } } query B { orders { nodes { id } } }", false),
        ] {
            let may = cache_control(&mut Request::new(query), true, &HeaderMap::new()).is_some();
            assert_eq!(may, expected, "{query}");
        }
        let catalogue = || Request::new("{ products { nodes { sku } } }");
        assert!(cache_control(&mut catalogue(), false, &HeaderMap::new()).is_none());
        for name in [header::AUTHORIZATION, header::COOKIE] {
            let somebody = HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]);
            assert!(cache_control(&mut catalogue(), true, &somebody).is_none());
        }
    }
}
