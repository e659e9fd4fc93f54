//! GraphQL: decode, call, encode. A folder per noun; each type wraps a value of the domain.
//!
//! There are no rules of the inventory here, and no query of the database: a resolver asks the store or submits a
//! command. It never derives GraphQL on an entity.

mod budget;
mod cart;
mod cursor;
pub mod document;
mod error;
mod introspection;
mod keys;
mod loaders;
mod money;
mod node;
mod order;
mod page;
mod product;
mod scalars;
mod stock;
mod viewer;
mod webhook;

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Request, Schema, SchemaBuilder, ValidationMode};

use crate::app::App;

use page::Connection;

pub use budget::{Budget, Stopped};
pub use document::{Document, Documents, Limits};
pub use error::{Code, finish};
pub use introspection::is_asked_for as asks_for_introspection;
pub use loaders::SharedReads;
pub use stock::OneStock;
pub use viewer::Viewer;

/// Everything that can be asked.
#[derive(Debug, MergedObject, Default)]
#[graphql(name = "Query")]
pub struct QueryRoot(
    node::NodeQueries,
    product::ProductQueries,
    stock::StockQueries,
    cart::CartQueries,
    order::OrderQueries,
    webhook::WebhookQueries,
);

/// Everything that can be changed. Every mutation takes one input and answers with its own payload.
#[derive(Debug, MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    product::ProductMutations,
    stock::StockMutations,
    cart::CartMutations,
    order::OrderMutations,
    order::PaymentMutations,
    webhook::WebhookMutations,
);

/// Everything that can be followed.
#[derive(Debug, MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct SubscriptionRoot(stock::StockSubscriptions, order::OrderSubscriptions);

/// The schema of this server.
pub type ApiSchema = Schema<QueryRoot, MutationRoot, SubscriptionRoot>;

fn builder() -> SchemaBuilder<QueryRoot, MutationRoot, SubscriptionRoot> {
    Schema::build(QueryRoot::default(), MutationRoot::default(), SubscriptionRoot::default())
        // Fast leaves every rule of the specification out but fragment cycles. `document` has checked them all before: once
        // for each text, not for each request, and the values of variables each time. `document::values` has what the
        // compiler leaves to us, `@oneOf` among it, and a test compares the result with the library's strict mode.
        .validation_mode(ValidationMode::Fast)
        // Every document was bounded before it gets here; the library's own bound is only not to come first.
        .limit_recursive_depth(2 * document::limits::MAX_NESTING)
        .override_output_type_description::<Connection<product::Product>>("A page of products.")
        .override_output_type_description::<Connection<order::Order>>("A page of orders.")
        .override_output_type_description::<Connection<stock::StockTransaction>>("A page of the log.")
        .override_output_type_description::<Connection<stock::StockAllocation>>(
            "A page of orders that hold units of a product.",
        )
        .override_output_type_description::<Connection<webhook::WebhookDelivery>>("A page of deliveries to a webhook.")
}

/// The schema over an app, ready to execute. What is not to be explored tells nothing about itself.
#[must_use]
pub fn schema(app: App, explore: bool) -> ApiSchema {
    let builder = builder().data(app);
    if explore { builder.finish() } else { builder.disable_introspection().disable_suggestions().finish() }
}

/// The schema as text: what `schema.graphql` has.
#[must_use]
pub fn sdl() -> String {
    let options =
        async_graphql::SDLExportOptions::new().prefer_single_line_descriptions().use_space_ident().indent_width(2);
    format!("{}\n", builder().finish().sdl_with_options(options).trim())
}

/// A request with what its resolvers need: who asks, what the answer may take, and loaders that live as long as the request.
/// They read together with those of other requests.
#[must_use]
pub fn prepare(
    app: &App,
    request: Request,
    (viewer, budget): (Viewer, Arc<Budget>),
    shared: Option<Arc<SharedReads>>,
) -> Request {
    request.data(viewer).data(budget).data(loaders::Loaders::of(app.store.clone(), shared))
}
