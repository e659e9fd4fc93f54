//! The HTTP client of gateways: bounded in time and in size. It follows no redirects and takes no proxy from the environment,
//! so that what is secret goes where the settings say and nowhere else.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};

/// Timeout of a connection to a provider.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that is not used is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of an answer, in bytes.
const MAX_ANSWER: usize = 256 * 1_024;

/// An answer of a provider, whole.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Returns a client whose requests end after this time at the latest; `None` without TLS, which the log tells.
pub fn client(timeout: Duration) -> Option<Client> {
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("onhand/", env!("CARGO_PKG_VERSION")))
        .build();
    client.inspect_err(|error| tracing::error!(%error, "a gateway has no HTTP client")).ok()
}

/// Sends a request. Returns `None` if there is no whole answer: whether the provider did anything is then not known.
pub async fn send(gateway: &'static str, request: RequestBuilder) -> Option<Response> {
    match read(request).await {
        Ok(response) if response.is_none() => {
            tracing::warn!(gateway, "the answer of a payment provider is too large");
            None
        }
        Ok(response) => response,
        Err(error) => {
            // Its address may hold what is secret.
            let error = error.without_url();
            tracing::warn!(gateway, %error, "a payment provider did not answer");
            None
        }
    }
}

async fn read(request: RequestBuilder) -> reqwest::Result<Option<Response>> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(Response { status, headers, body }))
}
