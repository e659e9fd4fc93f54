//! Onhand, in reading order.

pub mod app;
pub mod commands;
pub mod config;
pub mod demo;
pub mod domain;
pub mod error;
pub mod graphql;
pub mod live;
pub mod payment;
pub mod run;
pub mod server;
pub mod store;
pub mod upkeep;
pub mod verify;
pub mod writer;
