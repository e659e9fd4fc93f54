//! Reads the rows of a file, one after the other, each with the number of its line. What is wrong with one line is told
//! for that line; it never holds more than one line in memory.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::config::{Format, Mode};
use crate::sheet::{COLUMNS, unguarded};

/// Longest line of a file, in bytes; in CSV of everything between two line breaks that are not quoted.
pub const MAX_LINE: usize = 128 * 1024;

/// What is read from a file at once.
const BUFFER: usize = 16 * 1024;

/// The values that a row gives, by column, trimmed. An empty cell, and null, gives nothing.
pub type Record = BTreeMap<&'static str, String>;

/// One row of a file.
#[derive(Debug)]
pub struct Row {
    /// The line it begins at, from 1.
    pub line: u64,
    /// How many bytes of the file have been read.
    pub read: u64,
    /// What it gives, or what is wrong with it.
    pub record: Result<Record, String>,
}

/// Reads rows.
pub struct RowReader<R> {
    from: From<R>,
}

enum From<R> {
    Csv { csv: Box<csv::Reader<Bounded<R>>>, columns: Vec<&'static str> },
    Jsonl { lines: BufReader<R>, line: u64, read: u64 },
}

impl<R: Read> RowReader<R> {
    /// Reads what stands before the first row.
    ///
    /// # Errors
    /// When a file of CSV has columns that are unknown or there twice, or lacks one that the mode needs.
    pub fn begin(from: R, format: Format, mode: Mode) -> anyhow::Result<Self> {
        let from = match format {
            Format::Csv => {
                let mut builder = csv::ReaderBuilder::new();
                // A carriage return before a line break goes when cells are trimmed.
                builder.flexible(true).buffer_capacity(BUFFER).terminator(csv::Terminator::Any(b'\n'));
                let from = Bounded { from, left: MAX_LINE + BUFFER, read: 0, last: None };
                let mut csv = Box::new(builder.from_reader(from));
                let header = csv.byte_headers().map_err(|error| too_long(&error, 1))?;
                let columns = columns(header, mode)?;
                From::Csv { csv, columns }
            }
            Format::Jsonl => From::Jsonl { lines: BufReader::with_capacity(BUFFER, from), line: 0, read: 0 },
        };
        Ok(Self { from })
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read, or a row of CSV is too long: what follows it cannot be told from it.
    pub fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match &mut self.from {
            From::Csv { csv, columns } => next_of_csv(csv, columns),
            From::Jsonl { lines, line, read } => next_of_jsonl(lines, line, read),
        }
    }
}

fn columns(header: &csv::ByteRecord, mode: Mode) -> anyhow::Result<Vec<&'static str>> {
    let mut columns = Vec::with_capacity(header.len());
    for name in header {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        let Some(column) = COLUMNS.into_iter().find(|column| *column == name) else {
            let shown: String = name.chars().take(50).collect();
            bail!("there is no column {shown:?}: the columns are {}, with commas in between", COLUMNS.join(", "));
        };
        if columns.contains(&column) {
            bail!("the column {column} is there twice");
        }
        columns.push(column);
    }
    let needed = match mode {
        Mode::Create => &["sku", "name", "price_amount", "price_currency"][..],
        Mode::Add => &["sku", "stock"],
        Mode::Set => &["sku"],
    };
    let missing: Vec<_> = needed.iter().filter(|column| !columns.contains(column)).copied().collect();
    if !missing.is_empty() {
        bail!("the first line must name the columns; this is missing: {}", missing.join(", "));
    }
    Ok(columns)
}

fn next_of_csv<R: Read>(csv: &mut csv::Reader<Bounded<R>>, columns: &[&'static str]) -> anyhow::Result<Option<Row>> {
    let mut record = csv::ByteRecord::new();
    loop {
        csv.get_mut().left = MAX_LINE + BUFFER;
        let before = csv.position().line();
        if !csv.read_byte_record(&mut record).map_err(|error| too_long(&error, before))? {
            return Ok(None);
        }
        let line = begin_of(csv, &record);
        if record.as_slice().len() > MAX_LINE {
            bail!("{}", too_long_message(line));
        }
        if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
            return Ok(Some(Row { line, read: csv.position().byte(), record: cells(&record, columns) }));
        }
    }
}

