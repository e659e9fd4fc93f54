//! Looks whether a shop has kept its promises. It reads the public API, the database and the journals of clients, and
//! nothing else: it shares no code with the server, and knows none of the faults that were done to it.
//!
//! Each module is a kind of promise, and says in sentences what is not as promised:
//!
//! | Promise | Module |
//! |---|---|
//! | numbers are in range after every row of the log, rows are numbered without gaps, the log folds to the stock | [`stock`] |
//! | orders hold what is allocated; of each order the log tells a story that can be; an order is what its payments say | [`orders`] |
//! | at most one charge per order that was not sent back, and none for what was released | [`charges`] |
//! | captures and refunds moved money once each, and nothing else did | [`operations`] |
//! | what was acknowledged is there, what was refused is not, what is unknown happened at most once | [`promises`], [`steps`] |
//! | an idempotency key stands for one thing | [`keys`] |
//! | nothing is there that nobody asked for | [`asked`] |
//! | subscribers hear of versions that exist, in rising order, and of the last one | [`subscribers`] |
//! | receivers of webhooks hear of all that happened to orders, signed, of one order in order | [`webhooks`] |
//! | every replica shows what is stored, and not less than was acknowledged before it was asked | [`views`] |
//! | at rest nothing is left in progress, and every gauge is back where it began | [`rest`] |
//!
//! It must never repair anything: whoever calls it brings the shop to rest first.

pub mod asked;
pub mod charges;
pub mod database;
pub mod id;
pub mod journal;
pub mod keys;
pub mod operations;
pub mod orders;
pub mod promises;
pub mod rest;
pub mod steps;
pub mod stock;
pub mod subscribers;
pub mod told;
pub mod views;
pub mod webhooks;

#[cfg(test)]
mod examples;

use database::Shop;
use journal::Record;
use told::Told;

/// Maximum number of violations of one kind that are told; the others are counted.
const MAX_TOLD: usize = 20;

/// What was looked at, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Verdict {
    violations: Vec<String>,
    of_this_kind: usize,
    /// How many violations there are, those that are not told among them.
    pub count: usize,
}

impl Verdict {
    /// The violations, a sentence each.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Begins with another kind of promise.
    fn begin(&mut self) {
        self.of_this_kind = 0;
    }

    /// Adds a violation.
    pub fn add(&mut self, violation: impl Into<String>) {
        self.count += 1;
        self.of_this_kind += 1;
        if self.of_this_kind <= MAX_TOLD {
            self.violations.push(violation.into());
        }
    }

    /// Adds a violation unless something holds.
    pub fn unless(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.add(violation());
        }
    }
}

/// Checks what needs no server: the database as it was read, against the journal.
#[must_use]
pub fn check_stored(shop: &Shop, journal: &[Record]) -> Verdict {
    let told = Told::of(journal);
    let mut verdict = Verdict::default();
    let kinds: [fn(&Shop, &Told<'_>, &mut Verdict); 11] = [
        stock::check,
        orders::check,
        charges::check,
        operations::check,
        promises::check,
        steps::check,
        keys::check,
        asked::check,
        subscribers::check,
        webhooks::check,
        views::check_reads,
    ];
    for check in kinds {
        verdict.begin();
        check(shop, &told, &mut verdict);
    }
    verdict
}

/// Checks everything: the database at this address, the servers that share it, and the journal.
///
/// # Errors
/// When something cannot be read: then nothing is known.
pub async fn check(database: &str, servers: &[String], journal: &[Record]) -> anyhow::Result<Verdict> {
    let shop = Shop::read(database).await?;
    let mut verdict = check_stored(&shop, journal);
    verdict.begin();
    views::check(&shop, servers, &mut verdict).await?;
    verdict.begin();
    rest::check(&shop, database, servers, journal, &mut verdict).await?;
    Ok(verdict)
}
