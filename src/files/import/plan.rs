//! Some rows of a file at a time, each as a command under a key of its own, or with what is wrong with it. It looks at
//! nothing but the file.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::config::Mode;
use crate::writer::MAX_BATCH;
use domain::commands::RowTask;
use domain::payment::KeyId;
use domain::product::Product;
use domain::rejection::{Code, Rejection, Rejections};
use domain::world::idempotency::Key;

use super::reader::{Record, Row, RowReader};
use super::results::End;
use super::source::Source;
use super::task::{Task, task};

/// Rows that are looked up, and handed to the writer, together: as many as it takes into one transaction.
const MAX_ROWS_AT_ONCE: usize = MAX_BATCH;

/// Whose idempotency keys these are. No subject's and no guest's scope looks like it.
pub const SCOPE: &str = "import";

/// Some rows.
#[derive(Debug)]
pub struct Chunk {
    /// The rows, in their order.
    pub rows: Vec<Planned>,
    /// How many bytes of the file have been read.
    pub read: u64,
}

/// One row.
#[derive(Debug)]
pub struct Planned {
    /// Its line.
    pub line: u64,
    /// Its SKU as it stands there.
    pub sku: Option<String>,
    /// What is to be done under which key, unless the row is refused already.
    pub todo: Result<(Task, Key), End>,
}

/// The rows of a file, some at a time.
#[derive(Debug)]
pub struct Plan<'a> {
    rows: RowReader<Box<dyn Read + Send + 'a>>,
    mode: Mode,
    /// What the key of a line has before its number.
    prefix: String,
}

/// Where products stood of which a file may have one row each.
#[derive(Debug, Default)]
pub struct Seen {
    /// The line, by half a digest, which two products share once in 2^64 or so.
    lines: HashMap<u128, u64>,
}

impl Seen {
    /// Refuses rows whose product stood on a line before, whatever they call it. A row that is refused for itself keeps nobody
    /// away. Called with all rows in their order, and the products that their keys find.
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
                row.todo = Err(End::Refused(twice.at(["sku"]).into()));
            }
        }
    }
}

impl<'a> Plan<'a> {
    /// From the first row on. The keys of its lines begin with `prefix`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn begin(source: &'a Source, mode: Mode, prefix: String) -> anyhow::Result<Self> {
        Ok(Self { rows: source.read()?, mode, prefix })
    }

    /// The next rows; `None` after the last.
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
                Ok(record) => self.plan(line, &record).map_err(End::Refused),
                Err(why) => Err(End::Bad(why)),
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
        Ok((task, Key { id, mutation, fingerprint: format!("{:x}", digest.finalize()) }))
    }
}
