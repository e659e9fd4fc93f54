//! A payment provider that answers what a test says. The server asks it over HTTP, through the gateway `remote`.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;

/// One per test, opened before its shop.
pub struct Provider(Arc<Mutex<Calls>>);

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
        let address = listener.local_addr().expect("an address");
        onhand::faults::take(&format!("gateway=http://{address}")).expect("a sound plan");
        let router = Router::new().route("/{what}", post(answer)).with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self(calls)
    }

    /// Answers this from now on when it is asked to `charge`, to `look_up` or to `void`; null: never answers. Returns how
    /// often it was asked before.
    pub fn answers(&self, what: &str, state: Value) -> usize {
        let mut calls = self.0.lock().expect("no panic");
        calls.answers.insert(what.to_owned(), state);
        calls.counts.get(what).copied().unwrap_or_default()
    }

    /// How often it was asked.
    pub fn count(&self, what: &str) -> usize {
        self.0.lock().expect("no panic").counts.get(what).copied().unwrap_or_default()
    }
}

async fn answer(State(calls): State<Arc<Mutex<Calls>>>, Path(what): Path<String>) -> Json<Value> {
    let state = {
        let mut calls = calls.lock().expect("no panic");
        *calls.counts.entry(what.clone()).or_default() += 1;
        calls.answers.get(&what).cloned().unwrap_or_default()
    };
    if state.is_null() { pending().await } else { Json(state) }
}
