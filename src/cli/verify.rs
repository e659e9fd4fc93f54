//! `onhand verify`: checks the file of the database, folds the whole log and compares it with every stock record, and compares
//! every order with what belongs to it, also while servers go on writing. The three are done at the same time, each in one
//! snapshot. It changes nothing.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use sea_orm::DatabaseConnection;

use super::print::print_line;
use super::progress;
use crate::database::error::Error;
use crate::database::{self, corruption, open_read_only};
use crate::read::Snapshot;
use domain::audit::{Fold, compare_holds, compare_operations, compare_order, compare_shipments};
use domain::id::ProductId;
use domain::stock::Stock;

/// Maximum number of differences that are reported one by one.
pub const MAX_REPORTED: usize = 100;

/// What was checked, and what differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Stock records.
    pub products: u64,
    /// Rows of the log.
    pub transactions: u64,
    /// Orders.
    pub orders: u64,
    /// The first differences, as sentences.
    pub differences: Vec<String>,
    /// How many more there are.
    pub unreported: usize,
}

impl Report {
    fn add(&mut self, differences: Vec<String>) {
        let room = MAX_REPORTED - self.differences.len();
        self.unreported += differences.len().saturating_sub(room);
        self.differences.extend(differences.into_iter().take(room));
    }

    /// Adds what another part found.
    fn join(&mut self, part: Self) {
        let Self { products, transactions, orders, differences, unreported } = part;
        self.products += products;
        self.transactions += transactions;
        self.orders += orders;
        self.add(differences);
        self.unreported += unreported;
    }
}

/// Checks a database and prints what differs. Returns whether nothing does.
///
/// # Errors
/// When the database cannot be opened or read, or the answer cannot be printed; the message is for people.
pub async fn run(url: &str) -> anyhow::Result<bool> {
    let report = match open_read_only(url).await {
        Ok(db) => verify(&db, true).await?,
        Err(error) => Report { differences: vec![corruption(&error).ok_or(error)?], ..Report::default() },
    };
    print(&report)?;
    Ok(report.differences.is_empty())
}

/// Prints a report.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    let Report { products, transactions, orders, differences, unreported } = report;
    for difference in differences {
        print_line(difference)?;
    }
    if *unreported > 0 {
        print_line(&format!("... and {unreported} more"))?;
    }
    let found = differences.len() as u64 + *unreported as u64;
    let verdict = if found == 0 { "no differences".to_owned() } else { counted(found, "difference") };
    let checked =
        [counted(*products, "product"), counted(*transactions, "stock transaction"), counted(*orders, "order")];
    let [products, transactions, orders] = checked;
    print_line(&format!("checked {products}, {transactions} and {orders}: {verdict}"))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Checks everything, with a progress bar if `progress` is wanted and standard error is a terminal. It takes as
/// many connections as there are [`database::VERIFIED_PARTS`].
///
/// # Errors
/// When the database does not answer, or has rows that this release cannot read.
pub async fn verify(db: &DatabaseConnection, progress: bool) -> Result<Report, Error> {
    let bar = if progress { progress::rows(0) } else { ProgressBar::hidden() };
    let (faults, stocks, orders) =
        tokio::join!(database::faults(db, MAX_REPORTED), fold_log(db, &bar), compare_orders(db, &bar));
    bar.finish_and_clear();
    let mut report = Report::default();
    report.add(faults?);
    let is_sound = report.differences.is_empty();
    for part in [stocks, orders] {
        match part {
            Ok(part) => report.join(part),
            Err(error) if !is_sound => report.add(vec![format!("not everything could be read: {error}")]),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// Folds the log of each product and compares it with its stock record and with what orders hold, in one snapshot.
async fn fold_log(db: &DatabaseConnection, bar: &ProgressBar) -> Result<Report, Error> {
    let (mut report, mut after) = (Report::default(), None);
    let snapshot = Snapshot::begin(db).await?;
    let (stocks, rows) = snapshot.log_counts().await?;
    bar.inc_length(stocks + rows);
    loop {
        let page = snapshot.stocks(after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.product);
        check_stocks(&snapshot, &page, &mut report, bar).await?;
    }
    Ok(report)
}

/// Compares each order with its payments, its shipments and its rows of the log, and what is counted of carts and orders with
/// them, in one snapshot. Nothing here is compared with what the other one has read.
async fn compare_orders(db: &DatabaseConnection, bar: &ProgressBar) -> Result<Report, Error> {
    let (mut report, mut after) = (Report::default(), None);
    let snapshot = Snapshot::begin(db).await?;
    bar.inc_length(snapshot.order_count().await?);
    loop {
        let page = snapshot.orders(after).await?;
        let Some(last) = page.orders.last() else { break };
        after = Some(last.id);
        for order in &page.orders {
            let payments: Vec<_> = page.payments.get(&order.id).into_iter().flatten().collect();
            let log = page.log.get(&order.id).map_or(&[][..], Vec::as_slice);
            report.add(compare_order(order, &payments, log));
            report.add(compare_shipments(order, &page.shipped));
            let operations: Vec<_> = page.operations.get(&order.id).into_iter().flatten().collect();
            report.add(compare_operations(order, &payments, &operations));
        }
        report.orders += page.orders.len() as u64;
        bar.inc(page.orders.len() as u64);
    }
    report.add(snapshot.demand_differences().await?);
    report.add(snapshot.missing().await?);
    Ok(report)
}

async fn check_stocks(
    snapshot: &Snapshot,
    stocks: &[Stock],
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (stocks.first(), stocks.last()) else { return Ok(()) };
    let range = (first.product, last.product);
    let mut folds = BTreeMap::<ProductId, Fold>::new();
    let mut after = None;
    loop {
        let rows = snapshot.log(range, after).await?;
        let Some(last) = rows.last() else { break };
        after = Some((last.product, last.sequence));
        for of_product in rows.chunk_by(|row, next| row.product == next.product) {
            let fold = folds.entry(of_product[0].product).or_default();
            for row in of_product {
                fold.push(*row);
            }
        }
        report.transactions += rows.len() as u64;
        bar.inc(rows.len() as u64);
    }
    let held = snapshot.held(range).await?;
    let held_until = snapshot.held_until(range).await?;
    for stock in stocks {
        let fold = folds.remove(&stock.product).unwrap_or_default();
        report.add(fold.compare(stock, held.get(&stock.product).copied().unwrap_or_default()));
        let held = held_until.get(&stock.product).copied().unwrap_or_default();
        report.add(compare_holds(stock, held).into_iter().collect());
    }
    report.products += stocks.len() as u64;
    bar.inc(stocks.len() as u64);
    Ok(())
}
