//! Some rows of a file at a time, each as a command under a key of its own, or with what is wrong with it. It looks at
//! nothing but the file.

use std::collections::HashMap;
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::config::Mode;
use crate::domain::payment::KeyId;
use crate::domain::rejection::{Code, Refusal, Rejection};
use crate::writer::MAX_BATCH;
use crate::writer::idempotency::Key;

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
    /// Where SKUs stood that may be there once: half a digest, which two SKUs share once in 2^64 or so.
    seen: HashMap<u128, u64>,
}

impl<'a> Plan<'a> {
    /// From the first row on. The keys of its lines begin with `prefix`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn begin(source: &'a Source, mode: Mode, prefix: String) -> anyhow::Result<Self> {
        Ok(Self { rows: source.read()?, mode, prefix, seen: HashMap::new() })
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

    fn plan(&mut self, line: u64, record: &Record) -> Result<(Task, Key), Refusal> {
        let task = task(record, self.mode)?;
        if self.mode != Mode::Add {
            let digest = Sha256::digest(&task.sku_keys[0]);
            let half = u128::from_be_bytes(std::array::from_fn(|i| digest[i]));
            if let Some(first) = self.seen.insert(half, line) {
                self.seen.insert(half, first);
                let twice = Rejection::new(Code::AlreadyExists, format!("This SKU is on line {first} already."));
                return Err(twice.at(["sku"]).into());
            }
        }
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
