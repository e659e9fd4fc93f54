//! The server: HTTP, server-sent events and websockets, from accepting a connection to the drain at shutdown.
//!
//! The only module that knows axum. It decides nothing about the shop.

mod answer_memory;
mod assets;
mod auth;
pub mod bind;
mod caching;
mod caller;
mod client_address;
mod concurrency;
mod connections;
mod encode;
mod error_response;
mod events;
mod execution;
mod header_case;
mod health;
mod http;
mod listen;
mod metrics;
mod negotiation;
mod operation;
mod operation_json;
mod origin;
mod outlet;
mod persisted;
mod rate;
mod readiness;
mod request_id;
mod router;
mod service;
mod shared_answers;
mod shared_results;
mod socket;
mod socket_limiter;
mod startup;
mod state;
mod timed_stream;
mod trace;
mod transport;
mod webhooks;

use self::state::ServerState;

pub use answer_memory::{AnswerMemory, AnswerMemoryLimits};
pub use auth::{Authenticator, Identity, issue_token};
pub use concurrency::ConcurrencyLimit;
pub use connections::{ConnectionLimiter, ConnectionLimits};
pub use rate::{Rate, RateLimits};
pub use socket_limiter::SocketLimiter;
pub use startup::{RunningServer, Startup};
pub use state::HttpConfig;
pub use transport::{SizeLimits, Timeouts, TransportConfig};

/// The path of the API.
const API_PATH: &str = "/graphql";

/// The path of the API as some clients and proxies complete it.
const API_PATH_WITH_SLASH: &str = "/graphql/";
