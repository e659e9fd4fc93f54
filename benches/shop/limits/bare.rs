//! The limit of reads: axum that reads a body and answers bytes that it has ready, of the size of a product with its stock.

use anyhow::Result;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tokio::net::TcpListener;

/// The argument that makes this program the limit.
pub const ARGUMENT: &str = "bare";

const ANSWER: &str = r#"{"data":{"product":{"id":"product_01j0000000e008000000000001","sku":"SPREAD-100","name":"Product SPREAD 100","price":{"amount":1000,"currency":"EUR"},"stock":{"total":1000000,"available":998500,"allocated":1500,"version":1501}}}}"#;

/// Serves until the benchmark is gone.
pub async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let host = listener.local_addr()?.to_string();
    let answer = async |_: String| ([(CONTENT_TYPE, "application/json")], ANSWER);
    let router = Router::new().route("/graphql", post(answer));
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        gone = super::serve_until_gone(&host) => gone,
    }
}
