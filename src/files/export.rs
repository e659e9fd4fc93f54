//! `onhand export`: the products with their stock, or the whole log, as a file of rows: in one snapshot, page by page,
//! also while a server goes on writing. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{ExportSettings, Exported, Format};
use crate::database::{check_output, open_read_only};
use crate::files::import::format_of;
use crate::files::rows::{COLUMNS, Cell, RowWriter};
use crate::filesystem;
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

type Rows = RowWriter<Box<dyn Write>>;

/// Writes what is asked for.
///
/// # Errors
/// When the database does not answer, or the file cannot be written; the message is for people.
pub async fn run(url: &str, settings: &ExportSettings) -> anyhow::Result<()> {
    let output = settings.output.as_deref().filter(|output| *output != Path::new("-"));
    check_output(url, output.unwrap_or(Path::new("/dev/stdout")))?;
    if let Some(folder) = output.filter(|output| output.is_dir()) {
        bail!("cannot write {}: it is a folder", folder.display());
    }
    let snapshot = Snapshot::begin(&open_read_only(url).await?).await?;
    let (products, transactions, _) = snapshot.counts().await?;
    let (columns, count) = match settings.what {
        Exported::Products => (&COLUMNS[..], products),
        Exported::Log => (&LOG_COLUMNS[..], transactions),
    };
    let format = settings.format.or_else(|| output.and_then(format_of)).unwrap_or(Format::Csv);
    // A device or a pipe is written to as it is; a file appears when it is whole.
    let device = output.filter(|output| filesystem::is_device(output));
    let part = output.filter(|_| device.is_none()).map(|output| Part::of(&filesystem::target(output)));
    let spool = if part.is_none() { spool() } else { None };
    let to: Box<dyn Write> = match (&part, &spool) {
        (Some(part), _) => Box::new(part.create()?),
        (None, Some(spool)) => Box::new(spool.try_clone().context("cannot write a temporary file")?),
        (None, None) => stream(device)?,
    };
    let bar = bar(count);
    let written = match settings.what {
        Exported::Products => products_to(&snapshot, to, format, columns, &bar, settings.archived).await,
        Exported::Log => log_to(&snapshot, to, format, columns, &bar).await,
    };
    bar.finish_and_clear();
    drop(snapshot);
    let written = written.and_then(|()| spool.map_or(Ok(()), |spool| copy(spool, device)));
    match (written, part) {
        // Whoever reads it has seen enough.
        (Err(error), None) if is_broken_pipe(&error) => Ok(()),
        (Ok(()), Some(part)) => part.keep(),
        (written, _) => written,
    }
}

async fn products_to(
    snapshot: &Snapshot,
    to: Box<dyn Write>,
    format: Format,
    columns: &'static [&'static str],
    bar: &ProgressBar,
    archived: bool,
) -> anyhow::Result<()> {
    let mut rows = Rows::begin(to, format, columns)?;
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
        bar.inc(stocks.len() as u64);
    }
    Ok(rows.flush()?)
}

/// In the order of the columns. Units of stock that is not managed are left out: they cannot be set.
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

async fn log_to(
    snapshot: &Snapshot,
    to: Box<dyn Write>,
    format: Format,
    columns: &'static [&'static str],
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut rows = Rows::begin(to, format, columns)?;
    let mut last = None;
    loop {
        let page = snapshot.log_by_time(last.as_ref()).await?;
        let named: BTreeSet<ProductId> = page.iter().map(|row| row.product).collect();
        let skus = snapshot.skus(named).await?;
        for row in &page {
            log_row(&mut rows, row, &skus)?;
        }
        bar.inc(page.len() as u64);
        match page.into_iter().last() {
            Some(row) => last = Some(row),
            None => break,
        }
    }
    Ok(rows.flush()?)
}

/// The words and the times are those of the API.
fn log_row(rows: &mut Rows, row: &StockTransaction, skus: &BTreeMap<ProductId, String>) -> io::Result<()> {
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

/// What is printed waits in a temporary file until all of it is read: whoever takes it may be slow or stop, and a snapshot
/// that stays open lets the write-ahead log of SQLite grow and keeps PostgreSQL from cleaning up. Where there is no place
/// for such a file, it is printed as it is read.
fn spool() -> Option<File> {
    let spool = tempfile::tempfile();
    spool.inspect_err(|error| tracing::warn!(%error, "no temporary file; a slow reader keeps the snapshot open")).ok()
}

/// What is there to be written to: a device, or standard output.
fn stream(device: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    let Some(device) = device.filter(|device| !filesystem::is_standard_output(device)) else {
        return Ok(Box::new(io::stdout()));
    };
    let opened = filesystem::create(device).with_context(|| format!("cannot write {}", device.display()))?;
    Ok(Box::new(opened))
}

fn copy(mut spool: File, device: Option<&Path>) -> anyhow::Result<()> {
    spool.rewind()?;
    let mut to = stream(device)?;
    io::copy(&mut spool, &mut to)?;
    Ok(to.flush()?)
}

/// Where a file is written until it is whole. It is removed when it does not become whole.
struct Part {
    part: PathBuf,
    output: PathBuf,
}

impl Part {
    fn of(output: &Path) -> Self {
        let mut part = output.as_os_str().to_owned();
        part.push(".part");
        Self { part: PathBuf::from(part), output: output.to_owned() }
    }

    fn create(&self) -> anyhow::Result<File> {
        // What an export that was broken off left there may be for everybody to read.
        let _ = fs::remove_file(&self.part);
        filesystem::create(&self.part).with_context(|| format!("cannot write {}", self.output.display()))
    }

    /// Gives a file that is whole its name, and the mode of the file that had it.
    fn keep(self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.output.display());
        let written = File::open(&self.part).with_context(cannot)?;
        if let Ok(before) = fs::metadata(&self.output) {
            written.set_permissions(before.permissions()).with_context(cannot)?;
        }
        written.sync_all().with_context(cannot)?;
        fs::rename(&self.part, &self.output).with_context(cannot)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there any more once it has its name.
        let _ = fs::remove_file(&self.part);
    }
}

fn bar(rows: u64) -> ProgressBar {
    let bar = if io::stderr().is_terminal() { ProgressBar::new(rows) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
