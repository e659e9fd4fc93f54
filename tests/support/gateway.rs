//! A payment provider that answers what a test says. The server asks it through the gateway `http`.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use onhand::config::GatewaySettings;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::providers::{SECRET, settings, signed_at, time_of};

/// One per test, opened before its shop.
pub struct Provider {
    url: String,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Calls {
    answers: HashMap<String, Value>,
    counts: HashMap<String, usize>,
}

impl Provider {
    /// A provider that answers nothing yet.
    pub async fn open() -> Self {
        let calls = Arc::<Mutex<Calls>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/pay", listener.local_addr().expect("an address"));
        let router = Router::new().route("/pay", post(answer)).with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    /// The settings of a shop that asks it.
    pub fn settings(&self) -> GatewaySettings {
        settings(&self.url)
    }

    /// Answers this from now on when it is asked to `charge`, to `look_up` or to `void`: a state, or the milliseconds that the
    /// shopper has to act; null: never answers. Returns how often it was asked before.
    pub fn answers(&self, what: &str, state: Value) -> usize {
        let mut calls = self.calls.lock().expect("no panic");
        calls.answers.insert(what.to_owned(), state);
        calls.counts.get(what).copied().unwrap_or_default()
    }

    /// How often it was asked.
    pub fn count(&self, what: &str) -> usize {
        self.calls.lock().expect("no panic").counts.get(what).copied().unwrap_or_default()
    }
}

async fn answer(State(calls): State<Arc<Mutex<Calls>>>, headers: HeaderMap, body: Bytes) -> Response {
    let seconds = time_of(&headers, &body);
    let mut said: Value = serde_json::from_slice(&body).expect("JSON");
    let what = said["action"].as_str().expect("an action").to_owned();
    let state = {
        let mut calls = calls.lock().expect("no panic");
        *calls.counts.entry(what.clone()).or_default() += 1;
        calls.answers.get(&what).cloned().unwrap_or_default()
    };
    said["action"] = Value::Null;
    match state["action"].as_u64() {
        Some(millis) => {
            said["state"] = "action_required".into();
            said["action"] = json!({ "client_secret": "secret", "expires_in": millis / 1_000 });
        }
        None if state.is_null() => return pending().await,
        None => said["state"] = state,
    }
    let body = said.to_string();
    // By the clock of the shop, which tests set forward.
    ([("onhand-signature", signed_at(SECRET, body.as_bytes(), seconds))], body).into_response()
}
