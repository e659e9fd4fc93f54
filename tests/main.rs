//! Every test of the whole server, in one binary: a module per feature, a shop of its own per test.
//!
//! Stories are told through the API only. At its end each test closes its shop, which verifies every invariant.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]
#![allow(clippy::print_stderr, reason = "what a test prints is shown when it fails")]
#![allow(clippy::disallowed_methods, reason = "a test ends with the tasks that it spawns")]

mod support;

mod access;
mod answers;
mod bad_input;
mod badge;
mod capped;
mod cases;
mod closing;
mod codes;
mod commits;
mod connections;
mod crash;
mod cross_origin;
mod demo;
mod deployment;
mod errors;
mod escapes;
mod events;
mod failing_calls;
mod failover;
mod failures;
mod fairness;
mod feed;
mod filters;
mod following;
mod fuzz;
mod halving;
mod handshake;
mod headers;
mod hostile_documents;
mod idempotency;
mod import;
mod import_files;
mod key_sets;
mod limits;
mod live;
mod metrics;
mod missing;
mod operations;
mod outages;
mod outputs;
mod pages;
mod payment_answers;
mod payment_keys;
mod payment_locks;
mod payments;
mod persisted;
mod queueing;
mod races;
mod rates;
mod readme;
mod recovery;
mod refusals;
mod registering;
mod registering_steps;
mod replicas;
mod rolling;
mod rust_clients;
mod schema;
mod search;
mod secrecy;
mod settings;
mod settings_tables;
mod sharing;
mod silence;
mod snapshots;
mod socket;
mod socket_mutations;
mod starting;
mod storage;
mod storage_files;
mod stories;
mod suggestions;
mod tidy;
mod tokens;
mod upkeep;
mod verifying;
mod waiting;
mod watching;
mod webhook_addresses;
mod webhook_failures;
mod webhook_orders;
mod webhook_stock;
mod webhooks;
mod wire;
mod writes;
