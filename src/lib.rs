//! Onhand keeps count of stock. This is its map; each module says at its top what it is for and what it never does.
//!
//! # What must always be true
//!
//! 1. **Never oversold.** 0 <= allocated <= total, for every product, in every committed state. [`domain::stock`] keeps
//!    it, and a CHECK constraint of the database keeps it once more.
//! 2. **All items or none.** An order allocates every item or nothing: `allocate_items` in `domain::commands::ledger`.
//! 3. **Charged at most once.** While a payment's outcome is unknown its units stay allocated, and nothing else pays:
//!    [`BeginPayment`](domain::commands::BeginPayment) and [`SettlePayment`](domain::commands::SettlePayment).
//! 4. **Acknowledged is kept.** Nothing is answered or published before it is committed to disk: `writer::batch`.
//! 5. **The log folds to the stock.** Rows of a product are numbered without gaps and never changed.
//! 6. **Live means the last value.** The current state first, then only newer ones, always the last one.
//!
//! # Modules, from the bottom up
//!
//! Each uses those above it in this list and none below it; a test checks that.
//!
//! - [`domain`], a crate of its own: the rules, as plain values. Pure. Its [`commands`](domain::commands) are what can be
//!   done, a file per verb: which rows a command needs, and one function that decides on its [`world`](domain::world).
//! - [`clock`], [`filesystem`], [`supervision`]: the time, private files, and where every task begins.
//! - [`config`], [`observability`]: settings; logs, metrics and traces.
//! - [`signature`]: what signs notices of payment providers and requests to webhooks.
//! - [`faults`]: points at which tests hold the server up or break it; nothing in a release.
//! - [`database`]: how it is opened; rows in both directions; load and save for the writer.
//! - [`read`]: queries, a file per noun.
//! - [`live`]: what subscribers follow.
//! - [`writer`]: the only code that begins a transaction that writes; it publishes what this process commits.
//! - [`payment`]: gateways, paying around them, and the recovery of payments whose outcome is open.
//! - [`webhooks`]: sends what happened in the shop to addresses that staff registered.
//! - [`files`]: products and stock from files and back, whoever asks for it.
//! - [`app`]: all of these together, the shared state of a server.
//! - [`graphql`]: decode, call, encode. A folder per noun.
//! - [`server`]: HTTP and websockets. The only module that knows axum.
//! - [`cli`]: the command line: parse, start, call, stop, print.
//!
//! # One mutation, from end to end
//!
//! `shipOrder` arrives as a POST. `server::http` bounds and reads its body; `graphql::document` bounds, parses and
//! validates its document. `graphql::order::mutations` decodes the input into a [`ShipOrder`](domain::commands::ShipOrder) and submits it to
//! the [`Writer`](writer::Writer), where it waits with whatever else has come while the last commit was under way. The
//! writer begins one transaction for them all, loads the rows that they name, and lets each decide in order of arrival:
//! `ShipOrder` checks the state of its order, moves stock through the ledger, which also writes the log's row, and stages
//! a shipment. What a rejected command staged is undone, and its neighbours never see it. The writer saves the changed
//! rows with a few statements, commits, publishes the new stock and the order's new version to the [`Hub`](live::Hub),
//! and only then answers, with the order as the command left it: a later command of the same batch may have changed it
//! again. The resolver encodes it; nothing is read back.
//!
//! # One badge, from end to end
//!
//! A browser subscribes to `stockChanged` over `server::socket`. [`live::stock_changes`] registers with the hub, then
//! reads the current state, then follows: whatever is committed in between is in one or the other. Each watched product
//! has one slot with its newest state; a reader that is slow finds the newest there, and nothing waits for it.
//!
//! Right after a commit `announce` in `writer::batch` puts the new states into the hub, which wakes nobody: the writer has a
//! thread of its own (`writer::thread`), and does not wait for those who look on. The announcer in `live::hub` tells them, a
//! group at a time. What the stock record itself answers is executed and rendered once for all who selected the same
//! (`server::shared_results`). A socket that only waits has it written at once, by the announcer (`live::inbox`,
//! `server::socket::at_once`, `server::outlet`); any other finds the newest state in its inbox and is woken. With more than
//! that in a selection, `server::execution` resolves it in a task of the subscription. Then `server::socket::operations`
//! takes the result, `server::encode` makes it a message, and the loop of `server::socket::connection` writes the frame,
//! within its write timeout.
//!
//! # Several replicas
//!
//! On SQLite the process is alone, and its transaction is the lock. On PostgreSQL the writers of several processes meet in
//! the database: `database::load` locks the rows that may change in one fixed order; commands whose rows somebody holds
//! for too long are set aside (`database::lock_conflicts`) and wait on a connection of their own (`writer::lock_waiter`). A
//! writer records what it changed in the same transaction and notifies the others after the commit; the
//! [`Feed`](live::Feed) of every other process polls what became visible, reads the stock that somebody watches there, and
//! publishes it to its hub. `database::postgres` is the only place with SQL as text.

#![warn(missing_docs)]

pub mod faults;

pub mod clock;

pub mod filesystem;

pub mod supervision;

pub mod config;

pub mod observability;

pub mod database;

pub mod read;

pub mod live;

pub mod writer;

pub mod payment;

pub mod webhooks;

pub mod files;

pub mod app;

pub mod graphql;

pub mod server;
mod signature;

pub mod cli;
