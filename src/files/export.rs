//! Writes the products with their stock, or the whole log, as rows: out of one snapshot, page by page, also while servers go
//! on writing. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Context;

use crate::files::Format;
use crate::files::rows::{COLUMNS, Cell, RowWriter};
use crate::read::Snapshot;
use domain::id::ProductId;
use domain::product::{Product, Status};
use domain::stock::Stock;
use domain::transaction::StockTransaction;

/// The columns of the log.
const LOG_COLUMNS: [&str; 16] = [
    "created_at",
    "sku",
    "product_id",
    "sequence",
    "action",
    "quantity",
    "total_after",
    "available_after",
    "allocated_after",
    "reason",
    "note",
    "reference",
    "actor",
    "order_id",
    "operation_id",
    "id",
];

/// What to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// The products with their stock, in the columns that an import takes.
    Products {
        /// Whether products that are archived are written, too.
        archived: bool,
    },
    /// Every stock transaction, oldest first.
    Log,
}

/// Writes what is asked for to a sink, and reports after each page how many records were read.
///
/// # Errors
/// When the database does not answer, or the sink cannot be written to; then the source of the error is the `io::Error`.
pub async fn export<W: Write>(
    snapshot: &Snapshot,
    what: Export,
    format: Format,
    to: W,
    progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    match what {
        Export::Products { archived } => {
            write_products(snapshot, RowWriter::begin(to, format, &COLUMNS)?, archived, progress).await
        }
        Export::Log => write_log(snapshot, RowWriter::begin(to, format, &LOG_COLUMNS)?, progress).await,
    }
}

async fn write_products<W: Write>(
    snapshot: &Snapshot,
    mut rows: RowWriter<W>,
    archived: bool,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let stocks = snapshot.stocks(after).await?;
        let (Some(first), Some(last)) = (stocks.first(), stocks.last()) else { break };
        after = Some(last.product);
        let products = snapshot.products((first.product, last.product)).await?;
        for stock in &stocks {
            let product = products.get(&stock.product).context("a stock record has no product")?;
            if archived || product.status == Status::Active {
                rows.write(&product_row(product, stock))?;
            }
        }
        progress(stocks.len() as u64);
    }
    Ok(rows.flush()?)
}

/// Returns the cells of a product, in the order of the columns. The total of stock that is not managed is left out: an
/// import cannot set it.
fn product_row<'a>(product: &'a Product, stock: &Stock) -> [Cell<'a>; COLUMNS.len()] {
    let total = stock.managed.then_some(i64::from(stock.numbers.total));
    [
        Cell::Text(&product.sku),
        Cell::Text(&product.name),
        Cell::Number(product.price.amount),
        Cell::Text(product.price.currency.code()),
        total.into(),
        Cell::Text(&product.slug),
        product.description.as_deref().into(),
        Cell::Number(i64::from(stock.low_stock_threshold)),
        Cell::Flag(stock.managed),
    ]
}

async fn write_log<W: Write>(
    snapshot: &Snapshot,
    mut rows: RowWriter<W>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let page = snapshot.log_by_time(last.as_ref()).await?;
        let named: BTreeSet<ProductId> = page.iter().map(|row| row.product).collect();
        let skus = snapshot.skus(named).await?;
        for row in &page {
            write_log_row(&mut rows, row, &skus)?;
        }
        progress(page.len() as u64);
        match page.into_iter().last() {
            Some(row) => last = Some(row),
            None => break,
        }
    }
    Ok(rows.flush()?)
}

/// Writes a stock transaction with the codes and the timestamp format of the API.
fn write_log_row<W: Write>(
    rows: &mut RowWriter<W>,
    row: &StockTransaction,
    skus: &BTreeMap<ProductId, String>,
) -> io::Result<()> {
    let number = |count: i32| Cell::Number(i64::from(count));
    let created_at = row.created_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let action = row.movement.action.as_str().to_ascii_uppercase();
    let reason = row.reason.as_str().to_ascii_uppercase();
    let order = row.order.map(|order| order.to_string());
    let (product, operation, id) = (row.product.to_string(), row.operation.to_string(), row.id.to_string());
    rows.write(&[
        Cell::Text(&created_at),
        skus.get(&row.product).map(String::as_str).into(),
        Cell::Text(&product),
        number(row.sequence),
        Cell::Text(&action),
        number(row.movement.quantity),
        number(row.after.total),
        number(row.after.available()),
        number(row.after.allocated),
        Cell::Text(&reason),
        row.note.as_deref().into(),
        row.reference.as_deref().into(),
        Cell::Text(&row.actor),
        order.as_deref().into(),
        Cell::Text(&operation),
        Cell::Text(&id),
    ])
}
