//! Onhand keeps count of stock. This is its map; each module says at its top what it is for and what it never does.
//!
//! # What must always be true
//!
//! 1. **Never oversold.** 0 <= allocated <= total, for every product, in every committed state. [`domain::stock`] keeps
//!    it, and a CHECK constraint of the database keeps it once more.
//! 2. **All items or none.** An order allocates every item or nothing.
//! 3. **Charged at most once.** While a payment's outcome is unknown its units stay allocated, and nothing else pays.
//! 4. **Acknowledged is kept.** Nothing is answered or published before it is committed to disk.
//! 5. **The log folds to the stock.** Rows of a product are numbered without gaps and never changed.
//! 6. **Live means the last value.** The present state first, then only newer ones, always the last one.
//!
//! # Reading order
//!
//! - [`domain`]: the words and the rules, as plain values. Pure.
//! - [`commands`]: what can be done, a file per verb: which rows it needs, and one function that decides. Pure.
//! - [`writer`]: the only code that begins a transaction, and the only code that publishes.
//! - [`store`]: read queries.
//! - [`live`]: what subscribers watch.
//! - [`payment`]: gateways, paying around them, and the recovery of what stayed open.
//! - [`clock`], [`app`]: the time, and all of these together.
//! - [`graphql`]: decode, call, encode.
//! - [`server`]: HTTP and websockets. The only module that knows axum.
//! - [`verify`], [`probe`], [`upkeep`], [`demo`]: what the command line and the clock ask for.
//! - [`import`], [`export`], [`sheet`]: files of products, row by row, in and out.
//! - [`config`], [`run`], [`listener`], [`supervision`]: settings, the life of the process, the socket it listens on, and the
//!   tasks that it cannot do without.
//! - [`error`]: what crosses layers when something does not happen.
//! - [`telemetry`], [`logs`], [`lines`], [`spans`]: what an operator sees, in numbers, in lines and in traces.
//!
//! # One mutation, from end to end
//!
//! `shipOrder` arrives as a POST. `server::http` checks its form, `server::operation` its size before anything parses
//! it. `graphql::order::mutations` decodes the input into a [`commands::ShipOrder`] and submits it to the
//! [`writer::Writer`], where it waits with whatever else has come while the last commit was under way. The writer begins
//! one transaction for them all, loads the rows that they name, and lets each decide in order of arrival: `ShipOrder`
//! checks the state of its order, moves stock through `commands::ledger`, which also writes the log's row, and stages a
//! shipment. What a refused command staged is undone, and its neighbours never see it. The writer saves the changed rows
//! with a few statements, commits, publishes the new stock and the order's new version to the [`live::Hub`], and only
//! then answers. The resolver reads the order back, so that an answer is never older than what was committed.
//!
//! # One badge, from end to end
//!
//! A browser subscribes to `stockChanged` over `server::socket`. [`live::stock_changes`] registers with the hub, then
//! reads the present state, then follows: whatever is committed in between is in one or the other. Each watched product
//! has one slot with its newest state; a reader that is slow finds the newest there, and nothing waits for it.
//!
//! # Several replicas
//!
//! On SQLite the process is alone, and its transaction is the lock. On PostgreSQL the writers of several processes meet in
//! the database: `writer::load` locks the rows that may change in one fixed order, and what somebody holds for too long is
//! set aside (`writer::held`) and queued for on a connection of its own (`writer::patient`). A writer writes down what it changed in the same transaction and rings the doorbell after the
//! commit; [`live::Feed`] of every other process looks what became visible since its last look, reads the stock that
//! somebody watches there, and tells it to its hub. `store::postgres` is the only place with SQL as text.

#![warn(missing_docs)]

pub mod domain;

pub mod commands;

pub mod writer;

pub mod store;

pub mod live;

pub mod payment;

pub mod clock;

pub mod app;

pub mod graphql;

pub mod server;

pub mod verify;

pub mod files;

pub mod sheet;

pub mod import;

pub mod export;

pub mod probe;

pub mod upkeep;

pub mod demo;

pub mod config;

pub mod run;

pub mod listener;

pub mod supervision;

pub mod signals;

pub mod error;

pub mod telemetry;

pub mod logs;

pub mod lines;

pub mod spans;
