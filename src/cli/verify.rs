//! `onhand verify`: looks whether the file of the database is sound, then folds the whole log and compares it with every stock
//! record and every order, in one snapshot, also while a server goes on writing. It changes nothing.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::DatabaseConnection;

use crate::database;
use crate::database::error::Error;
use crate::read::Snapshot;
use domain::audit::{Fold, compare_order};
use domain::id::ProductId;
use domain::stock::Stock;

/// Most differences that are told one by one.
pub const MAX_TOLD: usize = 100;

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
    pub untold: usize,
}

impl Report {
    fn tell(&mut self, differences: Vec<String>) {
        let room = MAX_TOLD - self.differences.len();
        self.untold += differences.len().saturating_sub(room);
        self.differences.extend(differences.into_iter().take(room));
    }
}

/// Checks everything, showing progress when `progress` is asked for and somebody looks.
///
/// # Errors
/// When the database does not answer, or has rows that this release cannot read.
pub async fn verify(db: &DatabaseConnection, progress: bool) -> Result<Report, Error> {
    let mut report = Report::default();
    report.tell(database::faults(db, MAX_TOLD).await?);
    let is_sound = report.differences.is_empty();
    match add_up(db, progress, &mut report).await {
        Err(error) if !is_sound => report.tell(vec![format!("not everything could be read: {error}")]),
        done => done?,
    }
    Ok(report)
}

/// Adds the log up and compares.
async fn add_up(db: &DatabaseConnection, progress: bool, report: &mut Report) -> Result<(), Error> {
    let snapshot = Snapshot::begin(db).await?;
    let (stocks, rows, orders) = snapshot.counts().await?;
    let bar = if progress { ProgressBar::new(stocks + rows + orders) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    let mut after = None;
    loop {
        let page = snapshot.stocks(after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.product);
        check_stocks(&snapshot, &page, report, &bar).await?;
    }
    let mut after = None;
    loop {
        let page = snapshot.orders(after).await?;
        let Some(last) = page.orders.last() else { break };
        after = Some(last.id);
        for order in &page.orders {
            let payments: Vec<_> = page.payments.get(&order.id).into_iter().flatten().collect();
            let log: Vec<_> = page.log.get(&order.id).into_iter().flatten().collect();
            report.tell(compare_order(order, &payments, &log));
        }
        report.orders += page.orders.len() as u64;
        bar.inc(page.orders.len() as u64);
    }
    report.tell(snapshot.missing().await?);
    bar.finish_and_clear();
    Ok(())
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
        for row in &rows {
            folds.entry(row.product).or_default().push(row);
        }
        report.transactions += rows.len() as u64;
        bar.inc(rows.len() as u64);
    }
    let held = snapshot.held(range).await?;
    for stock in stocks {
        let fold = folds.remove(&stock.product).unwrap_or_default();
        report.tell(fold.compare(stock, held.get(&stock.product).copied().unwrap_or_default()));
    }
    report.products += stocks.len() as u64;
    bar.inc(stocks.len() as u64);
    Ok(())
}
