//! Every test of the whole server, in one binary: a module per feature, a shop of its own per test.
//!
//! Stories are told through the API only. At its end each test closes its shop, which verifies every invariant.

mod support;

mod bad_input;
mod cases;
mod crash;
mod idempotency;
mod live;
mod pages;
mod payments;
mod races;
mod readme;
mod schema;
mod stories;
mod tidy;
