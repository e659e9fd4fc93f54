//! Reads a file in batches of rows, each row as a task under a key of its own, or with what is wrong with it. It looks at
//! nothing but the file.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::writer::MAX_BATCH;
use domain::commands::RowTask;
use domain::payment::KeyId;
use domain::product::Product;
use domain::rejection::{Code, Rejection, Rejections};
use domain::world::idempotency::Key;

use super::Mode;
use super::outcome::RowOutcome;
use super::reader::{Record, Row, RowReader};
use super::source::Source;
use super::task::{Task, task};

/// Maximum number of rows that are looked up and handed to the writer together: as many as it takes into one transaction.
const MAX_ROWS_AT_ONCE: usize = MAX_BATCH;

/// The scope of the idempotency keys of lines. No subject's and no guest's scope looks like it.
pub const SCOPE: &str = "import";

/// A batch of rows.
#[derive(Debug)]
pub struct Chunk {
    /// The rows, in their order.
    pub rows: Vec<Planned>,
    /// Bytes of the file that have been read.
    pub read: u64,
}

/// One row.
#[derive(Debug)]
pub struct Planned {
    /// The line that it begins at.
    pub line: u64,
    /// The SKU as the row has it.
    pub sku: Option<String>,
    /// The task and its key, or the result of a row that is refused already.
    pub todo: Result<(Task, Key), RowOutcome>,
}

/// The rows of a file, in batches.
#[derive(Debug)]
pub struct Plan<'a> {
    rows: RowReader<Box<dyn Read + Send + 'a>>,
    mode: Mode,
    /// The part of a line's key before the number of the line.
    prefix: String,
}

/// The lines of products of which a file may have one row each.
#[derive(Debug, Default)]
pub struct Seen {
    /// The line, by half a digest, which two products share once in 2^64 or so.
    lines: HashMap<u128, u64>,
}

impl Seen {
    /// Refuses rows whose product an earlier row has named, whatever they call it. A row that is refused for another reason
    /// does not count. Called with all rows in their order, and the products that their keys find.
    pub fn refuse_repeated(&mut self, rows: &mut [Planned], products: &BTreeMap<String, Product>) {
        for row in rows {
            let Ok((task, _)) = &row.todo else { continue };
            let product = task.product(products);
            let digest = match (&task.task, product) {
                // What is not there yet has no other name than its SKU, and the row after it may find it made.
                (RowTask::Create { new: Ok(_), .. }, _) | (RowTask::Create { .. }, Some(_)) => {
                    Sha256::digest(task.sku_keys.first().map_or("", String::as_str))
                }
                (RowTask::Set { .. }, Some(product)) => Sha256::digest(product.id.to_string()),
                (RowTask::Add(_) | RowTask::Create { .. } | RowTask::Set { .. }, _) => continue,
            };
            let half = u128::from_be_bytes(std::array::from_fn(|i| digest[i]));
            let first = *self.lines.entry(half).or_insert(row.line);
            if first != row.line {
                let twice = Rejection::new(Code::AlreadyExists, format!("This SKU is on line {first} already."));
                row.todo = Err(RowOutcome::Refused(twice.at(["sku"]).into()));
            }
        }
    }
}

impl<'a> Plan<'a> {
    /// Begins at the first row. The keys of its lines begin with `prefix`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn begin(source: &'a Source, prefix: String) -> anyhow::Result<Self> {
        Ok(Self { rows: source.read()?, mode: source.mode(), prefix })
    }

    /// Returns the next batch; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut chunk = Chunk { rows: Vec::new(), read: 0 };
        while chunk.rows.len() < MAX_ROWS_AT_ONCE {
            let Some(Row { line, read, record }) = self.rows.next()? else { break };
            chunk.read = read;
            let sku = record.as_ref().ok().and_then(|record| record.get("sku")).cloned();
            let todo = match record {
                Ok(record) => self.plan(line, &record).map_err(RowOutcome::Refused),
                Err(why) => Err(RowOutcome::Malformed(why)),
            };
            chunk.rows.push(Planned { line, sku, todo });
        }
        Ok((!chunk.rows.is_empty()).then_some(chunk))
    }

    fn plan(&self, line: u64, record: &Record) -> Result<(Task, Key), Rejections> {
        let task = task(record, self.mode)?;
        let mutation = match self.mode {
            Mode::Create => "import create",
            Mode::Add => "import add",
            Mode::Set => "import set",
        };
        let mut digest = Sha256::new();
        for (column, text) in record {
            for part in [column, text.as_str()] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        let id = KeyId { scope: SCOPE.to_owned(), key: format!("{}{line}", self.prefix) };
        Ok((task, Key { id, mutation, fingerprint: format!("{:x}", digest.finalize()), other_fingerprint: None }))
    }
}
