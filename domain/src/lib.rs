//! The rules of the inventory as plain values: stock, cart, order, payment, what rejects a change, and the [`commands`]
//! that change them in a [`world`] of loaded rows.
//!
//! This crate is pure. It never does I/O, never reads a clock, never draws a random number of its own accord, and
//! knows neither the database nor GraphQL: times and random sources are handed in.

pub mod actor;
pub mod audit;
pub mod cart;
pub mod client;
mod codes;
pub mod commands;
mod confusables;
pub mod demand;
pub mod id;
pub mod money;
pub mod order;
pub mod payment;
pub mod payment_operation;
pub mod product;
pub mod quantity;
pub mod random;
pub mod rejection;
pub mod sandbox;
pub mod shipment;
pub mod stock;
pub mod text;
pub mod transaction;
pub mod webhook;
pub mod world;

/// A moment in UTC. The whole program keeps microseconds and nothing finer.
pub type Time = chrono::DateTime<chrono::Utc>;

/// Whether a moment that came from outside is in the years 0 to 9999 of UTC: those that RFC 3339 can write, and that every
/// database keeps and compares alike.
#[must_use]
pub fn is_writable(time: Time) -> bool {
    (0..=9999).contains(&chrono::Datelike::year(&time))
}
