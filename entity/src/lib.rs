//! The tables as SeaORM entities, one file per table.
//!
//! There are no rules here and nothing of GraphQL: enums are the words of `domain`, times are UTC with microseconds,
//! ids are UUIDs. Constraints live in the migration, decisions in the server.

#![expect(clippy::disallowed_methods, reason = "what the derive of an entity expands to")]

pub mod cart;
pub mod cart_item;
pub mod commit_token;
pub mod idempotency_key;
pub mod order;
pub mod order_item;
pub mod payment;
pub mod payment_operation;
pub mod product;
pub mod sandbox_charge;
pub mod sandbox_operation;
pub mod shipment;
pub mod shipment_item;
pub mod stock;
pub mod stock_demand;
pub mod stock_transaction;
pub mod webhook;
pub mod webhook_delivery;