/// The line at which the record that was just read begins: empty lines before it are none of it.
fn begin_of<R: Read>(csv: &csv::Reader<Bounded<R>>, record: &csv::ByteRecord) -> u64 {
    let (after, from) = (csv.position(), csv.get_ref());
    let is_cut_short = after.byte() == from.read && from.last != Some(b'\n');
    let inside = record.as_slice().split(|byte| *byte == b'\n').skip(1).count() as u64;
    after.line().saturating_sub(inside + u64::from(!is_cut_short))
}

fn cells(record: &csv::ByteRecord, columns: &[&'static str]) -> Result<Record, String> {
    if record.len() != columns.len() {
        return Err(format!("The line has {} cells, and there are {} columns.", record.len(), columns.len()));
    }
    let mut given = Record::new();
    for (column, cell) in columns.iter().zip(record) {
        let text = std::str::from_utf8(cell).map_err(|_| format!("{column}: This is not encoded in UTF-8."))?;
        give(&mut given, column, unguarded(text.trim()));
    }
    Ok(given)
}

fn next_of_jsonl<R: Read>(lines: &mut BufReader<R>, line: &mut u64, read: &mut u64) -> anyhow::Result<Option<Row>> {
    loop {
        let mut text = Vec::new();
        let most = MAX_LINE as u64 + 1;
        let length = lines.by_ref().take(most).read_until(b'\n', &mut text).context("the file cannot be read")?;
        if length == 0 {
            return Ok(None);
        }
        (*line, *read) = (*line + 1, *read + length as u64);
        if length as u64 == most && !text.ends_with(b"\n") {
            *read += skip_line(lines).context("the file cannot be read")?;
            return Ok(Some(Row { line: *line, read: *read, record: Err(too_long_message(*line)) }));
        }
        let text = if *line == 1 { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text) } else { &text };
        if !text.trim_ascii().is_empty() {
            return Ok(Some(Row { line: *line, read: *read, record: fields(text) }));
        }
    }
}

/// Reads to the end of the line and forgets it.
fn skip_line<R: Read>(lines: &mut BufReader<R>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = lines.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |at| at + 1);
        lines.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

fn fields(line: &[u8]) -> Result<Record, String> {
    let parsed = serde_json::from_slice(line);
    let Ok(Value::Object(fields)) = parsed else {
        let why = parsed.err().map_or_else(|| "it is something else".to_owned(), |error| error.to_string());
        return Err(format!("This is not a JSON object: {why}."));
    };
    let mut given = Record::new();
    for (name, value) in fields {
        let Some(column) = COLUMNS.into_iter().find(|column| *column == name) else {
            let shown: String = name.chars().take(50).collect();
            return Err(format!("There is no column {shown:?}; the columns are {}.", COLUMNS.join(", ")));
        };
        match value {
            Value::Null => {}
            Value::String(text) => give(&mut given, column, text.trim()),
            Value::Bool(_) | Value::Number(_) => give(&mut given, column, &value.to_string()),
            Value::Array(_) | Value::Object(_) => return Err(format!("{column}: This is not a text nor a number.")),
        }
    }
    Ok(given)
}

fn give(given: &mut Record, column: &'static str, text: &str) {
    if !text.is_empty() {
        given.insert(column, text.to_owned());
    }
}

fn too_long(error: &csv::Error, line: u64) -> anyhow::Error {
    match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() != io::ErrorKind::FileTooLarge => {
            anyhow::anyhow!("the file cannot be read: {error}")
        }
        _ => anyhow::anyhow!(too_long_message(line)),
    }
}

fn too_long_message(line: u64) -> String {
    format!("line {line} has more than {MAX_LINE} bytes; is a quotation mark missing?")
}

/// A file of which so much is read before somebody says again how much may be.
struct Bounded<R> {
    from: R,
    left: usize,
    /// Bytes that were read.
    read: u64,
    /// The last of them.
    last: Option<u8>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.read += length as u64;
        self.last = buffer[..length].last().copied().or(self.last);
        self.left = self.left.checked_sub(length).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(length)
    }
}

impl<R> std::fmt::Debug for RowReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowReader")
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
